/**
 * Clusters and endpoints as compiled from xDS: plain immutable values. `compile.ts` makes them, `cluster.ts` runs them.
 */
import type { UpstreamProtocol } from '../codec/protocol.ts'
import type { Address } from '../pool/address.ts'
import type { TlsTarget } from '../pool/dial.ts'
import type { Workload } from '../workload.ts'

export type LbPolicy = 'least_request' | 'round_robin' | 'random'

/** What lies between a connection and its bytes. */
export interface Transport {
  tls: TlsTarget | null
  /** A PROXY v2 header goes first, where the endpoint is a pipe: behind one there is another proxy. */
  proxyHeader: boolean
}

/** One entry of transport_socket_matches: the first whose labels the endpoint has is taken. */
export interface TransportMatch {
  labels: ReadonlyMap<string, string>
  transport: Transport
}

export interface ClusterSpec {
  name: string
  kind: 'static' | 'eds' | 'original_dst'
  /**
   * It stands for wherever connections meant to go: it dials that itself (`direct`), or tells the proxy behind its
   * endpoint (`relayed`).
   */
  passthrough: 'direct' | 'relayed' | null
  /** Name of its ClusterLoadAssignment. */
  edsName: string
  connectTimeoutMs: number
  idleTimeoutMs: number
  maxRequestsPerConnection: number
  lbPolicy: LbPolicy
  maxConnections: number
  maxPending: number
  maxRequests: number
  transports: readonly TransportMatch[]
  /** Where no match fits. */
  defaultTransport: Transport
  /** Of the service behind it; '' where unknown. */
  serviceHost: string
  protocol: UpstreamProtocol
  endpoints: readonly EndpointSpec[]
}

export interface EndpointSpec {
  address: Address
  label: string
  healthy: boolean
  priority: number
  weight: number
  /** Labels that transport matches look at. */
  transportLabels: ReadonlyMap<string, string>
  workload: Workload
}
