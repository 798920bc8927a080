/**
 * Cluster and ClusterLoadAssignment to specs. In: decoded xDS. Out: immutable values; throws an Error with the reason
 * for a resource that cannot be honoured (the caller keeps its last good version).
 */
import { type Address, addressLabel } from '../pool/address.ts'
import { alpnOf, compileFileTls } from '../tls/files.ts'
import { UNKNOWN_WORKLOAD, type Workload } from '../workload.ts'
import { envoy, type google } from '../../xds/generated/xds.js'
import { ISTIO_METADATA, parseClusterName, PASSTHROUGH_CLUSTER, TRANSPORT_SOCKET_MATCH } from '../../xds/names.ts'
import { EXTENSION, typedConfigOf, unpack } from '../../xds/type-urls.ts'
import { durationMs } from './duration.ts'
import { compileUpstream } from './protocol.ts'
import type { ClusterSpec, EndpointSpec, LbPolicy, Transport, TransportMatch } from './spec.ts'

type Cluster = envoy.config.cluster.v3.Cluster
type Assignment = envoy.config.endpoint.v3.ClusterLoadAssignment
type SocketMatch = envoy.config.cluster.v3.Cluster.TransportSocketMatch
type TlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext

const { DiscoveryType: DISCOVERY, LbPolicy: POLICY, DnsLookupFamily: FAMILY } = envoy.config.cluster.v3.Cluster
const PROXY_V2 = envoy.config.core.v3.ProxyProtocolConfig.Version.V2
const RAW: Transport = { tls: null, proxyHeader: false }
const { RoutingPriority: PRIORITY } = envoy.config.core.v3
const UDP = envoy.config.core.v3.SocketAddress.Protocol.UDP
const HEALTH = envoy.config.core.v3.HealthStatus

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000

export function compileCluster(cluster: Cluster): ClusterSpec {
  const name = cluster.name ?? ''
  if (name === '') throw new Error('a cluster needs a name')
  const thresholds = cluster.circuitBreakers?.thresholds?.find(
    (t) => (t.priority ?? PRIORITY.DEFAULT) === PRIORITY.DEFAULT,
  )
  const options = unpack(
    EXTENSION.upstreamHttpOptions,
    cluster.typedExtensionProtocolOptions?.['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'],
  )
  const http = options?.commonHttpProtocolOptions
  const kind = kindOf(cluster)
  const protocol = compileUpstream(options, thresholds, cluster.perConnectionBufferLimitBytes?.value)
  const defaultTransport = withAlpn(compileTransport(cluster.transportSocket), protocol)
  const isRelay = kind === 'static' && name === PASSTHROUGH_CLUSTER && defaultTransport.proxyHeader
  return Object.freeze({
    name,
    kind,
    passthrough: kind === 'original_dst' ? 'direct' : isRelay ? 'relayed' : null,
    edsName: kind === 'eds' ? cluster.edsClusterConfig?.serviceName || name : '',
    connectTimeoutMs: durationMs(cluster.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    idleTimeoutMs: durationMs(http?.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS) || DEFAULT_IDLE_TIMEOUT_MS,
    maxRequestsPerConnection: http?.maxRequestsPerConnection?.value ?? 0,
    lbPolicy: lbPolicyOf(cluster),
    maxConnections: thresholds?.maxConnections?.value ?? Infinity,
    maxPending: thresholds?.maxPendingRequests?.value ?? Infinity,
    maxRequests: thresholds?.maxRequests?.value ?? Infinity,
    transports: (cluster.transportSocketMatches ?? []).map(compileMatch),
    defaultTransport,
    serviceHost: serviceHostOf(cluster),
    protocol,
    endpoints: kind === 'static' ? compileEndpoints(cluster.loadAssignment ?? {}, familyOf(cluster)) : [],
  } satisfies ClusterSpec)
}

/** With certificates from files, what HTTP/2 needs of ALPN need not be given (as in Envoy's auto_config). */
function withAlpn(transport: Transport, { codec }: ClusterSpec['protocol']): Transport {
  const { tls } = transport
  if (!tls?.files || tls.alpn.length > 0 || codec === 'http1') return transport
  return { ...transport, tls: Object.freeze({ ...tls, alpn: codec === 'http2' ? ['h2'] : ['h2', 'http/1.1'] }) }
}

function kindOf(cluster: Cluster): ClusterSpec['kind'] {
  switch (cluster.type ?? DISCOVERY.STATIC) {
    case DISCOVERY.EDS:
      return 'eds'
    case DISCOVERY.ORIGINAL_DST:
      return 'original_dst'
    case DISCOVERY.STATIC:
    case DISCOVERY.STRICT_DNS: // names are resolved when a connection is made
    case DISCOVERY.LOGICAL_DNS:
    default:
      return 'static'
  }
}

function lbPolicyOf(cluster: Cluster): LbPolicy {
  switch (cluster.lbPolicy ?? POLICY.ROUND_ROBIN) {
    case POLICY.ROUND_ROBIN:
    case POLICY.CLUSTER_PROVIDED:
      return 'round_robin'
    case POLICY.LEAST_REQUEST:
      return 'least_request'
    case POLICY.RANDOM:
      return 'random'
    case POLICY.RING_HASH:
    case POLICY.MAGLEV:
    case POLICY.LOAD_BALANCING_POLICY_CONFIG:
    default:
      throw new Error('this load balancing policy is not supported; there are ROUND_ROBIN, LEAST_REQUEST, RANDOM')
  }
}

function compileMatch(match: SocketMatch): TransportMatch {
  for (const [key, { stringValue }] of Object.entries(match.match?.fields ?? {}))
    if (typeof stringValue !== 'string')
      throw new Error(`${key} must be a text: endpoints are told apart by texts only`)
  return { labels: structLabels(match.match), transport: compileTransport(match.transportSocket) }
}

function compileTransport(socket: envoy.config.core.v3.TransportSocket | null | undefined): Transport {
  if (!socket) return RAW
  const config = typedConfigOf('transport socket', socket)
  if (config.typeUrl === EXTENSION.rawBuffer[0]) return RAW
  const proxied = unpack(EXTENSION.upstreamProxyProtocol, config)
  if (proxied !== undefined) {
    if (proxied.config?.version !== PROXY_V2) throw new Error('only version V2 of the PROXY protocol is supported')
    return { ...compileTransport(proxied.transportSocket), proxyHeader: true }
  }
  const tls = unpack(EXTENSION.upstreamTls, config)
  if (tls === undefined) throw new Error(`transport socket ${config.typeUrl} is not supported`)
  const common = tls.commonTlsContext
  const files = compileFileTls(common)
  if (files?.trustedCa === null && !files.acceptUntrusted)
    throw new Error(
      'without validation_context.trusted_ca anybody could answer (trust_chain_verification: ACCEPT_UNTRUSTED allows it)',
    )
  const target = { sni: tls.sni ?? '', alpn: alpnOf(common), allowedIds: allowedIds(common), files }
  return { tls: Object.freeze(target), proxyHeader: false }
}

interface CombinedContext {
  defaultValidationContext?: envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext | null
}

/** Exact SPIFFE IDs that may serve; `null`: no restriction but the trust domain. */
function allowedIds(common: TlsContext | null | undefined): ReadonlySet<string> | null {
  const combined = common?.combinedValidationContext as CombinedContext | null | undefined
  const matchers = combined?.defaultValidationContext?.matchTypedSubjectAltNames ?? []
  if (matchers.length === 0) return null
  return new Set(matchers.map((m) => m.matcher?.exact ?? '').filter((id) => id !== ''))
}

/** Host of the first service in Istio's cluster metadata, else the one in the cluster's name. */
function serviceHostOf(cluster: Cluster): string {
  const services = cluster.metadata?.filterMetadata?.[ISTIO_METADATA]?.fields?.['services']?.listValue?.values
  const host = services?.[0]?.structValue?.fields?.['host']?.stringValue
  return host ?? parseClusterName(cluster.name ?? '')?.host ?? ''
}

/** Addresses that a name may have; else whichever answers first is taken. */
function familyOf({ dnsLookupFamily }: Cluster): { family?: 4 | 6 } {
  switch (dnsLookupFamily ?? FAMILY.AUTO) {
    case FAMILY.V4_ONLY:
      return { family: 4 }
    case FAMILY.V6_ONLY:
      return { family: 6 }
    case FAMILY.V4_PREFERRED:
      throw new Error('V4_PREFERRED is not supported; there are AUTO, ALL, V4_ONLY, V6_ONLY')
    case FAMILY.AUTO:
    case FAMILY.ALL:
    default:
      return {}
  }
}

export function compileEndpoints(assignment: Assignment, family: { family?: 4 | 6 } = {}): EndpointSpec[] {
  const specs: EndpointSpec[] = []
  for (const locality of assignment.endpoints ?? []) {
    for (const entry of locality.lbEndpoints ?? []) {
      const address = { ...compileAddress(entry.endpoint?.address), ...family }
      const status = entry.healthStatus ?? HEALTH.UNKNOWN
      const metadata = entry.metadata?.filterMetadata
      specs.push({
        address,
        label: addressLabel(address),
        healthy: status === HEALTH.UNKNOWN || status === HEALTH.HEALTHY || status === HEALTH.DEGRADED,
        priority: locality.priority ?? 0,
        weight: entry.loadBalancingWeight?.value ?? 1,
        transportLabels: structLabels(metadata?.[TRANSPORT_SOCKET_MATCH]),
        workload: compileWorkload(metadata?.[ISTIO_METADATA]?.fields?.['workload']?.stringValue ?? undefined),
      })
    }
  }
  return specs
}

export function compileAddress(address: envoy.config.core.v3.Address | null | undefined): Address {
  const path = address?.pipe?.path
  if (path !== undefined && path !== '') return { path }
  const socket = address?.socketAddress
  if (socket?.address === undefined || socket.address === '') throw new Error('an address is missing')
  if (socket.protocol === UDP) throw new Error('UDP is not supported')
  const port = socket.portValue ?? 0
  if (port > 65_535) throw new Error(`there is no port ${port}`)
  return { host: socket.address, port }
}

function structLabels(struct: google.protobuf.Struct | null | undefined): Map<string, string> {
  const labels = new Map<string, string>()
  for (const [key, value] of Object.entries(struct?.fields ?? {})) labels.set(key, value.stringValue ?? '')
  return labels
}

/** `workload;namespace;canonical name;canonical revision;cluster`, as Istio's endpoint metadata has it. */
function compileWorkload(text: string | undefined): Workload {
  if (text === undefined) return UNKNOWN_WORKLOAD
  const [workload = '', namespace = '', service = '', revision = '', cluster = ''] = text.split(';')
  const known = (value: string): string => value || 'unknown'
  return Object.freeze({
    workload: known(workload),
    namespace: known(namespace),
    app: known(service),
    version: known(revision),
    canonicalService: known(service),
    canonicalRevision: known(revision),
    cluster: known(cluster),
  })
}
