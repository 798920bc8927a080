/**
 * Child of crash.test.ts: writes until killed, and prints `key revision` of each write that was acknowledged. When
 * writing fails: `refused CODE`, and whether the last acknowledged entry can still be read.
 */
import { writeSync } from 'node:fs'
import { LmdbStore } from '../../../src/control/store/lmdb.ts'

const [, , dir = '', round = ''] = process.argv
const store = new LmdbStore({ dir })

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Out before anything else happens; a reader that is behind is waited for. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`)
      return
    } catch (error) {
      if ((error as { code?: string }).code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

async function writeForever(worker: number): Promise<void> {
  let last = ''
  for (let i = 0; ; i++) {
    const key = `round-${round}/worker-${worker}/${i}`
    try {
      const result = await store.commit([{ key, value: { text: 'x'.repeat(i % 500) } }])
      if (result.ok) say(`${key} ${result.revision}`)
      last = key
    } catch (error) {
      say(`refused ${(error as { code?: string }).code} ${store.get(last) !== undefined}`)
      return
    }
  }
}

await Promise.all([0, 1, 2, 3].map(writeForever))
