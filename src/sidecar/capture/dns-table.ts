/** Names of the mesh as DNS asks for them. In: name -> addresses (NDS). Out: lookups both ways. Immutable. */
import { isIPv6 } from 'node:net'

/** Names that only the mesh has: below these nothing is asked elsewhere. */
const CLUSTER_DOMAIN = 'cluster.local'

export class DnsTable {
  readonly #names: ReadonlyMap<string, readonly string[]>
  /** `5.0.240.240.in-addr.arpa` -> the longest name with that address. */
  readonly #reverse = new Map<string, string>()

  constructor(names: ReadonlyMap<string, readonly string[]>) {
    this.#names = names
    for (const [name, addresses] of names) {
      for (const address of addresses) {
        const key = reverseName(address)
        const known = this.#reverse.get(key)
        if (known === undefined || known.length < name.length) this.#reverse.set(key, name)
      }
    }
  }

  /** Addresses of a lower-case name without a closing dot; a `*.example.com` entry takes all names below it. */
  lookup(name: string): readonly string[] | undefined {
    const exact = this.#names.get(name)
    if (exact !== undefined) return exact
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const wide = this.#names.get(`*${name.slice(dot)}`)
      if (wide !== undefined) return wide
    }
    return undefined
  }

  reverse(name: string): string | undefined {
    return this.#reverse.get(name)
  }

  /** Whether a name that is not in the table exists nowhere else either. */
  static isOwn(name: string): boolean {
    return (
      !name.includes('.') || name === CLUSTER_DOMAIN || name.endsWith(`.${CLUSTER_DOMAIN}`) || name.endsWith('.svc')
    )
  }
}

function reverseName(address: string): string {
  if (!isIPv6(address)) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const middle = Array<string>(8 - left.length - right.length).fill('0')
  const digits = [...left, ...middle, ...right].map((group) => group.padStart(4, '0')).join('')
  return `${digits.split('').toReversed().join('.')}.ip6.arpa`
}
