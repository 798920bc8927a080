/**
 * What dist/sidecar.js does: runs the bundle beside it, sidecar.cjs, with the machine code that V8 made of it in an
 * earlier start. A sidecar that found none keeps its own for the others, once it has served for a while: by then all
 * that a start needs has been compiled. In: the bundle, `sidecar.VERSION-ARCH.cache`. Out: a running sidecar, that file.
 */
import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Script } from 'node:vm'

const KEEP_AFTER_MS = 2000

const bundle = fileURLToPath(new URL('sidecar.cjs', import.meta.url))
// V8 refuses what another version or other flags have made
const cache = fileURLToPath(new URL(`sidecar.${process.version}-${process.arch}.cache`, import.meta.url))

interface SidecarBundle {
  main(argv: string[]): Promise<void>
}

export async function main(argv: string[]): Promise<void> {
  const cachedData = readCache()
  const source = `(function (exports, require, module) {${readFileSync(bundle, 'latin1')}\n})`
  const script = new Script(source, { filename: bundle, ...(cachedData === undefined ? {} : { cachedData }) })
  const run = script.runInThisContext() as (exports: object, require: NodeJS.Require, module: object) => void
  const module = { exports: {} as SidecarBundle }
  run(module.exports, createRequire(bundle), module)
  await module.exports.main(argv)
  if (cachedData === undefined || script.cachedDataRejected === true)
    setTimeout(() => keepCache(script, cachedData !== undefined), KEEP_AFTER_MS).unref()
}

/** One of an older bundle is none: V8 itself compares only the length of the source. */
function readCache(): Buffer | undefined {
  const time = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  try {
    return time(cache) > time(bundle) ? readFileSync(cache) : undefined
  } catch {
    return undefined
  }
}

function keepCache(script: Script, replace: boolean): void {
  if (!replace && readCache() !== undefined) return // another sidecar was first
  const temporary = `${cache}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, script.createCachedData(), { mode: 0o600 })
    renameSync(temporary, cache)
  } catch {
    // an installation of another user: then each start compiles
  }
}

const entry = process.argv[1]
if (entry !== undefined && import.meta.url === pathToFileURL(realpathSync(entry)).href)
  await main(process.argv.slice(2))
