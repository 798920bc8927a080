/**
 * Clusters and endpoints as compiled from xDS: plain immutable values. `compile.ts` makes them, `cluster.ts` runs them.
 */
import type { Address, TlsTarget } from '../pool/dial.ts'
import type { Workload } from '../workload.ts'

export type LbPolicy = 'least_request' | 'round_robin' | 'random'

/** One entry of transport_socket_matches: the first whose labels the endpoint has is taken. */
export interface TransportMatch {
  labels: ReadonlyMap<string, string>
  tls: TlsTarget | null
}

export interface ClusterSpec {
  name: string
  kind: 'static' | 'eds' | 'original_dst'
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
  defaultTls: TlsTarget | null
  /** Of the service behind it; '' where unknown. */
  serviceHost: string
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
