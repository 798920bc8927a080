/** Listener filters, and the two network filters that end a chain: HTTP connection manager and TCP proxy. Pure. */
import type { Codec, envoy } from '../../xds/generated/xds.js'
import { EXTENSION, pack } from '../../xds/type-urls.ts'
import type { Weighted } from './destination.ts'
import { FROM_PROGRAM, FROM_STRANGER, OVER_LINK } from './http-limits.ts'
import { ADS_SOURCE, duration, type Filter, type Listener, type RouteConfiguration } from './resource.ts'

type ListenerFilter = NonNullable<Listener['listenerFilters']>[number]
type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter
type RbacRules = envoy.config.rbac.v3.RBAC

const listenerFilter = (name: string, extension: readonly [string, Codec<object>]): ListenerFilter => ({
  name: `envoy.filters.listener.${name}`,
  typedConfig: pack(extension, {}),
})

export const PROXY_PROTOCOL = listenerFilter('proxy_protocol', EXTENSION.proxyProtocol)
export const ORIGINAL_DST = listenerFilter('original_dst', EXTENSION.originalDst)
export const TLS_INSPECTOR = listenerFilter('tls_inspector', EXTENSION.tlsInspector)
export const HTTP_INSPECTOR = listenerFilter('http_inspector', EXTENSION.httpInspector)

/**
 * A client that says nothing for this long waits for the server to speak first: then the connection goes on as
 * opaque TCP. Istio waits for ever, unless told otherwise, and such connections hang.
 */
export const INSPECTION_TIMEOUT: Pick<Listener, 'listenerFiltersTimeout' | 'continueOnListenerFiltersTimeout'> = {
  listenerFiltersTimeout: duration(5000),
  continueOnListenerFiltersTimeout: true,
}

/** What http_inspector calls HTTP; `h2c` begins with the preface of HTTP/2. */
export const PLAINTEXT_HTTP = ['http/1.0', 'http/1.1', 'h2c']

const HTTP_FILTERS = [{ name: 'envoy.filters.http.router', typedConfig: pack(EXTENSION.router, {}) }]
const HCM = 'envoy.filters.network.http_connection_manager'

/** Trace headers on each request; of the traces that begin here, as many are sampled as Istio has by default. */
const TRACING = { randomSampling: { value: 1 } }

/** A client's side: routes come from RDS. */
export function outboundHttp(statPrefix: string, routeConfigName: string): Filter {
  const typedConfig = pack(EXTENSION.httpConnectionManager, {
    statPrefix,
    rds: { configSource: ADS_SOURCE, routeConfigName },
    httpFilters: HTTP_FILTERS,
    serverName: 'envoy',
    ...FROM_PROGRAM,
    useRemoteAddress: { value: false },
    generateRequestId: { value: true },
    tracing: TRACING,
  })
  return { name: HCM, typedConfig }
}

/** A server's side: all requests go to the one application. The peer's identity is passed on where it is proven. */
export function inboundHttp(
  statPrefix: string,
  routeConfig: RouteConfiguration,
  mutualTls: boolean,
  access: readonly HttpFilter[],
): Filter {
  const typedConfig = pack(EXTENSION.httpConnectionManager, {
    statPrefix,
    routeConfig,
    httpFilters: [...access, ...HTTP_FILTERS],
    serverName: 'istio-envoy',
    ...(mutualTls ? OVER_LINK : FROM_STRANGER),
    useRemoteAddress: { value: false },
    generateRequestId: { value: true },
    tracing: TRACING,
    forwardClientCertDetails: mutualTls ? 2 : 0,
    ...(mutualTls ? { setCurrentClientCertDetails: { subject: { value: true }, dns: true, uri: true } } : {}),
  })
  return { name: HCM, typedConfig }
}

/** Who may send what; stands before the router. */
export function httpRbac(rules: RbacRules): HttpFilter {
  return { name: 'envoy.filters.http.rbac', typedConfig: pack(EXTENSION.httpRbac, { rules }) }
}

/** Who may connect; stands before the TCP proxy. */
export function networkRbac(rules: RbacRules): Filter {
  return { name: 'envoy.filters.network.rbac', typedConfig: pack(EXTENSION.networkRbac, { rules, statPrefix: 'tcp.' }) }
}

/** Opaque TCP to one cluster, or to several by weight per connection. */
export function tcpProxy(statPrefix: string, targets: readonly Weighted[]): Filter {
  const [first] = targets
  const to =
    targets.length > 1
      ? { weightedClusters: { clusters: targets.map(({ cluster, weight }) => ({ name: cluster, weight })) } }
      : { cluster: first?.cluster ?? '' }
  return { name: 'envoy.filters.network.tcp_proxy', typedConfig: pack(EXTENSION.tcpProxy, { statPrefix, ...to }) }
}

/** Route configuration of the gRPC library: it has no listener sockets and no filters but the router. */
export function proxylessHttp(routeConfigName: string): Filter['typedConfig'] {
  return pack(EXTENSION.httpConnectionManager, {
    rds: { configSource: ADS_SOURCE, routeConfigName },
    httpFilters: HTTP_FILTERS,
  })
}
