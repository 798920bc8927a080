/** What all requests of one listener share (compiled once per push) and what those of one connection share. */
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { DownstreamProtocol } from '../codec/protocol.ts'
import type { IpAddress } from '../pool/address.ts'
import type { TelemetrySink } from '../ports.ts'
import type { HttpFilterCell, NetworkFilterCell } from '../filter/chain.ts'
import type { RouteCell } from '../route/table.ts'
import type { Workload } from '../workload.ts'
import type { WeightedClusters } from '../cluster/clusters.ts'
import type { TraceSettings } from './trace.ts'

/** Of the process: the same for every listener. */
export interface ProxyContext {
  telemetry: TelemetrySink
  wheel: TimerWheel
  self: Workload
  /** `x-envoy-peer-metadata` and its id, sent to mesh peers. */
  metadata: readonly OwnField[]
  nowMs: () => number
  nowEpochMs: () => number
  random: () => number
}

/** Of one HTTP connection manager. */
export interface HttpSettings {
  proxy: ProxyContext
  inbound: boolean
  /** Its clients are programs of this pod: what they ask too much of is their own. */
  outbound: boolean
  /** `istio-envoy`, `envoy`. */
  serverName: string
  routes: RouteCell
  filters: HttpFilterCell
  generateRequestId: boolean
  /** x-forwarded-client-cert: what is made of the caller's certificate. */
  clientCert: 'sanitize' | 'set' | 'append'
  /** Absolute-form and CONNECT are for other hosts: this is the forward proxy's port. */
  forwardProxy: boolean
  idleTimeoutMs: number
  headersTimeoutMs: number
  maxHeadBytes: number
  /** `null`: no trace headers of our own. */
  tracing: TraceSettings | null
  protocol: DownstreamProtocol
}

export interface TcpSettings extends WeightedClusters {
  proxy: ProxyContext
  inbound: boolean
  filters: NetworkFilterCell
  idleTimeoutMs: number
}

/** Of one accepted connection. */
export interface ConnectionInfo {
  localAddress: string
  remoteAddress: string
  /** The same in parts; `null` where there is none. */
  remote: IpAddress | null
  /** SPIFFE ID of the caller, '' without mutual TLS. */
  peerId: string
  sni: string
  /** `https` where the connection is TLS, whoever is at its other end. */
  scheme: 'http' | 'https'
  /** Where a captured connection meant to go. */
  originalDst: IpAddress | null
  /** Our part of x-forwarded-client-cert, '' without mutual TLS. */
  clientCert: string
}
