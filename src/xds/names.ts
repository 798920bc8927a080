/**
 * Names of xDS resources, as Istio forms them. Pure functions; both planes and the CLI read them.
 * Source: Istio 1.30, `pilot/pkg/model/push_context.go` (BuildSubsetKey, BuildInboundSubsetKey).
 */

export type Direction = 'outbound' | 'inbound'

/** `outbound|9080|v1|reviews.default.svc.cluster.local`; an empty subset leaves `||`. */
export function clusterName(direction: Direction, port: number, subset: string, host: string): string {
  return `${direction}|${port}|${subset}|${host}`
}

export interface ClusterNameParts {
  direction: Direction
  port: number
  subset: string
  host: string
}

/** `undefined` for names of another form (PassthroughCluster ...). */
export function parseClusterName(name: string): ClusterNameParts | undefined {
  const [direction, port, subset, host] = name.split('|')
  if ((direction !== 'outbound' && direction !== 'inbound') || host === undefined || subset === undefined)
    return undefined
  return { direction, port: Number(port), subset, host }
}

/** SNI of a link between sidecars: `outbound_.9080_.v1_.reviews.default.svc.cluster.local`. */
export function clusterSni(port: number, subset: string, host: string): string {
  return `outbound_.${port}_.${subset}_.${host}`
}

export const PASSTHROUGH_CLUSTER = 'PassthroughCluster'
export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster'
export const VIRTUAL_OUTBOUND = 'virtualOutbound'
/** Name of the route configuration behind a sidecar's HTTP proxy port. */
export const HTTP_PROXY_ROUTE = 'http_proxy'

/**
 * ALPN offered between sidecars. `istio...` says what travels, and chooses the server's filter chain; `h2` and `http/1.1`
 * are what a server of Istio agrees to. Who may have either HTTP offers HTTP/2 first.
 */
export const ALPN_LINK = ['istio-h2', 'h2', 'istio-http/1.1', 'istio', 'http/1.1'] as const
export const ALPN_HTTP2 = ['istio-h2', 'istio', 'h2'] as const
export const ALPN_HTTP = ['istio-http/1.1', 'istio', 'http/1.1'] as const
export const ALPN_TCP = ['istio'] as const
/** ALPN by which a PERMISSIVE port knows the mesh's own TLS from the application's. */
export const ALPN_MESH = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'] as const
/** Of a finished handshake: which HTTP its name says. */
export const ALPN_SAYS_HTTP2: ReadonlySet<string> = new Set(['h2', 'istio-h2'])
export const ALPN_SAYS_HTTP1: ReadonlySet<string> = new Set([
  'http/1.0',
  'http/1.1',
  'istio-http/1.0',
  'istio-http/1.1',
])

/** Secrets that a sidecar provides for itself: its own certificate, and the mesh's roots. */
export const SECRET_OWN = 'default'
export const SECRET_ROOTS = 'ROOTCA'

/** Metadata key and value by which auto mTLS picks the transport socket of an endpoint. */
export const TRANSPORT_SOCKET_MATCH = 'envoy.transport_socket_match'
export const TLS_MODE_LABEL = 'tlsMode'
/** Endpoint metadata with the workload behind it: `workload;namespace;canonical name;canonical revision;cluster`. */
export const ISTIO_METADATA = 'istio'

/** Node ID of a sidecar: `sidecar~127.0.0.1~frontend-v1-0.default~default.svc.cluster.local`. */
export function nodeId(address: string, pod: string, namespace: string): string {
  return `sidecar~${address}~${pod}.${namespace}~${namespace}.svc.cluster.local`
}

/** Pod and namespace of a node ID, or `undefined` when it has another form. */
export function parseNodeId(id: string): { pod: string; namespace: string } | undefined {
  const [, , name, domain] = id.split('~')
  const namespace = domain?.split('.', 1)[0]
  if (name === undefined || namespace === undefined || !name.endsWith(`.${namespace}`)) return undefined
  return { pod: name.slice(0, -namespace.length - 1), namespace }
}
