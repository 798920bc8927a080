/** One sidecar, or two with mutual TLS between them, before an upstream. In: the upstream's port. Out: a port to send to. */

import { createPlane, forward, httpListener, NO_CREDENTIALS, routes, staticCluster } from '../../helpers/data-plane.ts'
import { meshPair } from '../../helpers/mesh-pair.ts'

export interface Rig {
  name: string
  port: number
  close: () => Promise<void>
}

export async function oneSidecar(upstreamPort: number): Promise<Rig> {
  const { plane, port } = createPlane('client', NO_CREDENTIALS)
  plane.setClusters([staticCluster('app', upstreamPort)])
  plane.setRoutes([routes('all', forward('app'))])
  await plane.setListeners([httpListener('http', { rds: 'all' })])
  return { name: 'one sidecar', port: port('http'), close: () => plane.drain(0) }
}

export async function twoSidecars(upstreamPort: number): Promise<Rig> {
  const { port, close } = await meshPair(upstreamPort)
  return { name: 'two sidecars', port, close }
}
