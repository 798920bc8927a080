/** A few thousand mutated messages through two proxies; `npm run fuzz` has the rest. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startChain } from './chain.ts'
import { fuzzHttp1 } from './http1.ts'

void t.test('what the client got answers to is what llhttp behind two proxies took for requests', async (t) => {
  const chain = await startChain()
  t.teardown(() => chain.close())
  const seed = Number(process.env['POCKETMESH_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
  t.comment(`seed ${seed}`)
  const finds = mkdtempSync(join(tmpdir(), 'pm-fuzz-'))
  const report = await fuzzHttp1(chain, { seed, messages: 2000, finds, directEvery: 1 })
  t.same(report.finds, [])
  t.ok(report.arrived > 500 && report.refused > 250, 'both sound and broken ones were among them')
})
