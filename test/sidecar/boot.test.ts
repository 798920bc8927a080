/** The start from compiled code: boot.ts as it stands in dist/, before bundles that only say how they were started. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildSync } from 'esbuild'
import t, { type Test } from 'tap'

// one function's expression, as the build makes them
const BUNDLE = `(function (exports, require, module) {
exports.main = async (argv) => {
  console.log(NAME, argv.join(' '))
  process.stdin.on('end', () => process.exit(0)).resume()
}
})`
const HOUR_S = 3600
const KEPT_WITHIN_MS = 20_000

interface Dist {
  folder: string
  /** Where the compiled code of this Node's version is kept. */
  cache: string
}

function makeDist(t: Test): Dist {
  const folder = t.testdir()
  const options = { bundle: true, platform: 'node', format: 'esm' } as const
  buildSync({ ...options, entryPoints: [resolve('src/sidecar/boot.ts')], outfile: join(folder, 'sidecar.js') })
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  for (const name of ['sidecar', 'standalone']) {
    const file = join(folder, `${name}.cjs`)
    writeFileSync(file, BUNDLE.replace('NAME', `'${name}'`))
    age(file)
  }
  return { folder, cache: join(folder, `sidecar.${process.version}-${process.arch}.cache`) }
}

function age(file: string): void {
  const thenS = Date.now() / 1000 - HOUR_S
  utimesSync(file, thenS, thenS)
}

/** Resolves with its first line: then it serves. */
async function start(t: Test, { folder }: Dist, ...argv: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [join(folder, 'sidecar.js'), ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, line }
}

async function end(child: ChildProcess): Promise<number | null> {
  child.stdin?.end()
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

async function until(what: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + KEPT_WITHIN_MS
  while (!what() && performance.now() < deadlineMs) await sleep(20)
  return what()
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

t.test('which bundle: the flags say it', async (t) => {
  const dist = makeDist(t)
  for (const [argv, line] of [
    [['--bootstrap', 'f'], 'sidecar --bootstrap f'],
    [['-c', 'f'], 'standalone -c f'],
    [['--config-path=f', '--validate'], 'standalone --config-path=f --validate'],
    [['--help'], 'sidecar --help'],
  ] as const) {
    const started = await start(t, dist, ...argv)
    t.equal(started.line, line)
    t.equal(await end(started.child), 0)
  }
})

t.test('compiled code that is missing, stale or refused is made anew while the sidecar serves', { jobs: 3 }, (t) => {
  const rows: Record<string, (dist: Dist) => void> = {
    missing: () => {},
    'older than the bundle': ({ folder, cache }) => {
      writeFileSync(cache, 'of another bundle')
      age(cache)
      utimesSync(join(folder, 'sidecar.cjs'), new Date(), new Date())
    },
    'refused by V8': ({ cache }) => {
      writeFileSync(cache, 'not what V8 has made')
      // newer than the bundle, and long ago: so that a new one shows
      const thenS = Date.now() / 1000 - HOUR_S / 2
      utimesSync(cache, thenS, thenS)
    },
  }
  for (const [name, prepare] of Object.entries(rows)) {
    t.test(name, async (t) => {
      const dist = makeDist(t)
      prepare(dist)
      const beforeMs = changedMs(dist.cache)
      const { child } = await start(t, dist)
      t.ok(await until(() => changedMs(dist.cache) > beforeMs + 1000), 'it is kept')
      t.equal(statSync(dist.cache).mode & 0o777, 0o600)
      t.equal(await end(child), 0)
      t.notOk(readdirSync(dist.folder).some((file) => file.endsWith('.tmp')))

      const kept = readFileSync(dist.cache)
      const again = await start(t, dist)
      await sleep(2500) // past the moment of keeping: what is good stays
      t.same(readFileSync(dist.cache), kept)
      t.equal(await end(again.child), 0)
    })
  }
  t.end()
})

t.test('where nothing can be kept, it starts and serves all the same', async (t) => {
  const dist = makeDist(t)
  mkdirSync(dist.cache) // whoever runs this: not to be read, nor to be replaced by a file
  const { child } = await start(t, dist)
  await sleep(2500)
  t.ok(statSync(dist.cache).isDirectory())
  t.notOk(readdirSync(dist.folder).some((file) => file.endsWith('.tmp')))
  t.equal(await end(child), 0)
})
