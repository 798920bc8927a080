/** One sidecar, or two with mutual TLS between them, before an upstream. In: the upstream's port. Out: a port to send to. */
import { credential, spiffeId } from '../../helpers/credentials.ts'
import {
  assignment,
  createPlane,
  edsCluster,
  forward,
  httpListener,
  inboundListener,
  meshCluster,
  NO_CREDENTIALS,
  routes,
  staticCluster,
  TestCredentials,
} from '../../helpers/data-plane.ts'

export interface Rig {
  name: string
  port: number
  close(): Promise<void>
}

const CLUSTER = 'outbound|8080||server.default.svc.cluster.local'

export async function oneSidecar(upstreamPort: number): Promise<Rig> {
  const { plane, port } = createPlane('client', NO_CREDENTIALS)
  plane.setClusters([staticCluster('app', upstreamPort)])
  plane.setRoutes([routes('all', forward('app'))])
  await plane.setListeners([httpListener('http', { rds: 'all' })])
  return { name: 'one sidecar', port: port('http'), close: () => plane.drain(0) }
}

export async function twoSidecars(upstreamPort: number): Promise<Rig> {
  const server = createPlane('server', new TestCredentials(credential('server')))
  server.plane.setClusters([staticCluster('inbound|8080||', upstreamPort)])
  await server.plane.setListeners([inboundListener('in', 'inbound|8080||', 'STRICT')])
  const client = createPlane('client', new TestCredentials(credential('client')))
  client.plane.setClusters([meshCluster(CLUSTER, [spiffeId('server')], edsCluster(CLUSTER))])
  client.plane.setEndpoints([assignment(CLUSTER, [{ port: server.port('in'), mesh: true, workload: 'server' }])])
  client.plane.setRoutes([routes('8080', forward(CLUSTER))])
  await client.plane.setListeners([httpListener('out', { rds: '8080' })])
  return {
    name: 'two sidecars',
    port: client.port('out'),
    close: async () => {
      await client.plane.drain(0)
      await server.plane.drain(0)
    },
  }
}
