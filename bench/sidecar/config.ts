/**
 * Bootstrap files in Envoy's published format (JSON, which is YAML too) for one hop or for a pair. In: ports, features.
 * Out: an object to be written. Envoy, where it is on PATH, gets the same ones.
 */
import { spiffeIdOf } from '../system/certificates.ts'
import type { Features } from './features.ts'

type Json = Record<string, unknown>

/** Of the connections between the two of a pair. */
export type LinkKind = 'plain' | 'mtls-http1' | 'mtls-http2'

export interface Way {
  port: number
  nextPort: number
}

export interface HopSpec {
  name: string
  features: Features
  http: Way
  tcp: Way
  /** Of the link: which side of it this hop is, if any. */
  accepts?: { link: LinkKind; certificates: string }
  dials?: { link: LinkKind; certificates: string }
  /** The application speaks HTTP/2 only. */
  appIsHttp2?: boolean
  accessLogFile: string
}

export const HOST = 'echo'

export function bootstrapOf(hop: HopSpec): Json {
  return {
    node: { id: hop.name, cluster: 'bench' },
    static_resources: {
      listeners: [
        listener('http', hop.http.port, connectionManager(hop), hop.accepts),
        listener('tcp', hop.tcp.port, tcpProxy(), hop.accepts),
      ],
      clusters: [
        cluster('next', hop.http.nextPort, hop, speaksHttp2(hop)),
        cluster('next_tcp', hop.tcp.nextPort, hop, false),
      ],
    },
  }
}

function speaksHttp2({ dials, appIsHttp2 = false }: HopSpec): boolean {
  return dials === undefined ? appIsHttp2 : dials.link === 'mtls-http2'
}

function listener(name: string, port: number, filter: Json, accepts: HopSpec['accepts']): Json {
  const tls =
    accepts === undefined || accepts.link === 'plain'
      ? {}
      : {
          transport_socket: transportSocket('DownstreamTlsContext', {
            require_client_certificate: true,
            common_tls_context: tlsContext('back', 'front', accepts),
          }),
        }
  const traffic_direction = accepts === undefined ? 'OUTBOUND' : 'INBOUND'
  return { name, traffic_direction, address: address(port), filter_chains: [{ filters: [filter], ...tls }] }
}

function connectionManager({ name, features, accepts, accessLogFile }: HopSpec): Json {
  return typed('envoy.filters.network.http_connection_manager', 'filters.network.http_connection_manager.v3', {
    '@type': 'HttpConnectionManager',
    stat_prefix: name,
    codec_type: 'AUTO',
    generate_request_id: features.tracing,
    ...(features.tracing ? { tracing: {} } : {}),
    ...(features.routes ? { stream_idle_timeout: '300s' } : {}),
    route_config: { name: 'routes', virtual_hosts: features.routes ? manyHosts() : [virtualHost('all', ['*'], [])] },
    ...(features.accessLog ? { access_log: [accessLog(accessLogFile)] } : {}),
    http_filters: [
      ...(features.policy && accepts !== undefined ? [policy()] : []),
      typed('envoy.filters.http.router', 'filters.http.router.v3', { '@type': 'Router' }),
    ],
  })
}

function tcpProxy(): Json {
  const config = { '@type': 'TcpProxy', stat_prefix: 'tcp', cluster: 'next_tcp' }
  return typed('envoy.filters.network.tcp_proxy', 'filters.network.tcp_proxy.v3', config)
}

function accessLog(path: string): Json {
  return typed('envoy.access_loggers.file', 'access_loggers.file.v3', { '@type': 'FileAccessLog', path })
}

/** As translation makes them of AuthorizationPolicies: two that say nothing of this request, and one that allows it. */
function policy(): Json {
  const rule = (caller: string, prefix: string): Json => ({
    permissions: [{ and_rules: { rules: [{ url_path: { path: { prefix } } }] } }],
    principals: [{ and_ids: { ids: [{ authenticated: { principal_name: { exact: spiffeIdOf(caller) } } }] } }],
  })
  const policies = {
    'a-admin': rule('admin', '/admin'),
    'b-batch': rule('batch', '/batch'),
    'c-front': rule('front', '/'),
  }
  return typed('envoy.filters.http.rbac', 'filters.http.rbac.v3', {
    '@type': 'RBAC',
    rules: { action: 'ALLOW', policies },
  })
}

function manyHosts(): Json[] {
  const others = Array.from({ length: 7 }, (_, i) => `service-${i}`)
  const prefixes = Array.from({ length: 12 }, (_, i) => `/api/v1/section-${i}/`)
  return [
    ...others.map((host) => virtualHost(host, [host, `${host}:8080`], [])),
    virtualHost(HOST, [HOST, `${HOST}:8080`], prefixes),
  ]
}

function virtualHost(name: string, domains: readonly string[], before: readonly string[]): Json {
  const timeout = domains[0] === '*' ? '0s' : '15s'
  const route = (prefix: string): Json => ({ match: { prefix }, route: { cluster: 'next', timeout } })
  return { name, domains, routes: [...before, '/'].map(route) }
}

function cluster(name: string, port: number, { dials }: HopSpec, http2: boolean): Json {
  const tls =
    dials === undefined || dials.link === 'plain'
      ? {}
      : {
          transport_socket: transportSocket('UpstreamTlsContext', {
            sni: 'back',
            common_tls_context: tlsContext('front', 'back', dials),
          }),
        }
  return {
    name,
    type: 'STATIC',
    connect_timeout: '10s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...(http2 ? http2Options() : {}),
    ...tls,
  }
}

function http2Options(): Json {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const config = {
    '@type': `type.googleapis.com/${name}`,
    explicit_http_config: { http2_protocol_options: {} },
  }
  return { typed_extension_protocol_options: { [name]: config } }
}

/** Both sides show a certificate and check the other's chain and SPIFFE ID. */
function tlsContext(own: string, peer: string, { link, certificates }: { link: LinkKind; certificates: string }): Json {
  return {
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_3',
      tls_maximum_protocol_version: 'TLSv1_3',
      cipher_suites: ['TLS_AES_128_GCM_SHA256'],
      ecdh_curves: ['P-256'],
    },
    alpn_protocols: [link === 'mtls-http2' ? 'h2' : 'http/1.1'],
    tls_certificates: [
      {
        certificate_chain: { filename: `${certificates}/${own}.pem` },
        private_key: { filename: `${certificates}/${own}.key` },
      },
    ],
    validation_context: {
      trusted_ca: { filename: `${certificates}/ca.pem` },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: spiffeIdOf(peer) } }],
    },
  }
}

function transportSocket(type: 'UpstreamTlsContext' | 'DownstreamTlsContext', config: Json): Json {
  return typed('envoy.transport_sockets.tls', 'transport_sockets.tls.v3', { '@type': type, ...config })
}

function typed(name: string, area: string, config: Json & { '@type': string }): Json {
  const url = `type.googleapis.com/envoy.extensions.${area}.${config['@type']}`
  return { name, typed_config: { ...config, '@type': url } }
}

function address(port: number): Json {
  return { socket_address: { address: '127.0.0.1', port_value: port } }
}
