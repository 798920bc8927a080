/** Connections that are not up yet: whose endpoint goes away, or whose client does. */
import net from 'node:net'
import t, { type Test } from 'tap'
import {
  assignment,
  createPlane,
  edsCluster,
  forward,
  httpListener,
  listen,
  meshCluster,
  type Plane,
  routes,
  TestCredentials,
} from '../../helpers/data-plane.ts'
import { credential, spiffeId } from '../../helpers/credentials.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { eventually, get, Wire } from '../listener/front.ts'

const CLUSTER = 'outbound|80||server.default.svc.cluster.local'

interface Rig extends Plane {
  http: number
  /** What the endpoint has accepted; it never ends a handshake. */
  sockets: net.Socket[]
}

async function silent(t: Test): Promise<Rig> {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => void sockets.push(socket.on('error', () => {}).resume()))
  // no deadline of ours ends a dial here
  const made = createPlane('client', new TestCredentials(credential('client')), { clock: new ManualClock() })
  const { plane } = made
  plane.setClusters([meshCluster(CLUSTER, [spiffeId('server')], edsCluster(CLUSTER))])
  plane.setEndpoints([assignment(CLUSTER, [{ port: await listen(server), mesh: true }])])
  plane.setRoutes([routes('80', forward(CLUSTER))])
  t.same(await plane.setListeners([httpListener('out', { rds: '80' })]), [])
  t.teardown(async () => {
    await plane.drain(0)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { ...made, http: made.port('out'), sockets }
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
