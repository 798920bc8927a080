/** Names in Node programs of a pod: node:dns in all its forms, as functions, promises and classes. */
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { decode, encode, type Answer } from 'dns-packet'
import t from 'tap'
import { dir, eachNode, run, VIP4, VIP6 } from './hook-programs.ts'

t.test('names resolve as asked for', async (t) => {
  const { stdout, stderr } = await run(`
    import dns, { lookup } from 'node:dns'
    import { lookup as lookupP } from 'node:dns/promises'
    import { promisify } from 'node:util'
    const out = []
    out.push(await new Promise((d) => lookup('checkout', (e, a, f) => d([a, f]))))
    out.push(await new Promise((d) => dns.lookup('checkout', 6, (e, a, f) => d([a, f]))))
    out.push(await new Promise((d) => dns.lookup('checkout', { all: true }, (e, a) => d(a.map((x) => x.address)))))
    out.push(await promisify(dns.lookup)('checkout.', { family: 'IPv4' }))
    out.push(await lookupP('checkout', { family: 6 }))
    out.push((await lookupP('localhost', { family: 4 })).address)
    console.log(JSON.stringify(out))`)
  t.same(
    JSON.parse(stdout),
    [[VIP4, 4], [VIP6, 6], [VIP4, VIP6], { address: VIP4, family: 4 }, { address: VIP6, family: 6 }, '127.0.0.1'],
    stderr,
  )
})

t.test('a name that appears later is found', async (t) => {
  const later = join(dir, 'later.json')
  const { stdout } = await run(
    `import { lookup } from 'node:dns/promises'
    import { writeFileSync } from 'node:fs'
    const one = await lookup('late-service.invalid').catch(() => 'none')
    writeFileSync(process.env.POCKETMESH_NAMES, JSON.stringify({ names: { 'late-service.invalid': ['${VIP4}'] } }))
    console.log(one, (await lookup('late-service.invalid')).address)`,
    { env: { POCKETMESH_NAMES: later } },
  )
  t.equal(stdout, `none ${VIP4}`)
})

/** A DNS server that answers each question with one record of its own. */
async function startDns(t: { teardown(work: () => unknown): unknown }): Promise<number> {
  const server = createSocket('udp4')
  server.on('message', (message, { port, address }) => {
    const { id, questions } = decode(message)
    const answers = (questions ?? []).map(({ name, type }): Answer =>
      type === 'MX'
        ? { name, type, ttl: 7, data: { exchange: 'mail.test', preference: 1 } }
        : { name, type: 'A', ttl: 7, data: '192.0.2.7' },
    )
    server.send(
      encode({
        type: 'response',
        ...(id === undefined ? {} : { id }),
        ...(questions === undefined ? {} : { questions }),
        answers,
      }),
      port,
      address,
    )
  })
  await new Promise<void>((done) => server.bind(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  return server.address().port
}

const RESOLVED = `
    import dns, { resolve4 } from 'node:dns'
    import dnsp, { resolve6 as resolve6p } from 'node:dns/promises'
    import { promisify } from 'node:util'
    const out = {}
    const note = async (name, work) => { out[name] = await work().catch((e) => [e.code, e.syscall, e.hostname].join(' ')) }
    const called = (f, ...args) => new Promise((done, fail) => f(...args, (e, a) => (e ? fail(e) : done(a))))
    const old = new dns.Resolver(), now = new dnsp.Resolver()
    for (const one of [dns, dnsp, old, now]) one.setServers(['127.0.0.1:' + process.env.DNS_PORT])
    await note('resolve4', () => called(resolve4, 'checkout'))
    await note('resolve4 ttl', () => called(dns.resolve4, 'CHECKOUT.', { ttl: true }))
    await note('resolve6', () => called(dns.resolve6, 'checkout'))
    await note('resolve', () => called(dns.resolve, 'checkout'))
    await note('resolve AAAA', () => promisify(dns.resolve)('checkout', 'AAAA'))
    await note('no AAAA', () => called(dns.resolve6, 'checkout.default'))
    await note('promises.resolve4', () => dnsp.resolve4('checkout', { ttl: true }))
    await note('promises.resolve6', () => resolve6p('checkout'))
    await note('promises.resolve', () => dns.promises.resolve('checkout'))
    await note('promises.resolve AAAA', () => dnsp.resolve('checkout', 'AAAA'))
    await note('promises, no AAAA', () => dnsp.resolve('checkout.default', 'AAAA'))
    await note('Resolver.resolve4', () => called(old.resolve4.bind(old), 'checkout'))
    await note('Resolver.resolve', () => called(old.resolve.bind(old), 'checkout', 'AAAA'))
    await note('promises.Resolver.resolve6', () => now.resolve6('checkout'))
    await note('promises.Resolver.resolve', () => now.resolve('checkout', 'A'))
    await note('another name', () => called(dns.resolve4, 'outside.test'))
    await note('another name, ttl', () => now.resolve4('outside.test', { ttl: true }))
    await note('another name by a Resolver', () => called(old.resolve.bind(old), 'outside.test', 'A'))
    await note('another record', async () => (await dnsp.resolve('checkout', 'MX')).map((one) => one.exchange))
    await note('no name at all', async () => dnsp.resolve4(undefined))
    console.log(JSON.stringify(out))`

const RECORDS = {
  resolve4: [VIP4],
  'resolve4 ttl': [{ address: VIP4, ttl: 30 }],
  resolve6: [VIP6],
  resolve: [VIP4],
  'resolve AAAA': [VIP6],
  'no AAAA': 'ENODATA queryAaaa checkout.default',
  'promises.resolve4': [{ address: VIP4, ttl: 30 }],
  'promises.resolve6': [VIP6],
  'promises.resolve': [VIP4],
  'promises.resolve AAAA': [VIP6],
  'promises, no AAAA': 'ENODATA queryAaaa checkout.default',
  'Resolver.resolve4': [VIP4],
  'Resolver.resolve': [VIP6],
  'promises.Resolver.resolve6': [VIP6],
  'promises.Resolver.resolve': [VIP4],
  'another name': ['192.0.2.7'],
  'another name, ttl': [{ address: '192.0.2.7', ttl: 7 }],
  'another name by a Resolver': ['192.0.2.7'],
  'another record': ['mail.test'],
  'no name at all': 'ERR_INVALID_ARG_TYPE  ',
}

t.test('records of a name of the mesh are its addresses, all others are asked for', async (t) => {
  const env = { DNS_PORT: String(await startDns(t)) }
  await eachNode(t, async (t, node) => {
    const { stdout, stderr } = await run(RESOLVED, { node, env })
    t.same(JSON.parse(stdout), RECORDS, stderr)
  })
})
