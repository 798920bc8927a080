import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { LmdbStore } from '../../../src/control/store/lmdb.ts'
import { acquireLock } from '../../../src/control/store/lock.ts'
import { processStartTime } from '../../../src/lib/process-start.ts'

const writer = fileURLToPath(new URL('writer.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pm-crash-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

t.test('every acknowledged write survives kill -9, and the lock of the dead is taken over', async (t) => {
  const dir = join(folder, 'killed')
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['--import=tsx', writer, dir, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    const acked: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      acked.push(line)
      if (acked.length === 1) {
        t.throws(() => new LmdbStore({ dir }), {
          code: 'STORE_LOCKED',
          pid: child.pid,
          message: new RegExp(`PID ${child.pid}, started 20`),
        })
      }
      if (acked.length === 100 + 7 * round) child.kill('SIGKILL')
    }
    await ended // its output closes a moment before it is gone
    const store = new LmdbStore({ dir })
    let missing = 0
    let highest = 0
    for (const line of acked) {
      const [key = '', revision] = line.split(' ')
      if (store.get(key)?.modRevision !== Number(revision)) missing++
      highest = Math.max(highest, Number(revision))
    }
    t.ok(acked.length >= 100, `${acked.length} acknowledged writes`)
    t.equal(missing, 0, 'all of them are there')
    t.ok(store.revision >= highest, 'the revision did not go back')
    await store.close()
  }
})

t.test(
  'a full disk refuses writes for good, with its reason; reads go on, and what was acknowledged is there',
  async (t) => {
    const dir = join(folder, 'full')
    // a limit on the size of files, in blocks of 512 bytes, stands for the disk
    const command = ['-c', 'ulimit -f 400; exec "$0" --import=tsx "$1" "$2" full', process.execPath, writer, dir]
    const child = spawn('/bin/sh', command, { stdio: ['ignore', 'pipe', 'ignore'] })
    const ended = once(child, 'exit')
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) lines.push(line)
    t.strictSame(await ended, [0, null], 'it is not a crash')
    const refusals = lines.filter((line) => line.startsWith('refused'))
    t.strictSame(
      new Set(refusals),
      new Set(['refused STORE_UNAVAILABLE true']),
      'each writer, with the last entry read',
    )
    const acked = lines.filter((line) => line.startsWith('round-'))
    t.ok(acked.length > 10, `${acked.length} acknowledged writes`)
    const store = new LmdbStore({ dir })
    t.strictSame(
      acked.filter((line) => store.get(line.split(' ')[0] ?? '') === undefined),
      [],
    )
    await store.close()
  },
)

t.test('a lock is refused to a second holder, free after release, and taken from the dead', (t) => {
  const file = join(folder, 'lock')
  const lock = acquireLock(file)
  t.throws(() => acquireLock(file), { code: 'STORE_LOCKED' })
  lock.release()
  acquireLock(file).release()
  for (const stale of [
    '',
    'not json',
    '{"pid":1}',
    JSON.stringify({ pid: process.pid, startTime: '1', since: 'x' }),
    JSON.stringify({ pid: 2 ** 22 + 1, startTime: '1', since: 'x' }),
  ]) {
    writeFileSync(file, stale)
    const taken = acquireLock(file)
    t.equal((JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid, process.pid, `over ${stale}`)
    taken.release()
  }
  const mine = acquireLock(file)
  writeFileSync(file, 'of somebody else')
  mine.release()
  t.equal(readFileSync(file, 'utf8'), 'of somebody else', 'release leaves what is not its own')
  t.end()
})

t.test('a process start time is stable, and absent for what does not run', (t) => {
  t.type(processStartTime(process.pid), 'string')
  t.equal(processStartTime(process.pid), processStartTime(process.pid))
  t.equal(processStartTime(2 ** 22 + 1), undefined)
  t.end()
})
