/**
 * Type URLs of the resources that ADS carries, and packing of messages into Any.
 * In: messages of generated/xds.js. Out: Any, and back. Source: xDS protocol, "type.googleapis.com/<message>".
 */
import { envoy, google, istio, type Codec } from './generated/xds.js'

export type Any = google.protobuf.Any

const url = (message: string): string => `type.googleapis.com/${message}`

/** What a sidecar subscribes to, in the order in which a push goes out (make before break). */
export const TYPE_URL = {
  CDS: url('envoy.config.cluster.v3.Cluster'),
  EDS: url('envoy.config.endpoint.v3.ClusterLoadAssignment'),
  LDS: url('envoy.config.listener.v3.Listener'),
  RDS: url('envoy.config.route.v3.RouteConfiguration'),
  NDS: url('istio.networking.nds.v1.NameTable'),
} as const

export type XdsType = keyof typeof TYPE_URL
export const XDS_TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'NDS'] as const satisfies readonly XdsType[]

/** `undefined` for a type URL that this project does not serve. */
export function xdsTypeOf(typeUrl: string): XdsType | undefined {
  return XDS_TYPES.find((t) => TYPE_URL[t] === typeUrl)
}

export const RESOURCE_CODEC = {
  CDS: envoy.config.cluster.v3.Cluster,
  EDS: envoy.config.endpoint.v3.ClusterLoadAssignment,
  LDS: envoy.config.listener.v3.Listener,
  RDS: envoy.config.route.v3.RouteConfiguration,
  NDS: istio.networking.nds.v1.NameTable,
} as const

const listenerFilters = 'envoy.extensions.filters.listener'
const tls = 'envoy.extensions.transport_sockets.tls.v3'

/** Type URLs of the extensions that stand inside resources, each with its codec. */
export const EXTENSION = {
  originalDst: [
    url(`${listenerFilters}.original_dst.v3.OriginalDst`),
    envoy.extensions.filters.listener.original_dst.v3.OriginalDst,
  ],
  proxyProtocol: [
    url(`${listenerFilters}.proxy_protocol.v3.ProxyProtocol`),
    envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol,
  ],
  tlsInspector: [
    url(`${listenerFilters}.tls_inspector.v3.TlsInspector`),
    envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector,
  ],
  httpInspector: [
    url(`${listenerFilters}.http_inspector.v3.HttpInspector`),
    envoy.extensions.filters.listener.http_inspector.v3.HttpInspector,
  ],
  tcpProxy: [
    url('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
    envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
  ],
  httpConnectionManager: [
    url('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
  ],
  connectionLimit: [
    url('envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit'),
    envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit,
  ],
  router: [url('envoy.extensions.filters.http.router.v3.Router'), envoy.extensions.filters.http.router.v3.Router],
  httpRbac: [url('envoy.extensions.filters.http.rbac.v3.RBAC'), envoy.extensions.filters.http.rbac.v3.RBAC],
  networkRbac: [url('envoy.extensions.filters.network.rbac.v3.RBAC'), envoy.extensions.filters.network.rbac.v3.RBAC],
  fileAccessLog: [
    url('envoy.extensions.access_loggers.file.v3.FileAccessLog'),
    envoy.extensions.access_loggers.file.v3.FileAccessLog,
  ],
  stdoutAccessLog: [
    url('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'),
    envoy.extensions.access_loggers.stream.v3.StdoutAccessLog,
  ],
  previousHosts: [
    url('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'),
    envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate,
  ],
  upstreamHttpOptions: [
    url('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
  ],
  rawBuffer: [
    url('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'),
    envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer,
  ],
  /** Wraps another transport: a PROXY v2 header goes first. */
  upstreamProxyProtocol: [
    url('envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport'),
    envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport,
  ],
  downstreamTls: [url(`${tls}.DownstreamTlsContext`), envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext],
  upstreamTls: [url(`${tls}.UpstreamTlsContext`), envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext],
} as const

/** A message as Any. */
export function pack<T>([typeUrl, codec]: readonly [string, Codec<T>], message: T): Any {
  return { typeUrl, value: codec.encode(message).finish() }
}

interface Extension {
  name?: string | undefined
  typedConfig?: Any | null | undefined
}

/** What says which extension this is, and how it is set: never its name alone. Throws where it is missing. */
export function typedConfigOf(what: string, { name, typedConfig }: Extension): Any {
  if (typedConfig) return typedConfig
  throw new Error(`${what} "${name ?? ''}" says nothing by its name: it needs a typed_config with "@type"`)
}

/** Messages that are at hand beside their bytes. */
const presets = new WeakMap<Any, object>()

/** From here on `unpack` gives `message` for this very `any`. */
export function presetUnpacked(any: Any, message: object): void {
  presets.set(any, message)
}

/** The message inside `any`, or `undefined` when it is of another type. Throws on bytes that do not parse. */
export function unpack<T>([typeUrl, codec]: readonly [string, Codec<T>], any: Any | null | undefined): T | undefined {
  if (any === null || any === undefined || any.typeUrl !== typeUrl) return undefined
  return (presets.get(any) as T | undefined) ?? codec.decode(any.value ?? new Uint8Array(0))
}
