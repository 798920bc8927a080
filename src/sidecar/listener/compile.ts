/**
 * Listener to ListenerSpec. In: decoded xDS, cells of routes and clusters. Out: immutable values; throws an Error with
 * the reason for what cannot be honoured.
 */
import { type Clusters, weightClusters } from '../cluster/clusters.ts'
import { compileAddress } from '../cluster/compile.ts'
import { durationMs } from '../cluster/duration.ts'
import type { NetworkFilter } from '../filter/chain.ts'
import { compileDownstream } from './protocol.ts'
import { alpnOf, compileFileTls } from '../tls/files.ts'
import { compileHttpFilters, compileNetworkFilter } from '../filter/compile.ts'
import type { HttpSettings, ProxyContext, TcpSettings } from '../stream/context.ts'
import type { TraceSettings } from '../stream/trace.ts'
import type { RouteCell } from '../route/table.ts'
import { envoy } from '../../xds/generated/xds.js'
import { HTTP_PROXY_ROUTE } from '../../xds/names.ts'
import { EXTENSION, typedConfigOf, unpack } from '../../xds/type-urls.ts'
import type { LogSpec, TelemetrySink } from '../ports.ts'
import { compileJsonFormat, compileTextFormat, type PutLine } from '../telemetry/log-format.ts'
import { addressLabel } from '../pool/address.ts'
import type { BindAddress } from './binding.ts'
import type { ChainTls, FilterChain, ListenerSpec } from './filter-chain.ts'

type Listener = envoy.config.listener.v3.Listener
type XdsChain = envoy.config.listener.v3.FilterChain
type Manager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
type Tracing = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing
type XdsTcpProxy = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy

/** What a compiled listener refers to. */
export interface ListenerRefs {
  proxy: ProxyContext
  clusters: Clusters
  /** Who is told of what goes through a listener that writes these logs. */
  telemetry(logs: readonly LogSpec[]): TelemetrySink
  /** The cell of a route configuration that RDS brings. */
  routes(name: string): RouteCell
  /** A cell for one that stands in the listener itself. */
  inlineRoutes(config: envoy.config.route.v3.RouteConfiguration): RouteCell
}

/** What a chain takes over from its listener. */
interface Side {
  inbound: boolean
  outbound: boolean
  bufferLimitBytes: () => number | null
}

const { INBOUND, OUTBOUND } = envoy.config.core.v3.TrafficDirection
const FORWARD =
  envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertDetails
const STDOUT = '/dev/stdout'
const DEFAULT_IDLE_MS = 3_600_000
const DEFAULT_HEADERS_MS = 60_000
const DEFAULT_MAX_HEAD_KB = 60
const DEFAULT_INSPECT_MS = 10_000
const DEFAULT_PIPE_MODE = 0o600

export function compileListener(listener: Listener, refs: ListenerRefs): ListenerSpec {
  const name = listener.name ?? ''
  if (name === '') throw new Error('a listener needs a name')
  const inbound = listener.trafficDirection === INBOUND
  const outbound = listener.trafficDirection === OUTBOUND
  const side = { inbound, outbound, bufferLimitBytes: () => listener.perConnectionBufferLimitBytes?.value ?? null }
  const filters = listenerFilters(listener)
  const useOriginalDst = listener.useOriginalDst?.value === true
  if (filters.has(originalDst[0]) && !useOriginalDst)
    throw new Error('this filter has no effect without use_original_dst: true')
  const chain = (c: XdsChain): FilterChain => compileChain(c, side, refs)
  const chains = (listener.filterChains ?? []).map(chain)
  const defaultChain = listener.defaultFilterChain ? chain(listener.defaultFilterChain) : null
  if (chains.length === 0 && defaultChain === null) throw new Error(`listener ${name} has no filter chain`)
  const sniffsHttp = filters.has(EXTENSION.httpInspector[0])
  return {
    name,
    addresses: compileAddresses(listener),
    bind: listener.bindToPort?.value ?? true,
    inbound,
    proxyHeader: filters.has(EXTENSION.proxyProtocol[0]),
    useOriginalDst,
    inspection: {
      tls: filters.has(EXTENSION.tlsInspector[0]) || chains.some((c) => needsTlsInspector(c, sniffsHttp)),
      http: sniffsHttp,
      timeoutMs: durationMs(listener.listenerFiltersTimeout, DEFAULT_INSPECT_MS) || DEFAULT_INSPECT_MS,
    },
    chains,
    defaultChain,
  }
}

const { proxyProtocol, tlsInspector, httpInspector, originalDst } = EXTENSION
const LISTENER_FILTERS: ReadonlySet<string> = new Set(
  [proxyProtocol, tlsInspector, httpInspector, originalDst].map(([url]) => url),
)

function listenerFilters(listener: Listener): ReadonlySet<string> {
  const types = (listener.listenerFilters ?? []).map((f) => typedConfigOf('listener filter', f).typeUrl ?? '')
  const unknown = types.find((type) => !LISTENER_FILTERS.has(type))
  if (unknown !== undefined) throw new Error(`listener filter ${unknown} is not supported`)
  return new Set(types)
}

/** As Envoy does: who chooses by what only a ClientHello says has it looked at, with or without the filter. */
function needsTlsInspector({ transport, serverNames, protocols }: FilterChain, sniffsHttp: boolean): boolean {
  if (transport !== '') return transport === 'tls'
  return serverNames.length > 0 || (protocols.length > 0 && !sniffsHttp)
}

function compileAddresses({ address, additionalAddresses = [], tcpBacklogSize }: Listener): BindAddress[] {
  const backlog = tcpBacklogSize ? { backlog: tcpBacklogSize.value ?? 0 } : {}
  const all = [address, ...additionalAddresses.map((a) => a.address)].map((a): BindAddress => {
    const at = compileAddress(a)
    return 'path' in at
      ? { path: at.path, mode: a?.pipe?.mode || DEFAULT_PIPE_MODE, ...backlog }
      : { ...at, ipv6Only: a?.socketAddress?.ipv4Compat !== true, ...backlog }
  })
  return [...new Map(all.map((a) => [addressLabel(a), a])).values()]
}

function compileChain(chain: XdsChain, side: Side, refs: ListenerRefs): FilterChain {
  const match = chain.filterChainMatch
  const transport = match?.transportProtocol ?? ''
  if (transport !== '' && transport !== 'tls' && transport !== 'raw_buffer')
    throw new Error(`transport protocol ${transport} is not supported`)
  return {
    transport,
    protocols: match?.applicationProtocols ?? [],
    serverNames: (match?.serverNames ?? []).map((name) => name.toLowerCase()),
    tls: compileTls(chain),
    ...compileNetwork(chain, side, refs),
  }
}

function compileTls(chain: XdsChain): ChainTls | null {
  if (!chain.transportSocket) return null
  const config = typedConfigOf('transport socket', chain.transportSocket)
  if (config.typeUrl === EXTENSION.rawBuffer[0]) return null
  const tls = unpack(EXTENSION.downstreamTls, config)
  if (tls === undefined) throw new Error(`transport socket ${config.typeUrl} is not supported`)
  const requireClientCertificate = tls.requireClientCertificate?.value ?? false
  const files = compileFileTls(tls.commonTlsContext)
  if (files?.certificates.length === 0) throw new Error('a listener needs tls_certificates to serve with')
  if (files?.trustedCa === null && requireClientCertificate && !files.acceptUntrusted)
    throw new Error('require_client_certificate needs validation_context.trusted_ca')
  return { alpn: alpnOf(tls.commonTlsContext), requireClientCertificate, files }
}

function compileNetwork(
  chain: XdsChain,
  side: Side,
  refs: ListenerRefs,
): Pick<FilterChain, 'network' | 'maxConnections'> {
  const before: NetworkFilter[] = []
  let maxConnections = Infinity
  for (const filter of chain.filters ?? []) {
    const config = typedConfigOf('network filter', filter)
    const limit = unpack(EXTENSION.connectionLimit, config)
    if (limit !== undefined) {
      maxConnections = Math.min(maxConnections, limit.maxConnections?.value ?? 0)
      if (maxConnections === 0) throw new Error('max_connections must be 1 or more')
      continue
    }
    const manager = unpack(EXTENSION.httpConnectionManager, config)
    if (manager !== undefined) {
      if (before.length > 0) throw new Error('network filters before an HTTP connection manager are not supported')
      return { network: { kind: 'http', settings: compileManager(manager, side, refs) }, maxConnections }
    }
    const tcp = unpack(EXTENSION.tcpProxy, config)
    if (tcp !== undefined)
      return { network: { kind: 'tcp', settings: compileTcp(tcp, side.inbound, before, refs) }, maxConnections }
    const network = compileNetworkFilter(filter)
    if (network) before.push(network)
    if (network !== undefined) continue
    throw new Error(`network filter ${config.typeUrl ?? ''} is not supported`)
  }
  throw new Error('a filter chain has no network filter')
}

function compileManager(manager: Manager, side: Side, refs: ListenerRefs): HttpSettings {
  const rds = manager.rds?.routeConfigName ?? ''
  if (manager.useRemoteAddress?.value === true)
    throw new Error('not supported: x-forwarded-for goes on as it came (use_remote_address: false)')
  if (rds === '' && !manager.routeConfig) throw new Error('an HTTP connection manager has no routes')
  const { inbound, outbound } = side
  return {
    proxy: withLogs(refs, manager.accessLog ?? []),
    inbound,
    outbound,
    serverName: manager.serverName || (inbound ? 'istio-envoy' : 'envoy'),
    routes: rds === '' ? refs.inlineRoutes(manager.routeConfig ?? {}) : refs.routes(rds),
    filters: { list: compileHttpFilters(manager.httpFilters ?? []) },
    generateRequestId: manager.generateRequestId?.value ?? true,
    clientCert: clientCertOf(manager.forwardClientCertDetails ?? FORWARD.SANITIZE, inbound),
    forwardProxy: rds === HTTP_PROXY_ROUTE,
    idleTimeoutMs: durationMs(manager.commonHttpProtocolOptions?.idleTimeout, DEFAULT_IDLE_MS) || DEFAULT_IDLE_MS,
    headersTimeoutMs: durationMs(manager.requestHeadersTimeout, 0) || DEFAULT_HEADERS_MS,
    maxHeadBytes: (manager.maxRequestHeadersKb?.value ?? DEFAULT_MAX_HEAD_KB) * 1024,
    tracing: manager.tracing ? compileTracing(manager.tracing) : null,
    protocol: compileDownstream(manager, side.bufferLimitBytes()),
  }
}

/** Where nothing is said, all are sampled, as in Envoy. */
function compileTracing({ randomSampling, clientSampling, overallSampling }: Tracing): TraceSettings {
  const percent = (p: envoy.type.v3.Percent | null | undefined): number => p?.value ?? (p ? 0 : 100)
  return {
    randomSampling: percent(randomSampling),
    clientSampling: percent(clientSampling),
    overallSampling: percent(overallSampling),
  }
}

function clientCertOf(forward: number, inbound: boolean): HttpSettings['clientCert'] {
  if (forward === FORWARD.SANITIZE) return 'sanitize'
  if (forward !== FORWARD.SANITIZE_SET && forward !== FORWARD.APPEND_FORWARD)
    throw new Error(
      'only SANITIZE, SANITIZE_SET and APPEND_FORWARD are supported: others would let a caller name itself',
    )
  if (!inbound) throw new Error('callers are told of by inbound listeners only: traffic_direction: INBOUND')
  return forward === FORWARD.SANITIZE_SET ? 'set' : 'append'
}

function withLogs(refs: ListenerRefs, logs: readonly envoy.config.accesslog.v3.AccessLog[]): ProxyContext {
  const specs = logs.map((log): LogSpec => {
    const config = typedConfigOf('access log', log)
    const file = unpack(EXTENSION.fileAccessLog, config)
    const stdout = unpack(EXTENSION.stdoutAccessLog, config)
    const path = file?.path ?? (stdout ? STDOUT : '')
    if (path === '') throw new Error(`access log ${config.typeUrl ?? ''} is not supported, or has no path`)
    const putLine = compileFormat((file ?? stdout)?.logFormat)
    return { file: path === STDOUT ? '-' : path, ...(putLine === undefined ? {} : { putLine }) }
  })
  return specs.length === 0 ? refs.proxy : { ...refs.proxy, telemetry: refs.telemetry(specs) }
}

function compileFormat(format: envoy.config.core.v3.SubstitutionFormatString | null | undefined): PutLine | undefined {
  if (format?.jsonFormat) return compileJsonFormat(format.jsonFormat)
  const text = format?.textFormatSource
  if (!text) return undefined
  if (typeof text.inlineString !== 'string') throw new Error('a format needs an inline_string')
  return compileTextFormat(text.inlineString)
}

function compileTcp(
  tcp: XdsTcpProxy,
  inbound: boolean,
  filters: readonly NetworkFilter[],
  refs: ListenerRefs,
): TcpSettings {
  const weighted = tcp.weightedClusters?.clusters ?? []
  return {
    proxy: withLogs(refs, tcp.accessLog ?? []),
    inbound,
    filters: { list: filters },
    ...weightClusters(refs.clusters, weighted, ({ weight }) => weight ?? 0, tcp.cluster ?? ''),
    idleTimeoutMs: durationMs(tcp.idleTimeout, DEFAULT_IDLE_MS),
  }
}
