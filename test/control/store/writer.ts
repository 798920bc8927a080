/** Child of crash.test.ts: writes until killed, and prints `key revision` of each write that was acknowledged. */
import { writeSync } from 'node:fs'
import { LmdbStore } from '../../../src/control/store/lmdb.ts'

const [, , dir = '', round = ''] = process.argv
const store = new LmdbStore({ dir })

async function writeForever(worker: number): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `round-${round}/worker-${worker}/${i}`
    const result = await store.commit([{ key, value: { text: 'x'.repeat(i % 500) } }])
    if (result.ok) writeSync(1, `${key} ${result.revision}\n`)
  }
}

await Promise.all([0, 1, 2, 3].map(writeForever))
