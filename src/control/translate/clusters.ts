/**
 * CDS: outbound clusters for one client, one per service port and subset, and the two that lead out of the mesh or
 * nowhere. In: Services, identities behind them, DestinationRules. Source: Istio 1.30, pilot/pkg/networking/core/cluster.go.
 */
import { parseDurationMs } from '../../config/values.ts'
import { envoy } from '../../xds/generated/xds.js'
import { BLACK_HOLE_CLUSTER, clusterName, clusterSni, PASSTHROUGH_CLUSTER } from '../../xds/names.ts'
import type { Backends } from './backends.ts'
import { effectivePolicy, type DestinationRules } from './destination-rule.ts'
import { ContentCache } from './memo.ts'
import { ADS_SOURCE, duration, struct, toResource, type Cluster, type Resources } from './resource.ts'
import type { Resource, Service, ServicePort } from './snapshot.ts'
import type { ClientTls, ConnectionPool, TrafficBlocks } from './spec.ts'
import {
  autoUpstream,
  meshUpstream,
  RAW_BUFFER,
  withProxyHeader,
  type TransportSocket,
  type UpstreamTls,
} from './tls.ts'
import { httpOptions, offeredAlpn, outboundVersion, portHttpOptions } from './upstream-http.ts'

const CONNECT_TIMEOUT_MS = 10_000
const UNLIMITED = 0xffff_ffff

const { DiscoveryType: CLUSTER_TYPE, LbPolicy: LB_POLICY } = envoy.config.cluster.v3.Cluster

/** Connections that no Service is for go where their caller meant them to go. */
export const PASSTHROUGH = toResource('CDS', PASSTHROUGH_CLUSTER, {
  name: PASSTHROUGH_CLUSTER,
  type: CLUSTER_TYPE.ORIGINAL_DST,
  lbPolicy: LB_POLICY.CLUSTER_PROVIDED,
  connectTimeout: duration(CONNECT_TIMEOUT_MS),
  ...httpOptions('client'),
})

export const BLACK_HOLE = toResource('CDS', BLACK_HOLE_CLUSTER, {
  name: BLACK_HOLE_CLUSTER,
  type: CLUSTER_TYPE.STATIC,
  connectTimeout: duration(CONNECT_TIMEOUT_MS),
})

export interface ClusterContext {
  services: readonly Service[]
  backends: Backends
  rules: DestinationRules
  trustDomain: string
  /** For the gRPC library: plain connections, and the load balancing that every version of it knows. */
  proxyless: boolean
  /** Endpoints are UNIX sockets, which take a PROXY header first. */
  pipes: boolean
}

const made = new ContentCache<Resource>()

export function clusterResources(context: ClusterContext): Resources {
  const resources = new Map<string, Resource>()
  for (const service of context.services) {
    const rule = context.rules.lookup(service)
    const identities = context.backends.get(service)?.identities ?? []
    for (const port of service.ports) {
      for (const subset of [undefined, ...(rule?.subsets ?? [])]) {
        const name = clusterName('outbound', port.port, subset?.name ?? '', service.host)
        const policy = effectivePolicy(rule, port.port, subset)
        const { trustDomain, proxyless, pipes } = context
        const content = JSON.stringify([policy, identities, trustDomain, proxyless, pipes])
        const make = (): Resource => {
          const serverIds = identities.map((path) => `spiffe://${trustDomain}/${path}`)
          const cluster = proxyless
            ? proxylessCluster(name)
            : outboundCluster(service, port, subset?.name ?? '', policy, serverIds, pipes)
          return toResource('CDS', name, cluster)
        }
        resources.set(name, made.get(service, proxyless ? `grpc ${name}` : name, content, make))
      }
    }
  }
  return resources
}

function proxylessCluster(name: string): Cluster {
  return {
    name,
    type: CLUSTER_TYPE.EDS,
    edsClusterConfig: { edsConfig: ADS_SOURCE, serviceName: name },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    lbPolicy: LB_POLICY.ROUND_ROBIN,
  }
}

function outboundCluster(
  service: Service,
  port: ServicePort,
  subset: string,
  policy: TrafficBlocks,
  serverIds: readonly string[],
  pipes: boolean,
): Cluster {
  const { host, name: serviceName, namespace } = service
  const name = clusterName('outbound', port.port, subset, host)
  const { simple } = policy.loadBalancer ?? {}
  const { connectTimeout } = policy.connectionPool?.tcp ?? {}
  const mutualTls = policy.tls === undefined || policy.tls.mode === 'ISTIO_MUTUAL'
  const version = outboundVersion(port.protocol, policy.connectionPool?.http, mutualTls)
  const upstream: UpstreamTls = {
    sni: clusterSni(port.port, subset, host),
    alpn: offeredAlpn(port.protocol, version),
    serverIds,
  }
  return {
    name,
    ...discovery(name, simple),
    connectTimeout: duration(connectTimeout === undefined ? CONNECT_TIMEOUT_MS : parseDurationMs(connectTimeout)),
    ...poolLimits(policy.connectionPool),
    ...portHttpOptions(port.protocol, version, policy.connectionPool),
    ...transport(policy.tls, upstream, pipes ? withProxyHeader : bare),
    metadata: { filterMetadata: { istio: struct({ services: [{ host, name: serviceName, namespace }] }) } },
  }
}

function discovery(name: string, simple: string | undefined): Cluster {
  if (simple === 'PASSTHROUGH') return { type: CLUSTER_TYPE.ORIGINAL_DST, lbPolicy: LB_POLICY.CLUSTER_PROVIDED }
  const lbPolicy = simple === 'ROUND_ROBIN' || simple === 'RANDOM' ? LB_POLICY[simple] : LB_POLICY.LEAST_REQUEST
  return { type: CLUSTER_TYPE.EDS, edsClusterConfig: { edsConfig: ADS_SOURCE, serviceName: name }, lbPolicy }
}

const bare = (socket: TransportSocket): TransportSocket => socket

/** A `tls` block overrides automatic mutual TLS, whatever the server's mode is. SIMPLE and MUTUAL are not built: plain. */
function transport(tls: ClientTls | undefined, upstream: UpstreamTls, wrap: typeof withProxyHeader): Cluster {
  const plain = wrap(RAW_BUFFER)
  if (tls === undefined) return { transportSocketMatches: autoUpstream(wrap(meshUpstream(upstream)), plain) }
  if (tls.mode !== 'ISTIO_MUTUAL') return wrap === bare ? {} : { transportSocket: plain }
  const { subjectAltNames = [], sni = upstream.sni } = tls
  const serverIds = subjectAltNames.length > 0 ? subjectAltNames : upstream.serverIds
  return { transportSocket: wrap(meshUpstream({ ...upstream, serverIds, sni })) }
}

/** Istio's default is no limit at all, where Envoy's is 1024 of each. */
function poolLimits(pool: ConnectionPool | undefined): Cluster {
  const { tcp, http } = pool ?? {}
  const thresholds: envoy.config.cluster.v3.CircuitBreakers.Thresholds = {
    maxConnections: { value: tcp?.maxConnections ?? UNLIMITED },
    maxPendingRequests: { value: http?.http1MaxPendingRequests ?? UNLIMITED },
    maxRequests: { value: http?.http2MaxRequests ?? UNLIMITED },
    maxRetries: { value: http?.maxRetries ?? UNLIMITED },
  }
  return {
    circuitBreakers: { thresholds: [thresholds] },
    ...(tcp?.tcpKeepalive === undefined
      ? {}
      : { upstreamConnectionOptions: { tcpKeepalive: keepalive(tcp.tcpKeepalive) } }),
  }
}

type Keepalive = NonNullable<NonNullable<ConnectionPool['tcp']>['tcpKeepalive']>

function keepalive({ probes, time, interval }: Keepalive): envoy.config.core.v3.TcpKeepalive {
  const seconds = (text: string): { value: number } => ({ value: Math.round(parseDurationMs(text) / 1000) })
  return {
    ...(probes === undefined ? {} : { keepaliveProbes: { value: probes } }),
    ...(time === undefined ? {} : { keepaliveTime: seconds(time) }),
    ...(interval === undefined ? {} : { keepaliveInterval: seconds(interval) }),
  }
}
