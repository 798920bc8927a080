/**
 * Listener to ListenerSpec. In: decoded xDS, cells of routes and clusters. Out: immutable values; throws an Error with
 * the reason for what cannot be honoured.
 */
import type { Clusters } from '../cluster/clusters.ts'
import { compileAddress, durationMs } from '../cluster/compile.ts'
import type { NetworkFilter } from '../filter/chain.ts'
import { compileHttpFilters, compileNetworkFilter } from '../filter/compile.ts'
import type { HttpSettings, ProxyContext, TcpSettings } from '../stream/context.ts'
import { compileHttp2 } from '../http2-limits.ts'
import type { RouteCell } from '../route/table.ts'
import { envoy } from '../../xds/generated/xds.js'
import { HTTP_PROXY_ROUTE } from '../../xds/names.ts'
import { EXTENSION, unpack } from '../../xds/type-urls.ts'
import { addressLabel } from '../pool/address.ts'
import type { BindAddress } from './binding.ts'
import type { ChainTls, FilterChain, ListenerSpec } from './filter-chain.ts'

type Listener = envoy.config.listener.v3.Listener
type XdsChain = envoy.config.listener.v3.FilterChain
type Manager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
type XdsTcpProxy = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy

/** What a compiled listener refers to. */
export interface ListenerRefs {
  proxy: ProxyContext
  clusters: Clusters
  /** The cell of a route configuration that RDS brings. */
  routes(name: string): RouteCell
  /** A cell for one that stands in the listener itself. */
  inlineRoutes(config: envoy.config.route.v3.RouteConfiguration): RouteCell
}

const TRAFFIC_INBOUND = envoy.config.core.v3.TrafficDirection.INBOUND
const { CodecType: CODEC } = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
const FORWARD =
  envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertDetails
const DEFAULT_IDLE_MS = 3_600_000
const DEFAULT_STREAM_IDLE_MS = 300_000
const DEFAULT_HEADERS_MS = 60_000
const DEFAULT_MAX_HEAD_KB = 60
const DEFAULT_INSPECT_MS = 10_000
const DEFAULT_PIPE_MODE = 0o600

export function compileListener(listener: Listener, refs: ListenerRefs): ListenerSpec {
  const name = listener.name ?? ''
  if (name === '') throw new Error('a listener needs a name')
  const inbound = listener.trafficDirection === TRAFFIC_INBOUND
  const filters = new Set((listener.listenerFilters ?? []).map((f) => f.typedConfig?.typeUrl ?? ''))
  const chain = (c: XdsChain): FilterChain => compileChain(c, inbound, refs)
  const chains = (listener.filterChains ?? []).map(chain)
  const defaultChain = listener.defaultFilterChain ? chain(listener.defaultFilterChain) : null
  if (chains.length === 0 && defaultChain === null) throw new Error(`listener ${name} has no filter chain`)
  return {
    name,
    addresses: compileAddresses(listener),
    bind: listener.bindToPort?.value ?? true,
    inbound,
    proxyHeader: filters.has(EXTENSION.proxyProtocol[0]),
    useOriginalDst: listener.useOriginalDst?.value === true,
    inspection: {
      tls: filters.has(EXTENSION.tlsInspector[0]),
      http: filters.has(EXTENSION.httpInspector[0]),
      timeoutMs: durationMs(listener.listenerFiltersTimeout, DEFAULT_INSPECT_MS) || DEFAULT_INSPECT_MS,
    },
    chains,
    defaultChain,
  }
}

function compileAddresses({ address, additionalAddresses = [] }: Listener): BindAddress[] {
  const all = [address, ...additionalAddresses.map((a) => a.address)].map((a): BindAddress => {
    const at = compileAddress(a)
    return 'path' in at
      ? { path: at.path, mode: a?.pipe?.mode || DEFAULT_PIPE_MODE }
      : { ...at, ipv6Only: a?.socketAddress?.ipv4Compat !== true }
  })
  return [...new Map(all.map((a) => [addressLabel(a), a])).values()]
}

function compileChain(chain: XdsChain, inbound: boolean, refs: ListenerRefs): FilterChain {
  const match = chain.filterChainMatch
  const transport = match?.transportProtocol ?? ''
  if (transport !== '' && transport !== 'tls' && transport !== 'raw_buffer')
    throw new Error(`transport protocol ${transport} is not supported`)
  return {
    transport,
    protocols: match?.applicationProtocols ?? [],
    serverNames: match?.serverNames ?? [],
    tls: compileTls(chain),
    network: compileNetwork(chain, inbound, refs),
  }
}

function compileTls(chain: XdsChain): ChainTls | null {
  const config = chain.transportSocket?.typedConfig
  if (config === null || config === undefined || config.typeUrl === EXTENSION.rawBuffer[0]) return null
  const tls = unpack(EXTENSION.downstreamTls, config)
  if (tls === undefined) throw new Error(`transport socket ${config.typeUrl} is not supported`)
  return {
    alpn: tls.commonTlsContext?.alpnProtocols ?? [],
    requireClientCertificate: tls.requireClientCertificate?.value ?? false,
  }
}

function compileNetwork(chain: XdsChain, inbound: boolean, refs: ListenerRefs): FilterChain['network'] {
  const before: NetworkFilter[] = []
  for (const filter of chain.filters ?? []) {
    const manager = unpack(EXTENSION.httpConnectionManager, filter.typedConfig)
    if (manager !== undefined) {
      if (before.length > 0) throw new Error('network filters before an HTTP connection manager are not supported')
      return { kind: 'http', settings: compileManager(manager, inbound, refs) }
    }
    const tcp = unpack(EXTENSION.tcpProxy, filter.typedConfig)
    if (tcp !== undefined) return { kind: 'tcp', settings: compileTcp(tcp, inbound, before, refs) }
    const network = compileNetworkFilter(filter)
    if (network) before.push(network)
    if (network !== undefined) continue
    throw new Error(`network filter ${filter.typedConfig?.typeUrl ?? filter.name ?? ''} is not supported`)
  }
  throw new Error('a filter chain has no network filter')
}

function compileManager(manager: Manager, inbound: boolean, refs: ListenerRefs): HttpSettings {
  const rds = manager.rds?.routeConfigName ?? ''
  if (rds === '' && !manager.routeConfig) throw new Error('an HTTP connection manager has no routes')
  const maxHeadBytes = (manager.maxRequestHeadersKb?.value ?? DEFAULT_MAX_HEAD_KB) * 1024
  const forward = manager.forwardClientCertDetails
  return {
    proxy: refs.proxy,
    inbound,
    serverName: manager.serverName || (inbound ? 'istio-envoy' : 'envoy'),
    routes: rds === '' ? refs.inlineRoutes(manager.routeConfig ?? {}) : refs.routes(rds),
    filters: { list: compileHttpFilters(manager.httpFilters ?? []) },
    generateRequestId: manager.generateRequestId?.value ?? true,
    clientCert: forward === FORWARD.SANITIZE_SET ? 'set' : forward === FORWARD.APPEND_FORWARD ? 'append' : 'sanitize',
    forwardProxy: rds === HTTP_PROXY_ROUTE,
    idleTimeoutMs: durationMs(manager.commonHttpProtocolOptions?.idleTimeout, DEFAULT_IDLE_MS) || DEFAULT_IDLE_MS,
    codec: manager.codecType === CODEC.HTTP1 ? 'http1' : manager.codecType === CODEC.HTTP2 ? 'http2' : 'auto',
    http2: { maxHeaderListBytes: maxHeadBytes, ...compileHttp2(manager.http2ProtocolOptions) },
    streamIdleTimeoutMs: durationMs(manager.streamIdleTimeout, DEFAULT_STREAM_IDLE_MS),
    headersTimeoutMs: durationMs(manager.requestHeadersTimeout, 0) || DEFAULT_HEADERS_MS,
    maxHeadBytes,
  }
}

function compileTcp(
  tcp: XdsTcpProxy,
  inbound: boolean,
  filters: readonly NetworkFilter[],
  refs: ListenerRefs,
): TcpSettings {
  const weighted = (tcp.weightedClusters?.clusters ?? []).filter((c) => (c.weight ?? 0) > 0)
  const names: string[] = weighted.length > 0 ? weighted.map((c) => c.name ?? '') : [tcp.cluster ?? '']
  if (names.includes('')) throw new Error('a TCP proxy names no cluster')
  let sum = 0
  return {
    proxy: refs.proxy,
    inbound,
    filters: { list: filters },
    clusters: names.map((name) => refs.clusters.cell(name)),
    upTo: weighted.length > 0 ? weighted.map((c) => (sum += c.weight ?? 0)) : [1],
    idleTimeoutMs: durationMs(tcp.idleTimeout, DEFAULT_IDLE_MS),
  }
}
