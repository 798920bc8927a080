/** A few hundred HTTP/2 frame sequences into sessions and against running proxies; `npm run fuzz` has the rest. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startChain } from './chain.ts'
import { fuzzLive } from './http2-live.ts'
import { fuzzSessions } from './http2-session.ts'

const seed = Number(process.env['POCKETMESH_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
t.comment(`seed ${seed}`)

void t.test('a session takes any frames, cut anywhere, and sends only what its peer allows', (t) => {
  const finds = mkdtempSync(join(tmpdir(), 'pm-fuzz-'))
  t.same(fuzzSessions({ seed, sequences: 1000, finds }).finds, [])
  t.end()
})

void t.test('running proxies end every connection, and serve others beside it', async (t) => {
  const chain = await startChain()
  t.teardown(() => chain.close())
  const report = await fuzzLive(chain, { seed, sequences: 200 })
  t.same(report.finds, [])
  t.ok(report.arrived > 20 && report.whole > 5, 'sound requests were among them, and whole connections')
})
