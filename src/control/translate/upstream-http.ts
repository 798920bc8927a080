/**
 * Which HTTP a cluster's connections speak, as Envoy's HttpProtocolOptions. In: the port's protocol, the client's pool
 * settings. Out: the cluster's typed_extension_protocol_options. Pure.
 * Source: Istio 1.30, pilot/pkg/networking/core/cluster_builder.go (setUpstreamProtocol), cluster_traffic_policy.go.
 */
import type { Protocol } from '../../client/contract.ts'
import { parseDurationMs } from '../../config/values.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { ALPN_HTTP, ALPN_HTTP2, ALPN_LINK, ALPN_TCP } from '../../xds/names.ts'
import { EXTENSION, pack } from '../../xds/type-urls.ts'
import { UPSTREAM_HTTP2 } from './http-limits.ts'
import { HANDLING } from './protocols.ts'
import { duration, type Cluster } from './resource.ts'
import type { ConnectionPool, HttpPool } from './spec.ts'

type Options = envoy.extensions.upstreams.http.v3.HttpProtocolOptions

/**
 * `client`: what the client of each request spoke. `link`: to a sidecar what TLS agrees on, HTTP/2 first; HTTP/1.1 to
 * endpoints in plain text (Envoy's auto_config, which Envoy itself refuses where some endpoints are plain).
 */
export type HttpVersion = 'http1' | 'http2' | 'client' | 'link'

const NAME = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** Towards a Service's port. A port that is named for HTTP/2, or not at all, is not overruled, as in Istio. */
export function outboundVersion(protocol: Protocol, http: HttpPool | undefined, mutualTls: boolean): HttpVersion {
  const named = inboundVersion(protocol, http)
  if (named !== 'http1' || protocol !== 'http') return named
  const { h2UpgradePolicy = 'DEFAULT' } = http ?? {}
  if (h2UpgradePolicy === 'DEFAULT') return mutualTls ? 'link' : 'http1'
  return h2UpgradePolicy === 'UPGRADE' ? 'http2' : 'http1'
}

/** Towards the program itself. */
export function inboundVersion(protocol: Protocol, http: HttpPool | undefined): HttpVersion {
  if (protocol === 'http2' || protocol === 'grpc') return 'http2'
  if (protocol === 'auto') return 'client'
  return protocol === 'http' && http?.useClientProtocol === true ? 'client' : 'http1'
}

/** What is offered to a sidecar. Over a link with a choice the requests of both versions travel as what TLS agrees on. */
export function offeredAlpn(protocol: Protocol, version: HttpVersion): readonly string[] {
  if (HANDLING[protocol] === 'tcp') return ALPN_TCP
  if (version === 'http1') return ALPN_HTTP
  return version === 'http2' ? ALPN_HTTP2 : ALPN_LINK
}

/** Of a port for opaque TCP only what holds for its connections, if anything. */
export function portHttpOptions(protocol: Protocol, version: HttpVersion, pool: ConnectionPool | undefined): Cluster {
  const common = connectionLife(pool)
  if (HANDLING[protocol] === 'tcp' && common === undefined) return {}
  return httpOptions(version, pool?.http?.maxConcurrentStreams, common)
}

export function httpOptions(
  version: HttpVersion,
  maxStreams = 0,
  commonHttpProtocolOptions?: Options['commonHttpProtocolOptions'],
): Cluster {
  const http2ProtocolOptions = {
    ...UPSTREAM_HTTP2,
    ...(maxStreams === 0 ? {} : { maxConcurrentStreams: { value: maxStreams } }),
  }
  const options: Options = {
    ...(commonHttpProtocolOptions === undefined ? {} : { commonHttpProtocolOptions }),
    ...(version === 'http1' ? { explicitHttpConfig: { httpProtocolOptions: {} } } : {}),
    ...(version === 'http2' ? { explicitHttpConfig: { http2ProtocolOptions } } : {}),
    ...(version === 'client' ? { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions } } : {}),
    ...(version === 'link' ? { autoConfig: { httpProtocolOptions: {}, http2ProtocolOptions } } : {}),
  }
  return { typedExtensionProtocolOptions: { [NAME]: pack(EXTENSION.upstreamHttpOptions, options) } }
}

function connectionLife(pool: ConnectionPool | undefined): Options['commonHttpProtocolOptions'] | undefined {
  const { tcp, http } = pool ?? {}
  const idleTimeout = http?.idleTimeout ?? tcp?.idleTimeout
  const maxRequests = http?.maxRequestsPerConnection ?? 0
  const common = {
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(parseDurationMs(idleTimeout)) }),
    ...(tcp?.maxConnectionDuration === undefined
      ? {}
      : { maxConnectionDuration: duration(parseDurationMs(tcp.maxConnectionDuration)) }),
    ...(maxRequests === 0 ? {} : { maxRequestsPerConnection: { value: maxRequests } }),
  }
  return Object.keys(common).length === 0 ? undefined : common
}
