/**
 * What dist/sidecar.js does: runs the bundle beside it, sidecar.cjs, or for a proxy without a mesh standalone.cjs, with the
 * machine code that V8 made of it in an earlier start. A process that found none keeps its own for the others, once it
 * has served for a while: by then all that a start needs has been compiled. In: a bundle (the expression of one function
 * of exports, require and module), `BUNDLE.VERSION-ARCH.cache` beside it. Out: a running proxy, that file.
 */
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { wantsStandalone } from './standalone/wanted.ts'

const KEEP_AFTER_MS = 2000

interface SidecarBundle {
  main(argv: string[]): Promise<void>
}

export async function main(argv: string[]): Promise<void> {
  const name = wantsStandalone(argv) ? 'standalone' : 'sidecar'
  const bundle = beside(`${name}.cjs`)
  // V8 refuses what another version or other flags have made
  const cache = new CodeCache(bundle, beside(`${name}.${process.version}-${process.arch}.cache`))
  const cachedData = cache.read()
  const source = readFileSync(bundle, 'latin1')
  const script = new Script(source, { filename: bundle, ...(cachedData === undefined ? {} : { cachedData }) })
  const run = script.runInThisContext() as (exports: object, require: NodeJS.Require, module: object) => void
  const module = { exports: {} as SidecarBundle }
  run(module.exports, createRequire(bundle), module)
  await module.exports.main(argv)
  if (cachedData === undefined || script.cachedDataRejected === true)
    setTimeout(() => cache.keep(script, cachedData !== undefined), KEEP_AFTER_MS).unref()
}

function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}

class CodeCache {
  readonly #bundle: string
  readonly #file: string

  constructor(bundle: string, file: string) {
    this.#bundle = bundle
    this.#file = file
  }

  /** One of an older bundle is none: V8 itself compares only the length of the source. */
  read(): Buffer | undefined {
    try {
      return changedMs(this.#file) > changedMs(this.#bundle) ? readFileSync(this.#file) : undefined
    } catch {
      return undefined
    }
  }

  /** `replace`: V8 has refused what is there. */
  keep(script: Script, replace: boolean): void {
    if (!replace && this.read() !== undefined) return // another process was first
    const temporary = `${this.#file}.${process.pid}.tmp`
    try {
      writeFileSync(temporary, script.createCachedData(), { mode: 0o600 })
      renameSync(temporary, this.#file)
    } catch {
      // an installation of another user: then each start compiles
      rmSync(temporary, { force: true })
    }
  }
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

const entry = process.argv[1]
if (entry !== undefined && import.meta.url === pathToFileURL(realpathSync(entry)).href)
  await main(process.argv.slice(2))
