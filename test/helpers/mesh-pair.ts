/**
 * A client's and a server's sidecar with mutual TLS between them, for tests: two data planes as a control plane would
 * set them up, in front of the application at `appPort`.
 */
import type { DataPlaneOptions } from '../../src/sidecar/data-plane.ts'
import type { Rejection } from '../../src/sidecar/ports.ts'
import { credential, spiffeId } from './credentials.ts'
import {
  assignment,
  createPlane,
  edsCluster,
  forward,
  httpListener,
  inboundListener,
  meshCluster,
  type Plane,
  routes,
  speaking,
  staticCluster,
  TestCredentials,
  type XdsListener,
} from './data-plane.ts'

/** What the client's sidecar calls the server, and the server's the application. */
export const OUTBOUND = 'outbound|8080||server.default.svc.cluster.local'
export const INBOUND = 'inbound|8080||'

export interface MeshPairInit {
  /** How the server's sidecar takes connections. Default: STRICT. */
  mode?: 'PERMISSIVE' | 'STRICT' | 'DISABLE'
  /** The client's knows that the server has a sidecar. Default: true. */
  mesh?: boolean
  /** Accounts that the server may show. Default: its own. */
  allowed?: string[]
  /** HTTP on the link between them. Default: HTTP/1.1. */
  link?: 'http1' | 'auto'
  /** HTTP to the application. Default: HTTP/1.1. */
  app?: 'http1' | 'http2' | 'client'
  /** Stands in for the server's listener `in`. */
  inbound?: XdsListener
  /** Stands in for the client's listener `out`. */
  outbound?: XdsListener
  client?: Partial<DataPlaneOptions>
  server?: Partial<DataPlaneOptions>
}

export interface MeshPair {
  client: Plane
  server: Plane
  clientCredentials: TestCredentials
  serverCredentials: TestCredentials
  /** Of the client's listener `out`. */
  port: number
  close: () => Promise<void>
}

export async function meshPair(appPort: number, init: MeshPairInit = {}): Promise<MeshPair> {
  const { mode = 'STRICT', mesh = true, allowed = ['server'], link = 'http1', app = 'http1' } = init
  const serverCredentials = new TestCredentials(credential('server'))
  const server = createPlane('server', serverCredentials, init.server)
  taken(server.plane.setClusters([speaking(app, staticCluster(INBOUND, appPort))]))
  taken(await server.plane.setListeners([init.inbound ?? inboundListener('in', INBOUND, mode)]))
  const clientCredentials = new TestCredentials(credential('client'))
  const client = createPlane('client', clientCredentials, init.client)
  const base = edsCluster(OUTBOUND)
  taken(
    client.plane.setClusters([
      meshCluster(OUTBOUND, allowed.map(spiffeId), link === 'auto' ? speaking('auto', base) : base),
    ]),
  )
  taken(client.plane.setEndpoints([assignment(OUTBOUND, [{ port: server.port('in'), mesh, workload: 'server' }])]))
  taken(client.plane.setRoutes([routes('8080', forward(OUTBOUND))]))
  taken(await client.plane.setListeners([init.outbound ?? httpListener('out', { rds: '8080' })]))
  const close = async (): Promise<void> => {
    await client.plane.drain(0)
    await server.plane.drain(0)
  }
  return { client, server, clientCredentials, serverCredentials, port: client.port('out'), close }
}

function taken(rejections: Rejection[]): void {
  if (rejections.length > 0) throw new Error(rejections.map(({ name, detail }) => `${name}: ${detail}`).join('; '))
}
