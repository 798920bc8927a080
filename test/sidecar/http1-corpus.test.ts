/**
 * Messages friendly and hostile through one and through two sidecars, before strict parsers of others. Each is sent in
 * one or two splits here; `npm run corpus` sends all of them in many.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { requireTool } from '../helpers/tools.ts'
import { H, length, SMUGGLED } from '../corpus/http1/row.ts'
import { CarelessUpstream, converse } from './http1-corpus/careless.ts'
import { answered, send, type Split } from './http1-corpus/client.ts'
import { type Corpus, own, readCorpus, runCorpus } from './http1-corpus/corpus.ts'
import { oneProcess, twoProcesses } from './http1-corpus/processes.ts'
import { oneSidecar, twoSidecars } from './http1-corpus/rig.ts'
import { runRequests } from './http1-corpus/run.ts'
import { StrictUpstream } from './http1-corpus/upstream.ts'

const shared = process.env['POCKETMESH_SHARED']
const others = shared === undefined ? null : readCorpus(join(shared, 'corpus/http1'))

async function passes(t: Test, corpus: Corpus, splits: { one: Split[]; two: Split[] }): Promise<void> {
  for (const { rig, sent, wrong, disagreements } of await runCorpus(corpus, splits)) {
    t.same(
      wrong.map(({ line }) => line),
      [],
      `${rig}: ${sent} messages`,
    )
    if (disagreements === null) t.comment('python3-h11 is not installed: one upstream parser only')
    else t.same(disagreements, [], `${rig}: h11 saw what llhttp saw`)
  }
}

void t.test('our own corpus', async (t) => {
  t.ok(own.requests.length >= 1000 && own.responses.length >= 200)
  t.equal(
    new Set([...own.requests, ...own.responses].map((row) => row.id)).size,
    own.requests.length + own.responses.length,
  )
  await passes(t, own, { one: ['whole', 1], two: [2] })
})

void t.test("other people's corpus", { skip: others === null && 'POCKETMESH_SHARED is not set' }, async (t) => {
  await passes(t, others!, { one: ['bytes'], two: [1] })
})

for (const makeRig of [oneProcess, twoProcesses])
  void t.test(`requests through ${makeRig.name}`, async (t) => {
    if (makeRig === twoProcesses && !requireTool(t, 'openssl')) return
    const upstream = await new StrictUpstream().start()
    t.teardown(() => upstream.close())
    const rig = await makeRig(t, upstream.port)
    // every third message: the whole of it goes through the same code above
    const rows = own.requests.filter((_, i) => i % 3 === 0)
    const wrong = await runRequests(rows, rig, upstream, [3], null)
    t.same(
      wrong.map(({ line }) => line),
      [],
      `${rows.length} messages`,
    )
  })

const CHUNKED = `POST /x HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`
const LENGTH = `POST /x HTTP/1.1\r\n${H}${length(SMUGGLED)}\r\n`
const EXPECT = `POST /x HTTP/1.1\r\n${H}Expect: 100-continue\r\n${length(SMUGGLED)}\r\n`
const chunk = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n`
const answer = 'the answer to /x'

/** What a client does with an upstream that answers each head at once and takes a body for the next request. */
const desyncs: [string, string[]][] = [
  ['a body with the head', [LENGTH + SMUGGLED, answer]],
  ['a body behind the answer', [LENGTH, answer, SMUGGLED]],
  ['a body in two parts, an answer between them', [LENGTH + SMUGGLED.slice(0, 10), answer, SMUGGLED.slice(10)]],
  ['a body and a request behind the answer', [LENGTH, answer, SMUGGLED + SMUGGLED]],
  ['chunks with the head', [`${CHUNKED}${chunk}0\r\n\r\n`, answer]],
  ['chunks behind the answer', [CHUNKED, answer, `${chunk}0\r\n\r\n`]],
  ['a chunk before the answer, the end behind it', [CHUNKED + chunk, answer, `0\r\n\r\n${SMUGGLED}`]],
  ['chunks that are none, behind the answer', [CHUNKED, answer, SMUGGLED]],
  ['Expect, and a body behind the final answer', [EXPECT, answer, SMUGGLED]],
  ['Expect, and a body at once', [EXPECT + SMUGGLED, answer]],
  ['Expect, and never a body', [EXPECT, answer]],
]

for (const makeRig of [oneSidecar, twoSidecars])
  void t.test(`an upstream that answers before the body, ${makeRig.name}`, async (t) => {
    const upstream = await new CarelessUpstream().start()
    const rig = await makeRig(upstream.port)
    t.teardown(async () => {
      await rig.close()
      upstream.close()
    })
    for (const [i, [name, steps]] of desyncs.entries()) {
      const text = await converse(rig.port, steps, answer)
      t.same(answered(text), ['/x'], `${name}: one answer, to what was asked`)
      const url = `/control-${i}`
      const after = await send(rig.port, [Buffer.from(`GET ${url} HTTP/1.1\r\n${H}Connection: close\r\n\r\n`)])
      t.same(answered(after.text), [url], `${name}: the next request gets its own answer`)
    }
  })
