/**
 * Names of mesh services and their virtual addresses: the file that the sidecar writes, read again when it changes.
 * In: its path. Out: addresses of a name. A file that cannot be read leaves the last good table.
 */
import { readFileSync, statSync } from 'node:fs'

export class Names {
  readonly #file: string
  #stamp = ''
  #names: Readonly<Record<string, readonly string[]>> = {}

  constructor(file: string) {
    this.#file = file
  }

  /** Addresses of a mesh service, IPv4 first; `undefined` where the name is none. */
  find(host: string): readonly string[] | undefined {
    this.#refresh()
    const name = host.toLowerCase().replace(/\.$/, '')
    const found = Object.hasOwn(this.#names, name) ? this.#names[name] : undefined
    return found === undefined || found.length === 0 ? undefined : found
  }

  #refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#file)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === this.#stamp) return
      const { names } = JSON.parse(readFileSync(this.#file, 'utf8')) as { names: Record<string, string[]> }
      const ordered = Object.entries(names).map(([name, list]): [string, string[]] => [name, ipv4First(list)])
      this.#names = Object.fromEntries(ordered)
      this.#stamp = stamp
    } catch {
      // not written yet, or being replaced
    }
  }
}

function ipv4First(addresses: readonly string[]): string[] {
  return [...addresses.filter((a) => !a.includes(':')), ...addresses.filter((a) => a.includes(':'))]
}
