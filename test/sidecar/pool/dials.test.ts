/** Connections that are not up yet: whose endpoint goes away, or whose client does. */
import net from 'node:net'
import t, { type Test } from 'tap'
import {
  assignment,
  createPlane,
  forward,
  httpListener,
  listen,
  routes,
  staticCluster,
  TestCredentials,
} from '../../helpers/data-plane.ts'
import { credential } from '../../helpers/credentials.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { eventually, front, get, settled, Wire } from '../listener/front.ts'
import { CLUSTER, meshClient, type MeshClient } from './mesh-client.ts'

interface Rig extends MeshClient {
  /** What the endpoint has accepted; it never ends a handshake. */
  sockets: net.Socket[]
}

async function silent(t: Test): Promise<Rig> {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => void sockets.push(socket.on('error', () => {}).resume()))
  // no deadline of ours ends a dial here
  const made = await meshClient(t, server, sockets, { clock: new ManualClock() })
  return { ...made, sockets }
}

const without = ({ plane }: Rig): void => void plane.setEndpoints([assignment(CLUSTER, [])])

t.test('a dial that nobody waits for any more ends with its endpoint', async (t) => {
  const rig = await silent(t)
  const wire = new Wire(t, rig.http).send(get('/'))
  await eventually(() => rig.sockets.length === 1)
  wire.socket.resetAndDestroy()
  await rig.records.at(0)
  t.notOk(rig.sockets[0]!.destroyed, 'the next request may want it')
  without(rig)
  await eventually(() => rig.sockets[0]!.closed)
})

t.test('a dial to an endpoint that is gone ends with the last one who waits for it', async (t) => {
  const rig = await silent(t)
  const wires = [new Wire(t, rig.http).send(get('/')), new Wire(t, rig.http).send(get('/'))]
  await eventually(() => rig.sockets.length === 2)
  without(rig)
  wires[0]!.socket.resetAndDestroy()
  await rig.records.at(0)
  t.same(
    rig.sockets.map((socket) => socket.destroyed),
    [false, false],
  )
  wires[1]!.socket.resetAndDestroy()
  await eventually(() => rig.sockets.every((socket) => socket.closed))
})

t.test('at the limit of connections a dial that fails leaves nobody waiting for none', async (t) => {
  const app = net.createServer()
  const one = { circuitBreakers: { thresholds: [{ maxConnections: { value: 1 } }] } }
  const { http: port, records } = await front(t, app, { cluster: one })
  await new Promise((resolve) => app.close(resolve))
  const wires = [1, 2, 3, 4].map(() => new Wire(t, port).send(get('/')))
  await Promise.all(wires.map((wire) => wire.sees(/^HTTP\/1\.1 503 [^]*delayed connect error: Connection refused$/)))
  t.equal(records.ended.length, 4)
})

t.test('a dial counts: all endpoints of a cluster have no more connections than it may have', async (t) => {
  const sockets: net.Socket[] = []
  const servers = [1, 2].map(() =>
    net.createServer((socket) => void sockets.push(socket.on('error', () => {}).resume())),
  )
  const ports = await Promise.all(servers.map(listen))
  const { plane, port, records } = createPlane('client', new TestCredentials(credential('client')))
  const limits = [{ maxConnections: { value: 2 }, maxPendingRequests: { value: 100 } }]
  plane.setClusters([{ ...staticCluster('app', ...ports), lbPolicy: 0, circuitBreakers: { thresholds: limits } }])
  plane.setRoutes([routes('80', forward('app'))])
  t.same(await plane.setListeners([httpListener('out', { rds: '80' })]), [])
  t.teardown(async () => {
    await plane.drain(0)
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
  })
  const wires = Array.from({ length: 8 }, () => new Wire(t, port('out')).send(get('/')))
  await settled(() => sockets.length + records.ended.length)
  t.equal(sockets.length, 2)
  // each answer makes room for one who waits, or nobody waits
  while (records.ended.length < 8) {
    for (const socket of sockets.splice(0))
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    await settled(() => sockets.length + records.ended.length)
    t.ok(sockets.length <= 2)
  }
  for (const wire of wires) t.match(wire.text, /^HTTP\/1\.1 (?:200|503) /)
})
