/** Listeners with several addresses, of both families, and original destinations told by the socket itself. */
import net from 'node:net'
import t, { type Test } from 'tap'
import type { envoy } from '../../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import {
  address,
  createPlane,
  destinationListener,
  httpListener,
  listen,
  type Plane,
  routes,
  staticCluster,
  tcpChain,
  tcpListener,
  type XdsListener,
} from '../../helpers/data-plane.ts'
import { exchange } from './pipes.ts'

const isDualStack = await new Promise<boolean>((resolve) => {
  const probe = net.createServer()
  probe.on('error', () => resolve(false))
  probe.listen({ host: '::1', port: 0 }, () => probe.close(() => resolve(true)))
})
const needsIpv6 = isDualStack ? {} : { skip: 'this machine has no IPv6 loopback' }

/** A port that is free on all addresses of this machine. */
async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen({ port: 0 }, resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const free = async (n: number): Promise<number[]> => {
  const ports = new Set<number>()
  while (ports.size < n) ports.add(await freePort())
  return [...ports]
}

async function says(t: Test, text: string): Promise<number> {
  const server = net.createServer((socket) => socket.on('error', () => {}).end(text))
  t.teardown(() => server.close())
  return listen(server)
}

function plane(t: Test): Plane {
  const made = createPlane()
  t.teardown(() => made.plane.drain(0))
  return made
}

/** Several addresses, the first one first. */
function several(name: string, cluster: string, all: envoy.config.core.v3.Address[]): XdsListener {
  return {
    ...tcpListener(name, cluster),
    address: all[0]!,
    additionalAddresses: all.slice(1).map((a) => ({ address: a })),
  }
}

const ask = (port: number, host = '127.0.0.1'): Promise<string> => exchange({ port, host }, [])

t.test('all addresses serve; a push that adds and removes some keeps the others and all connections', async (t) => {
  const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  const { plane: p } = plane(t)
  p.setClusters([staticCluster('echo', await listen(echo))])
  t.teardown(() => echo.close())
  const ports = await free(4)
  const at = (...which: number[]): XdsListener =>
    several(
      'many',
      'echo',
      which.map((i) => address(ports[i]!)),
    )
  t.same(await p.setListeners([at(0, 1, 2)]), [])
  t.match(p.listenerStats(), [{ name: 'many', address: `127.0.0.1:${ports[0]}`, numAddresses: 3, bound: true }])
  t.equal(p.listenerStats().length, 1)
  const held = await Promise.all(
    [0, 1, 2].map(async (i) => {
      const socket = net.connect(ports[i]!, '127.0.0.1')
      await new Promise((resolve) => socket.once('connect', resolve))
      return socket
    }),
  )
  const talk = (socket: net.Socket): Promise<string> =>
    new Promise((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      socket.write('x')
    })
  for (const socket of held) t.equal(await talk(socket), 'x')
  t.same(await p.setListeners([at(1, 3)]), [])
  t.match(p.listenerStats(), [
    { address: `127.0.0.1:${ports[1]}`, numAddresses: 2, addresses: { length: 2 }, connections: 3 },
  ])
  for (const socket of held) t.equal(await talk(socket), 'x', 'also those of the address that went')
  t.equal(await exchange({ port: ports[3]! }, ['new'], true), 'new')
  await t.rejects(ask(ports[0]!), { code: 'ECONNREFUSED' })
  await t.rejects(ask(ports[2]!), { code: 'ECONNREFUSED' })
  for (const socket of held) socket.destroy()
})

t.test('one address is taken: refused with its name, the last version serves on, until it is free', async (t) => {
  const { plane: p } = plane(t)
  p.setClusters([staticCluster('one', await says(t, 'one'))])
  const [mine, taken, third] = (await free(3)) as [number, number, number]
  const squatter = net.createServer()
  await new Promise<void>((resolve) => squatter.listen(taken, '127.0.0.1', resolve))
  t.same(await p.setListeners([several('l', 'one', [address(mine)])]), [])
  const wanted = several('l', 'one', [address(mine), address(third), address(taken)])
  const named = new RegExp(`127\\.0\\.0\\.1:${taken}: .*EADDRINUSE`)
  t.match(await p.setListeners([wanted]), [{ name: 'l', detail: named, retried: true }])
  t.match(p.unbound(), [named])
  t.equal(await ask(mine), 'one')
  await t.rejects(ask(third), { code: 'ECONNREFUSED' }, 'all or none')
  t.match(await p.setListeners([wanted, several('new', 'one', [address(taken)])]), [{ name: 'l' }, { name: 'new' }])
  t.match(p.listenerStats(), [
    { name: 'l', bound: true, numAddresses: 1 },
    { name: 'new', bound: false, address: `127.0.0.1:${taken}` },
  ])
  t.match(p.unbound(), [/^l \(/, /^new \(/])
  t.match(await p.setListeners([wanted]), [{ name: 'l' }], 'what no push wants any more is not tried')
  t.equal(p.unbound().length, 1)
  await new Promise((resolve) => squatter.close(resolve))
  while (p.unbound().length > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  for (const port of [mine, third, taken]) t.equal(await ask(port), 'one', 'tried again by itself')
})

t.test('a listener that waited for its routes and then cannot be bound is seen, and tried again', async (t) => {
  const { plane: p } = plane(t)
  const [taken] = (await free(1)) as [number]
  const squatter = net.createServer()
  await new Promise<void>((resolve) => squatter.listen(taken, '127.0.0.1', resolve))
  const listener = { ...httpListener('late', { rds: 'r' }), address: address(taken) }
  t.same(await p.setListeners([listener]), [])
  t.same(p.unbound(), [])
  p.setRoutes([routes('r', { match: { prefix: '/' }, directResponse: { status: 200, body: { inlineString: 'hi' } } })])
  while (p.unbound().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.match(p.listenerStats(), [{ name: 'late', address: `127.0.0.1:${taken}`, bound: false, connections: 0 }])
  await new Promise((resolve) => squatter.close(resolve))
  while (p.unbound().length > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  t.match(await exchange({ port: taken }, ['GET / HTTP/1.0\r\n\r\n']), /200 OK[^]*hi$/)
  t.match(p.listenerStats(), [{ name: 'late', bound: true }])
})

t.test(':: takes IPv4 too where it says so, else not', needsIpv6, async (t) => {
  const { plane: p, records } = plane(t)
  p.setClusters([staticCluster('one', await says(t, 'one'))])
  const [both, only] = (await free(2)) as [number, number]
  const any = (portValue: number, ipv4Compat: boolean): envoy.config.core.v3.Address => ({
    socketAddress: { address: '::', portValue, ipv4Compat },
  })
  t.same(await p.setListeners([several('l', 'one', [any(both, true), any(only, false)])]), [])
  t.equal(await ask(both), 'one')
  t.match((await records.at(0)).downstreamRemoteAddress, /^127\.0\.0\.1:\d+$/, 'not ::ffff:')
  t.equal(await ask(both, '::1'), 'one')
  t.match((await records.at(1)).downstreamRemoteAddress, /^\[::1\]:\d+$/)
  t.equal(await ask(only, '::1'), 'one')
  await t.rejects(ask(only), { code: 'ECONNREFUSED' })
})

t.test('without a header, the address that was dialled is the original destination', needsIpv6, async (t) => {
  const { plane: p, records } = plane(t)
  const [port, other] = (await free(2)) as [number, number]
  const names = ['v4', 'v6', 'port', 'rest']
  p.setClusters(await Promise.all(names.map(async (name) => staticCluster(name, await says(t, name)))))
  const capture: XdsListener = {
    ...several('virtualOutbound', 'rest', [
      { socketAddress: { address: '::', portValue: port, ipv4Compat: true } },
      { socketAddress: { address: '::', portValue: other, ipv4Compat: true } },
    ]),
    useOriginalDst: { value: true },
    listenerFilters: [{ name: 'original_dst', typedConfig: pack(EXTENSION.originalDst, {}) }],
    filterChains: [],
    defaultFilterChain: tcpChain('rest'),
  }
  const vip = destinationListener('127.0.0.1', port, tcpChain('v4'))
  t.same(
    await p.setListeners([
      capture,
      { ...vip, additionalAddresses: [{ address: address(port, '127.0.0.9') }] },
      destinationListener('::1', port, tcpChain('v6')),
      destinationListener('0.0.0.0', port, tcpChain('port')),
    ]),
    [],
  )
  t.equal(await ask(port, '127.0.0.1'), 'v4')
  t.equal(await ask(port, '127.0.0.9'), 'v4', 'an additional address is a destination as well')
  t.equal(await ask(port, '127.0.0.2'), 'port')
  t.equal(await ask(port, '::1'), 'v6')
  t.equal(await ask(other, '127.0.0.2'), 'rest')
  await records.at(4)
  t.same(
    records.ended.map((x) => x.downstreamLocalAddress),
    [`127.0.0.1:${port}`, `127.0.0.9:${port}`, `127.0.0.2:${port}`, `[::1]:${port}`, `127.0.0.2:${other}`],
  )
})
