/** The sidecar's DNS server, asked by resolvers that nobody here wrote, and by bytes that no resolver would send. */
import { Resolver } from 'node:dns/promises'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packet, { type Packet } from 'dns-packet'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { answerQuery, fitUdp } from '../../src/sidecar/capture/dns-answer.ts'
import { DnsRelay } from '../../src/sidecar/capture/dns-relay.ts'
import { askStream, createDnsStreamServer } from '../../src/sidecar/capture/dns-stream.ts'
import { DnsTable } from '../../src/sidecar/capture/dns-table.ts'
import { DnsServer } from '../../src/sidecar/capture/dns.ts'

const NAMES = new Map<string, readonly string[]>([
  ['web.default.svc.cluster.local', ['240.240.0.5', '2001:2::5']],
  ['web', ['240.240.0.5', '2001:2::5']],
  ['four.default.svc.cluster.local', ['240.240.0.6']],
  ['*.wide.example', ['240.240.0.7']],
])
const TABLE = new DnsTable(NAMES)

async function start(
  t: Test,
  options: { upstream?: string; mayLeave?: boolean } = {},
): Promise<{ server: DnsServer; resolver: Resolver }> {
  const { upstream, mayLeave = true } = options
  const server = new DnsServer({ address: '127.0.0.1', port: 0, upstream, mayLeave: () => mayLeave })
  server.setNames(NAMES)
  await server.start()
  t.teardown(() => server.close())
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${server.port}`])
  return { server, resolver }
}

t.test('names of the mesh, by UDP', async (t) => {
  const { resolver } = await start(t)
  t.same(await resolver.resolve4('web.default.svc.cluster.local'), ['240.240.0.5'])
  t.same(await resolver.resolve6('WEB.default.svc.CLUSTER.local'), ['2001:2::5'])
  t.same(await resolver.resolve4('web'), ['240.240.0.5'])
  t.same(await resolver.resolve4('any.wide.example'), ['240.240.0.7'])
  t.same(await resolver.resolve4('localhost'), ['127.0.0.1'])
  t.same(await resolver.reverse('240.240.0.5'), ['web.default.svc.cluster.local'])
  t.same(await resolver.reverse('2001:2::5'), ['web.default.svc.cluster.local'])
  await t.rejects(resolver.resolve6('four.default.svc.cluster.local'), { code: 'ENODATA' }, 'the name is there')
  await t.rejects(resolver.resolveMx('web'), { code: 'ENODATA' })
  for (const name of ['nobody', 'web.other.svc.cluster.local', 'example.com.default.svc.cluster.local', 'a.b.svc'])
    await t.rejects(resolver.resolve4(name), { code: 'ENOTFOUND' }, name)
})

t.test('the same by TCP, and several questions on one connection', async (t) => {
  const server = createDnsStreamServer(async (message) => {
    const verdict = answerQuery(message, TABLE)
    return verdict.kind === 'answer' ? verdict.message : null
  })
  const dir = mkdtempSync(join(tmpdir(), 'dns-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  await new Promise<void>((done) => server.listen(join(dir, 's'), done))
  t.teardown(() => server.close())
  const answer = packet.decode(await askStream(join(dir, 's'), query('web', 'A'), 2000))
  t.match(answer.answers, [{ type: 'A', data: '240.240.0.5' }])
})

t.test('names beyond the mesh', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'dns-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'relay')
  const relay = new DnsRelay(path)
  await relay.start()
  t.teardown(() => relay.close())
  t.equal(statSync(path).mode & 0o777, 0o600)

  await t.test('are asked of the relay, which has this machine’s resolver', async (t) => {
    const answer = packet.decode(await askStream(path, query('localhost', 'A'), 2000))
    t.match(answer.answers, [{ type: 'A', data: '127.0.0.1' }])
    const none = packet.decode(await askStream(path, query('nobody.invalid', 'A'), 10_000))
    t.match(none, { rcode: /NXDOMAIN|SERVFAIL/ })
  })
  await t.test('are not there where nothing may leave the mesh, or nobody knows', async (t) => {
    for (const options of [{ upstream: path, mayLeave: false }, {}]) {
      const { resolver } = await start(t, options)
      await t.rejects(resolver.resolve4('example.com'), { code: 'ENOTFOUND' })
    }
  })
  await t.test('fail for now where the relay is gone', async (t) => {
    const { resolver } = await start(t, { upstream: join(dir, 'gone') })
    await t.rejects(resolver.resolve4('example.com'), { code: 'ESERVFAIL' })
  })
})

t.test('an answer keeps the question as it was asked', async (t) => {
  const verdict = answerQuery(query('wEb.DefAult.svc.cluster.local', 'A'), TABLE)
  const answer = packet.decode(verdict.kind === 'answer' ? verdict.message : Buffer.alloc(0)) as Packet & {
    flag_aa: boolean
  }
  t.match(answer, { id: 7, flag_aa: true, questions: [{ name: 'wEb.DefAult.svc.cluster.local' }] })
})

t.test('an answer that does not fit goes by TCP', async (t) => {
  const many = new DnsTable(new Map([['many', Array.from({ length: 60 }, (_, i) => `240.240.1.${i}`)]]))
  const asked = query('many', 'A')
  const verdict = answerQuery(asked, many)
  const whole = verdict.kind === 'answer' ? verdict.message : Buffer.alloc(0)
  t.ok(whole.length > 512)
  const cut = packet.decode(fitUdp(asked, whole)) as Packet & { flag_tc: boolean }
  t.match(cut, { flag_tc: true, answers: [] })
  t.ok(fitUdp(asked, whole).length <= 512)
})

t.test('what is no question', async (t) => {
  const code = (message: Buffer): unknown => {
    const verdict = answerQuery(message, TABLE)
    return verdict.kind === 'answer' ? (packet.decode(verdict.message) as { rcode?: string }).rcode : verdict.kind
  }
  t.equal(code(Buffer.from('short')), 'silence')
  t.equal(code(packet.encode({ type: 'response', id: 1, questions: [] })), 'silence', 'answers are never answered')
  t.equal(code(packet.encode({ type: 'query', id: 1, questions: [] })), 'FORMERR')
  const twice = [{ type: 'A', name: 'a' } as const, { type: 'A', name: 'b' } as const]
  t.equal(code(packet.encode({ type: 'query', id: 1, questions: twice })), 'FORMERR')
  t.equal(
    code(packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'web', class: 'CH' }] })),
    'REFUSED',
  )
  const notify = query('web', 'A')
  notify[2] = 4 << 3
  t.equal(code(notify), 'NOTIMP')
  // a name that points at itself
  const loop = Buffer.concat([query('', 'A').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])
  t.equal(code(loop), 'FORMERR')
})

t.test('no bytes make it throw, or answer with more than it should', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, asQuery) => {
      const message = Buffer.from(bytes)
      if (asQuery && message.length > 12) query('web', 'A').copy(message, 0, 0, 12)
      const verdict = answerQuery(message, TABLE)
      return verdict.kind !== 'answer' || fitUdp(message, verdict.message).length <= 1232
    }),
    { numRuns: 2000 },
  )
})

function query(name: string, type: 'A' | 'AAAA'): Buffer {
  return packet.encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type, name }] })
}
