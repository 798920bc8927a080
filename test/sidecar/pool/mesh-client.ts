/** A client's sidecar before an endpoint of the mesh that a test plays itself: `server`, with what it has accepted. */
import type net from 'node:net'
import type { Test } from 'tap'
import type { DataPlaneOptions } from '../../../src/sidecar/data-plane.ts'
import { credential, spiffeId } from '../../helpers/credentials.ts'
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

export const CLUSTER = 'outbound|80||server.default.svc.cluster.local'

export interface MeshClient extends Plane {
  /** Of its listener. */
  http: number
}

export async function meshClient(
  t: Test,
  server: net.Server,
  sockets: readonly net.Socket[],
  options: Partial<DataPlaneOptions> = {},
): Promise<MeshClient> {
  const made = createPlane('client', new TestCredentials(credential('client')), options)
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
  return { ...made, http: made.port('out') }
}
