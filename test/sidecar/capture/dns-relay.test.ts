/** Names beyond the mesh: the way over the relay's UNIX socket, and what the machine's resolver is asked. */
import type { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packet from 'dns-packet'
import t, { type Test } from 'tap'
import { type MachineDns, MachineResolver } from '../../../src/sidecar/capture/dns-machine.ts'
import { RCODE, TYPE } from '../../../src/sidecar/capture/dns-query.ts'
import { DnsRelay } from '../../../src/sidecar/capture/dns-relay.ts'
import { askStream } from '../../../src/sidecar/capture/dns-stream.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { resolverOf, startDns } from './dns-rig.ts'

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'dns-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** A machine that knows a few names, and counts who asks. */
function fakeMachine(): { machine: MachineDns; asked: string[] } {
  const asked: string[] = []
  const records =
    <T>(type: string, ...list: T[]) =>
    async (name: string): Promise<T[]> => {
      asked.push(`${type} ${name}`)
      if (name === 'gone.example') throw failure('ENOTFOUND')
      if (name === 'none.example') throw failure('ENODATA')
      if (name === 'slow.example') throw failure('ETIMEOUT')
      return list
    }
  const machine = {
    lookup: (name: string) =>
      records('addresses', { address: '192.0.2.1', family: 4 }, { address: '2001:db8::1', family: 6 })(name),
    resolveCname: records('CNAME', 'other.example'),
    resolveNs: records('NS', 'ns.example'),
    resolvePtr: records('PTR', 'host.example'),
    resolveTxt: records('TXT', ['v=1', 'two']),
    resolveMx: records('MX', { exchange: 'mail.example', priority: 10 }),
    resolveSrv: records('SRV', { name: 'a.example', port: 80, priority: 1, weight: 2 }),
  } as unknown as MachineDns
  return { machine, asked }
}

async function relayed(t: Test, mayLeave = true): Promise<{ resolver: Resolver; asked: string[]; relay: DnsRelay }> {
  const path = join(folder(t), 'dns.sock')
  writeFileSync(path, 'left behind')
  const { machine, asked } = fakeMachine()
  const clock = new ManualClock()
  const relay = new DnsRelay(path, new MachineResolver({ clock, machine }))
  await relay.start()
  t.teardown(() => relay.close())
  t.equal(statSync(path).mode & 0o777, 0o600)
  return { resolver: await resolverBehind(t, path, mayLeave), asked, relay }
}

async function resolverBehind(t: Test, upstream: string, mayLeave = true): Promise<Resolver> {
  return resolverOf(await startDns(t, { upstream, mayLeave: () => mayLeave }))
}

t.test('a program’s resolver, the pod’s server, the relay, the machine', async (t) => {
  const { resolver, asked } = await relayed(t)
  t.same(await resolver.resolve4('a.example', { ttl: true }), [{ address: '192.0.2.1', ttl: 10 }])
  t.same(await resolver.resolve6('A.Example'), ['2001:db8::1'])
  t.same(asked, ['addresses a.example'], 'both families with one lookup, kept for a while')
  t.same(await resolver.resolveCname('a.example'), ['other.example'])
  t.same(await resolver.resolveNs('a.example'), ['ns.example'])
  t.same(await resolver.resolvePtr('1.2.0.192.in-addr.arpa'), ['host.example'])
  t.same(await resolver.resolveTxt('a.example'), [['v=1', 'two']])
  t.match(await resolver.resolveMx('a.example'), [{ exchange: 'mail.example', priority: 10 }])
  t.match(await resolver.resolveSrv('a.example'), [{ name: 'a.example', port: 80, priority: 1, weight: 2 }])
  for (const [name, code] of [
    ['gone.example', 'ENOTFOUND'],
    ['none.example', 'ENODATA'],
    ['slow.example', 'ESERVFAIL'],
  ] as const)
    for (const again of [false, true]) await t.rejects(resolver.resolve4(name), { code }, `${name} ${again}`)
  t.equal(asked.filter((one) => one === 'addresses gone.example').length, 2, 'a failure is not kept')
  await t.rejects(resolver.resolveNaptr('a.example'), { code: 'ENOTIMP' })
  await t.rejects(resolver.resolve4('nobody.default.svc.cluster.local'), { code: 'ENOTFOUND' })
  t.notOk(
    asked.some((one) => one.includes('cluster.local')),
    'names of the mesh stay inside',
  )
})

t.test('where nothing may leave the mesh no name is asked outside', async (t) => {
  const { resolver, asked } = await relayed(t, false)
  await t.rejects(resolver.resolve4('a.example'), { code: 'ENOTFOUND' })
  t.same(asked, [])
})

t.test('what the asker wrote beside the question stays in the pod', async (t) => {
  const path = join(folder(t), 'dns.sock')
  const { machine } = fakeMachine()
  const relay = new DnsRelay(path, new MachineResolver({ clock: new ManualClock(), machine }))
  await relay.start()
  t.teardown(() => relay.close())
  const questions = [{ type: 'A', name: 'a.example' } as const]
  const bad = packet.encode({ type: 'query', id: 3, questions: [...questions, ...questions] })
  t.match(
    packet.decode(await askStream(path, bad, 5000)),
    { id: 3, rcode: 'FORMERR' },
    'the relay checks as the server does',
  )
})

t.test('a relay that is gone, silent or wrong is a failure for now', async (t) => {
  const dir = folder(t)
  const gone = await resolverBehind(t, join(dir, 'gone'))
  await t.rejects(gone.resolve4('a.example'), { code: 'ESERVFAIL' }, 'gone')
  const rows: [string, (query: Buffer) => Buffer | null][] = [
    ['closes', () => null],
    [
      'answers another question',
      () => packet.encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'b' }] }),
    ],
    ['has another number', (query) => other(query)],
    ['sends bytes', () => Buffer.alloc(40, 0xff)],
    ['sends nothing', () => Buffer.alloc(0)],
  ]
  for (const [what, reply] of rows) {
    const path = join(dir, what)
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', (chunk) => {
        const bytes = reply(chunk.subarray(2))
        if (bytes === null) socket.destroy()
        else socket.end(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]))
      })
    }).listen(path)
    await once(server, 'listening')
    t.teardown(() => server.close())
    const resolver = await resolverBehind(t, path)
    await t.rejects(resolver.resolve4('a.example'), { code: 'ESERVFAIL' }, what)
  }
})

function other(query: Buffer): Buffer {
  const reply = Buffer.from(query)
  reply.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0)
  reply[2] = 0x80
  return reply
}

/** All that can go on without waiting has. */
const settled = (): Promise<void> => new Promise((done) => setImmediate(done))

t.test('the machine is asked for a few names at a time, and again when its answer is old', async (t) => {
  const clock = new ManualClock()
  const open: ((list: { address: string; family: number }[]) => void)[] = []
  const machine = { ...fakeMachine().machine, lookup: () => new Promise((done) => open.push(done)) } as MachineDns
  const resolver = new MachineResolver({ clock, machine })
  const address = [{ address: '192.0.2.1', family: 4 }]
  const asked = Array.from({ length: 5 }, (_, i) => resolver.resolve(`${i}.example`, TYPE.A))
  const twin = resolver.resolve('0.example', TYPE.AAAA)
  await settled()
  t.equal(open.length, 3)
  open[0]!(address)
  t.match(await asked[0], { rcode: RCODE.noError, records: [{ type: 'A', data: '192.0.2.1', ttl: 10 }] })
  t.same(await twin, { rcode: RCODE.noError, records: [] }, 'the same lookup')
  await settled()
  t.equal(open.length, 4, 'the next in turn')
  clock.advance(5000)
  t.match(await asked[4], { rcode: RCODE.servFail }, 'who waits too long is told')
  open.slice(1).forEach((done) => done(address))
  await Promise.all(asked)
  t.match(await resolver.resolve('0.example', TYPE.A), { records: [{ ttl: 5 }] }, 'kept, and older')
  clock.advance(5000)
  const anew = resolver.resolve('0.example', TYPE.A)
  await settled()
  t.equal(open.length, 5, 'asked again')
  open[4]!(address)
  t.match(await anew, { records: [{ ttl: 10 }] })
})

t.test('this machine’s own resolver, hosts file included', async (t) => {
  const resolver = new MachineResolver({ clock: new ManualClock() })
  t.match(await resolver.resolve('localhost', TYPE.A), { records: [{ type: 'A', data: '127.0.0.1' }] })
  t.not((await resolver.resolve('nobody.invalid', TYPE.A)).rcode, RCODE.noError)
})
