/**
 * The two proxies of a chain, as Envoy's configuration would have them: a client's side car that speaks mutual TLS to a
 * server's. In: ports and limits. Out: plain objects in Envoy's published format, to be written as YAML.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { credential, spiffeId } from '../helpers/credentials.ts'

const TYPE = 'type.googleapis.com/envoy.'
const HTTP_ALPN = ['istio-h2', 'istio-http/1.1']
const TCP_ALPN = ['istio']

export interface ClientPorts {
  http: number
  tcp: number
  admin: number
  /** Of the servers' side cars. */
  serverHttp: readonly number[]
  serverTcp: number
}

export interface ServerPorts {
  http: number
  tcp: number
  /** Plaintext, for peers of any kind. */
  plain: number
  admin: number
  apps: readonly number[]
  tcpApp: number
}

export interface Limits {
  /** Of a route; 0: none. */
  timeoutMs?: number
  headersTimeoutMs?: number
  /** Requests under way at once to a cluster, and those that wait for a connection. */
  maxRequests?: number
  maxPending?: number
}

/** Files of a certificate for `account`, and of the root. */
export interface CertificateFiles {
  chain: string
  key: string
  roots: string
}

export function writeCertificate(folder: string, account: string): CertificateFiles {
  const { certChainPem, keyPem, rootsPem } = credential(account)
  const put = (kind: string, text: string): string => {
    const file = join(folder, `${account}-${kind}.pem`)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  return { chain: put('chain', certChainPem), key: put('key', keyPem), roots: put('roots', rootsPem) }
}

const socketAddress = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } })
const duration = (ms: number): string => `${ms / 1000}s`

function tlsContext(files: CertificateFiles, alpn: readonly string[], peer: string): object {
  return {
    alpn_protocols: alpn,
    tls_certificates: [{ certificate_chain: { filename: files.chain }, private_key: { filename: files.key } }],
    validation_context: {
      trusted_ca: { filename: files.roots },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: spiffeId(peer) } }],
    },
  }
}

const upstreamTls = (files: CertificateFiles, alpn: readonly string[]): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    sni: 'server.default.svc.cluster.local',
    common_tls_context: tlsContext(files, alpn, 'server'),
  },
})

const downstreamTls = (files: CertificateFiles, alpn: readonly string[]): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: tlsContext(files, alpn, 'client'),
  },
})

/** HTTP/2 where the other side agrees to it. */
const LINK = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
    auto_config: { http_protocol_options: {}, http2_protocol_options: { allow_connect: true } },
  },
}

function cluster(name: string, ports: readonly number[], limits: Limits, transport?: object): object {
  const { maxRequests, maxPending } = limits
  const threshold = {
    ...(maxRequests === undefined ? {} : { max_requests: maxRequests }),
    ...(maxPending === undefined ? {} : { max_pending_requests: maxPending }),
  }
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    lb_policy: 'LEAST_REQUEST',
    // as Istio has it: by default only three retries may be under way
    circuit_breakers: { thresholds: [{ max_retries: 4_294_967_295, ...threshold }] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: socketAddress(port) } })) }],
    },
    ...(transport === undefined ? {} : { transport_socket: transport }),
  }
}

/** GET may be sent again whatever happened, others only if they never left. */
function routes(name: string, target: string, limits: Limits): object {
  const retry = (on: string): object => ({
    retry_on: on,
    num_retries: 3,
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: { '@type': `${TYPE}extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate` },
      },
    ],
    host_selection_retry_max_attempts: 5,
  })
  const action = (on: string): object => ({
    cluster: target,
    timeout: duration(limits.timeoutMs ?? 0),
    retry_policy: retry(on),
  })
  return {
    name,
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            match: { prefix: '/', headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
            route: action('connect-failure,refused-stream,reset'),
          },
          { match: { prefix: '/' }, route: action('connect-failure,refused-stream') },
        ],
      },
    ],
  }
}

function httpFilters(name: string, target: string, limits: Limits): object[] {
  return [
    {
      name: 'envoy.filters.network.http_connection_manager',
      typed_config: {
        '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: name,
        http2_protocol_options: { allow_connect: true },
        upgrade_configs: [{ upgrade_type: 'websocket' }],
        http_protocol_options: { accept_http_10: true },
        ...(limits.headersTimeoutMs === undefined
          ? {}
          : { request_headers_timeout: duration(limits.headersTimeoutMs) }),
        route_config: routes(name, target, limits),
        http_filters: [
          {
            name: 'envoy.filters.http.router',
            typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
          },
        ],
      },
    },
  ]
}

const tcpFilters = (target: string): object[] => [
  {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: target,
      cluster: target,
    },
  },
]

const listener = (name: string, port: number, filters: object[], transport?: object): object => ({
  name,
  address: socketAddress(port),
  filter_chains: [{ filters, ...(transport === undefined ? {} : { transport_socket: transport }) }],
})

export function clientConfig(ports: ClientPorts, files: CertificateFiles, limits: Limits): object {
  return {
    node: { id: 'client', cluster: 'client' },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        { ...listener('http', ports.http, httpFilters('http', 'server', limits)), traffic_direction: 'OUTBOUND' },
        { ...listener('tcp', ports.tcp, tcpFilters('server-tcp')), traffic_direction: 'OUTBOUND' },
      ],
      clusters: [
        {
          ...cluster('server', ports.serverHttp, limits, upstreamTls(files, HTTP_ALPN)),
          typed_extension_protocol_options: LINK,
        },
        cluster('server-tcp', [ports.serverTcp], {}, upstreamTls(files, TCP_ALPN)),
      ],
    },
  }
}

export function serverConfig(ports: ServerPorts, files: CertificateFiles, limits: Limits): object {
  const inbound = httpFilters('inbound', 'app', limits)
  return {
    node: { id: 'server', cluster: 'server' },
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        { ...listener('http', ports.http, inbound, downstreamTls(files, HTTP_ALPN)), traffic_direction: 'INBOUND' },
        {
          ...listener('tcp', ports.tcp, tcpFilters('app-tcp'), downstreamTls(files, TCP_ALPN)),
          traffic_direction: 'INBOUND',
        },
        { ...listener('plain', ports.plain, inbound), traffic_direction: 'INBOUND' },
      ],
      clusters: [cluster('app', ports.apps, limits), cluster('app-tcp', [ports.tcpApp], {})],
    },
  }
}
