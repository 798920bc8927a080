/** A few thousand mutated messages through two proxies; `npm run fuzz` has the rest. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readDirectly, startChain } from './chain.ts'
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

void t.test('a request before PRI was whole for llhttp, though node:http drops it with the connection', async (t) => {
  const bytes = Buffer.from('GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nbPRI /xHTTP/1.1\r\nHost: a\r\n\r\n')
  const { seen, numWhole, fault } = await readDirectly(bytes)
  t.same([seen.length, fault, numWhole >= 1], [0, '', true])
})
