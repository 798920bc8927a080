import { connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { ServiceView } from '../../src/client/contract.ts'
import { isFree, PortAllocator } from '../../src/supervisor/ports.ts'
import { ServiceRelays } from '../../src/supervisor/service-relay.ts'
import { Upstreams } from '../../src/supervisor/upstreams.ts'

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as { port: number }).port
}

function view(endpoints: number[], publish?: number): ServiceView {
  return {
    name: 'a',
    namespace: 'default',
    host: 'a.default.svc.cluster.local',
    addresses: [],
    selector: {},
    ports: [{ name: 'tcp', port: 80, targetPort: 80, protocol: 'tcp' }],
    endpoints: endpoints.map((port) => ({
      pod: `a-${port}`,
      namespace: 'default',
      servicePort: 80,
      address: '127.0.0.1',
      port,
      sidecar: false,
    })),
    ...(publish === undefined ? {} : { publish }),
  }
}

t.test('a relay takes endpoints in turn, and closes each half by itself', async (t) => {
  // answers only once the caller has ended its half
  const make = (name: string): Server =>
    createServer({ allowHalfOpen: true }, (socket) => {
      let got = ''
      socket.on('data', (chunk) => (got += chunk))
      socket.on('end', () => socket.end(`${name} ${got}`))
    })
  const servers = [make('one'), make('two')]
  t.teardown(() => servers.forEach((server) => server.close()))
  const endpoints = await Promise.all(servers.map(listen))
  const relays = new ServiceRelays(new PortAllocator('relay test'))
  t.teardown(() => relays.close())
  await relays.update([view(endpoints)])
  const port = relays.portOf('a.default.svc.cluster.local', 80) ?? 0
  const ask = (): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('hello')
    return text(socket)
  }
  const answers = [await ask(), await ask(), await ask()]
  for (const answer of answers) t.match(answer, /^(one|two) hello$/)
  t.equal(new Set(answers.slice(0, 2)).size, 2, 'both endpoints are used')
  t.equal(answers[0], answers[2], 'in turn')

  await relays.update([view([])])
  await t.rejects(ask(), { code: 'ECONNRESET' }, 'without an endpoint the connection is reset')
  await relays.update([])
  t.equal(relays.portOf('a.default.svc.cluster.local', 80), undefined)
})

t.test('ports are given once, and not those of other programs', async (t) => {
  const ports = new PortAllocator('a home')
  const first = await ports.take()
  const twin = new PortAllocator('a home')
  t.equal(await twin.take(), first, 'the search starts at a place of the home’s')
  const blocker = createServer()
  await new Promise<void>((done) => blocker.listen(first, '127.0.0.1', done))
  t.teardown(() => blocker.close())
  t.notOk(await isFree(first))
  t.not(await new PortAllocator('a home').take(), first, 'a port in use is passed over')
  const many = await Promise.all(Array.from({ length: 50 }, () => ports.take()))
  t.equal(new Set([...many, first]).size, 51)
  t.ok(many.every((port) => port >= 20_000 && port < 32_768))
})

t.test('a port to publish on that is taken is a reason, not a failure', async (t) => {
  const blocker = createServer()
  const taken = await listen(blocker)
  t.teardown(() => blocker.close())
  const upstreams = new Upstreams(new PortAllocator('publish test'), true)
  t.same(await upstreams.update([view([], taken)]), [])
  t.match(upstreams.problem, /Service a cannot be published: port \d+ is taken/)
  await new Promise((done) => blocker.close(done))
  t.match(await upstreams.update([view([], taken)]), [{ port: 80, listenPort: taken }])
  t.equal(upstreams.problem, null)
})

t.test('explicit ports stay while their Service does', async (t) => {
  const upstreams = new Upstreams(new PortAllocator('upstream test'), false)
  const [one] = await upstreams.update([view([])])
  const other = { ...view([]), host: 'b.default.svc.cluster.local' }
  const [same, added] = await upstreams.update([view([]), other])
  t.same(same, one)
  t.match(added, { host: other.host })
  t.same(await upstreams.update([other]), [added])
})
