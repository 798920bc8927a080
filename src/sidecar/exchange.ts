/**
 * The record of one request (or one TCP connection) that all stages share: capture fills in where it was meant to go,
 * the codec its head, routing its cluster, the pool its endpoint, and at its end telemetry reads it once.
 * Fixed shape: every field is set in the constructor, so that V8 keeps one hidden class. Absent text is ''.
 */
import type { Workload } from './workload.ts'
import { UNKNOWN_WORKLOAD } from './workload.ts'

export type RequestProtocol = 'http' | 'grpc' | 'tcp'

/** Why a filter does not let it pass. */
export type FilterFault = 'rbac_denied'

/** What the request itself says that makes an answer without a route. */
export type RequestFault = 'path_refused' | 'path_redirect' | 'bad_max_forwards' | 'last_hop' | 'loop'

export class Exchange {
  inbound = false
  protocol: RequestProtocol = 'http'

  // the request's head
  method = ''
  path = ''
  authority = ''
  /** Of the connection that it came on. */
  scheme: 'http' | 'https' = 'http'
  /** `HTTP/1.1`, `HTTP/2` */
  httpVersion = ''
  /** The program at its beginning spoke HTTP/2, whatever the proxies between speak. */
  cameAsHttp2 = false
  requestId = ''
  userAgent = ''
  forwardedFor = ''
  /** Set where a rewrite changed the path. */
  originalPath = ''
  /** Of OPTIONS: what the next proxy may still pass on; -1: it does not say. */
  maxForwards = -1
  /** Proxies of this kind that it has gone through, this one included; 0: not told. */
  hops = 0
  /** What goes on as `traceparent`; '' where there is no tracing. */
  traceParent = ''

  // time: monotonic ms for differences, epoch ms for the log
  startMs = 0
  startEpochMs = 0
  durationMs = 0
  /** What a gRPC caller leaves it, in ms; -1: it says nothing. */
  grpcTimeoutMs = -1
  /** ms from sending the request to the first byte of the response; -1: none came. */
  upstreamServiceMs = -1

  /** Set by what answers before a route does. */
  fault: FilterFault | RequestFault | '' = ''

  // the outcome
  responseCode = 0
  /** `grpc-status` of the response, '' where none came; one that gRPC does not know is UNKNOWN's. */
  grpcStatus = ''
  /** Envoy's short flags (`NR`, `UH`, `UF,URX`); '' is none. */
  responseFlags = ''
  /** `via_upstream`, `route_not_found`, ... */
  responseCodeDetails = ''
  connectionTerminationDetails = ''
  upstreamTransportFailure = ''
  bytesReceived = 0
  bytesSent = 0

  // where it went
  routeName = ''
  clusterName = ''
  /** `127.0.0.1:21001` */
  upstreamHost = ''
  upstreamLocalAddress = ''
  downstreamLocalAddress = ''
  downstreamRemoteAddress = ''
  requestedServerName = ''

  // who: identities are `spiffe://...`, '' where the link was not mutual TLS
  downstreamPrincipal = ''
  upstreamPrincipal = ''
  /** The caller's workload (inbound: from its metadata header; outbound: this one). */
  source: Workload = UNKNOWN_WORKLOAD
  /** The callee's workload (outbound: from the endpoint's metadata; inbound: this one). */
  destination: Workload = UNKNOWN_WORKLOAD
  /** The service asked for: `checkout-service.default.svc.cluster.local`, '' where unknown. */
  destinationService = ''
  /** Mutual TLS seen on the mesh's side of this hop. */
  mutualTls = false

  /** Makes it ready for the next request of its connection. */
  reset(): void {
    this.inbound = false
    this.protocol = 'http'
    this.method = ''
    this.path = ''
    this.authority = ''
    this.scheme = 'http'
    this.httpVersion = ''
    this.cameAsHttp2 = false
    this.requestId = ''
    this.userAgent = ''
    this.forwardedFor = ''
    this.originalPath = ''
    this.maxForwards = -1
    this.hops = 0
    this.traceParent = ''
    this.startMs = 0
    this.startEpochMs = 0
    this.durationMs = 0
    this.grpcTimeoutMs = -1
    this.upstreamServiceMs = -1
    this.fault = ''
    this.responseCode = 0
    this.grpcStatus = ''
    this.responseFlags = ''
    this.responseCodeDetails = ''
    this.connectionTerminationDetails = ''
    this.upstreamTransportFailure = ''
    this.bytesReceived = 0
    this.bytesSent = 0
    this.routeName = ''
    this.clusterName = ''
    this.upstreamHost = ''
    this.upstreamLocalAddress = ''
    this.downstreamLocalAddress = ''
    this.downstreamRemoteAddress = ''
    this.requestedServerName = ''
    this.downstreamPrincipal = ''
    this.upstreamPrincipal = ''
    this.source = UNKNOWN_WORKLOAD
    this.destination = UNKNOWN_WORKLOAD
    this.destinationService = ''
    this.mutualTls = false
  }
}
