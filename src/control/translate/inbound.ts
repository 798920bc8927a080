/**
 * One pod's inbound side: a bound listener and a cluster per container port. Pure. Callers on this machine come through a
 * UNIX socket where the pod has one, whose connections begin with a PROXY header; in mode `env` a TCP port stands beside
 * it, for the gRPC library and for those without a sidecar.
 *
 *   PERMISSIVE  the mesh's TLS | plaintext | other TLS, which is the application's own
 *   STRICT      the mesh's TLS
 *   DISABLE     plaintext | other TLS
 *
 * Source: Istio 1.30, pilot/pkg/networking/core/listener_inbound.go.
 */
import type { Pod, PodPort, Protocol } from '../../client/contract.ts'
import { ALPN_MESH, clusterName } from '../../xds/names.ts'
import type { MtlsModes } from './authn.ts'
import { portAccess, type AuthorizationPolicies } from './authz.ts'
import { effectivePolicy, type DestinationRules } from './destination-rule.ts'
import {
  HTTP_INSPECTOR,
  httpRbac,
  inboundHttp,
  INSPECTION_TIMEOUT,
  networkRbac,
  PLAINTEXT_HTTP,
  PROXY_PROTOCOL,
  tcpProxy,
  TLS_INSPECTOR,
} from './filters.ts'
import { ContentCache } from './memo.ts'
import { HANDLING, type Handling } from './protocols.ts'
import {
  duration,
  pipe,
  socketAddress,
  struct,
  toResource,
  type Cluster,
  type FilterChain,
  type Listener,
} from './resource.ts'
import { podPortOf, selectsPod, type ConfigObject, type Resource, type Service } from './snapshot.ts'
import type { MtlsMode } from './spec.ts'
import { meshDownstream } from './tls.ts'
import { httpOptions, inboundVersion, type HttpVersion } from './upstream-http.ts'

const INBOUND = 1
const CONNECT_TIMEOUT_MS = 10_000

/** By what the peer says that it sends. */
const ALPN_MESH_HTTP = ['istio-h2', 'istio-http/1.1', 'istio-http/1.0']
const ALPN_MESH_TCP = ALPN_MESH.filter((protocol) => !ALPN_MESH_HTTP.includes(protocol))
/** In the server's order of preference: `h2` is the name that any client takes for HTTP/2. */
const ALPN_AGREED_HTTP = ['h2', ...ALPN_MESH_HTTP]

export interface Inbound {
  listeners: readonly Resource[]
  cluster: Resource
}

const made = new ContentCache<Inbound>()

/** Whom a pod lets in: by mutual TLS, and by policy; and how its own Services are talked to. */
export interface InboundRules {
  modes: MtlsModes
  authorization: AuthorizationPolicies
  destinations: DestinationRules
}

/** What the pod receives on `port`; `services` are those that anybody sees. */
export function inboundResources(
  pod: Pod,
  port: PodPort,
  services: readonly Service[],
  { modes, authorization, destinations }: InboundRules,
): Inbound {
  const behind = servicesAt(pod, port, services)
  const mode = modes.modeOf(pod, port.containerPort)
  const protocol = protocolOf(pod, port, behind)
  const handling = HANDLING[protocol]
  const version = handling === 'tcp' ? undefined : versionOf(pod, port, protocol, behind, destinations)
  const policies = authorization.of(pod)
  const named = policies.map(({ metadata, spec }) => [metadata.namespace, metadata.name, spec])
  const content = JSON.stringify([handling, version, mode, behind.map((s) => s.host), named])
  return made.get(pod, String(port.containerPort), content, () => {
    const cluster = inboundCluster(pod, port, behind, version)
    const chains = new InboundChains(port.containerPort, operationOf(port, behind), policies)
    const listeners = inboundListeners(pod, port, handling, mode, chains)
    return {
      cluster: toResource('CDS', cluster.name ?? '', cluster),
      listeners: listeners.map((listener) => toResource('LDS', listener.name ?? '', listener)),
    }
  })
}

/** Services that lead to the port, oldest first. */
export function servicesAt(pod: Pod, port: PodPort, services: readonly Service[]): Service[] {
  return services.filter((s) => selectsPod(s, pod) && s.ports.some((p) => podPortOf(p, pod) === port))
}

export function handlingOf(pod: Pod, port: PodPort, services: readonly Service[]): Handling {
  return HANDLING[protocolOf(pod, port, servicesAt(pod, port, services))]
}

/** As its oldest Service says; where there is none, as the first bytes say. */
function protocolOf(pod: Pod, port: PodPort, services: readonly Service[]): Protocol {
  return services[0]?.ports.find((p) => podPortOf(p, pod) === port)?.protocol ?? 'auto'
}

/** A client that keeps its protocol keeps it to the very program. */
function versionOf(
  pod: Pod,
  port: PodPort,
  protocol: Protocol,
  [service]: readonly Service[],
  destinations: DestinationRules,
): HttpVersion {
  const number = service?.ports.find((p) => podPortOf(p, pod) === port)?.port
  if (service === undefined || number === undefined) return inboundVersion(protocol, undefined)
  return inboundVersion(protocol, effectivePolicy(destinations.lookup(service), number).connectionPool?.http)
}

function operationOf(port: PodPort, [service]: readonly Service[]): string {
  return `${service?.host ?? 'inbound'}:${port.containerPort}/*`
}

function inboundCluster(
  pod: Pod,
  port: PodPort,
  services: readonly Service[],
  version: HttpVersion | undefined,
): Cluster {
  const name = clusterName('inbound', port.containerPort, '', '')
  const endpoint = { address: socketAddress(pod.address, port.appPort) }
  return {
    name,
    type: 0,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
    ...(version === undefined ? {} : httpOptions(version)),
    metadata: {
      filterMetadata: {
        istio: struct({ services: services.map((s) => ({ host: s.host, name: s.name, namespace: s.namespace })) }),
      },
    },
  }
}

function inboundListeners(
  pod: Pod,
  port: PodPort,
  handling: Handling,
  mode: MtlsMode,
  chains: InboundChains,
): Listener[] {
  const sniffsHttp = handling === 'sniff' && mode !== 'STRICT'
  const inspectors = sniffsHttp ? [TLS_INSPECTOR, HTTP_INSPECTOR] : [TLS_INSPECTOR]
  const filterChains = [
    ...(mode === 'DISABLE' ? [] : chains.mutualTls(handling)),
    ...(mode === 'STRICT' ? [] : [...chains.plaintext(handling), chains.otherTls()]),
  ]
  const name = `inbound_${pod.address}_${port.listenPort}`
  const common: Listener = { trafficDirection: INBOUND, ...(mode === 'STRICT' ? {} : INSPECTION_TIMEOUT), filterChains }
  const onPort: Listener = {
    name,
    address: socketAddress(pod.address, port.listenPort),
    listenerFilters: inspectors,
    ...common,
  }
  if (port.pipe === undefined) return [onPort]
  const isTransparent = pod.transparent !== undefined
  const onPipe: Listener = {
    name: isTransparent ? name : `${name}_pipe`,
    address: pipe(port.pipe),
    listenerFilters: [PROXY_PROTOCOL, ...inspectors],
    ...common,
  }
  return isTransparent ? [onPipe] : [onPort, onPipe]
}

/** The filter chains of one port. */
class InboundChains {
  readonly #cluster: string
  readonly #operation: string
  readonly #httpAccess: ReturnType<typeof httpRbac>[]
  readonly #tcpAccess: ReturnType<typeof networkRbac>[]

  constructor(containerPort: number, operation: string, policies: readonly ConfigObject[]) {
    this.#cluster = clusterName('inbound', containerPort, '', '')
    this.#operation = operation
    const access = (http: boolean) => portAccess(policies, { number: containerPort, http }).map(({ rules }) => rules)
    this.#httpAccess = access(true).map(httpRbac)
    this.#tcpAccess = access(false).map(networkRbac)
  }

  mutualTls(handling: Handling): FilterChain[] {
    if (handling === 'http') return [this.#mutualTls('http', ALPN_MESH, [...ALPN_AGREED_HTTP, 'istio'], true)]
    if (handling === 'tcp') return [this.#mutualTls('tcp', ALPN_MESH, ALPN_MESH_TCP, false)]
    return [
      this.#mutualTls('http', ALPN_MESH_HTTP, ALPN_AGREED_HTTP, true),
      this.#mutualTls('tcp', ALPN_MESH_TCP, ALPN_MESH_TCP, false),
    ]
  }

  plaintext(handling: Handling): FilterChain[] {
    const http = { name: 'plaintext-http', filters: [this.#http(false)] }
    const tcp = { name: 'plaintext-tcp', filters: this.#tcp() }
    const raw = { transportProtocol: 'raw_buffer' }
    if (handling === 'http') return [{ filterChainMatch: raw, ...http }]
    if (handling === 'tcp') return [{ filterChainMatch: raw, ...tcp }]
    return [
      { filterChainMatch: { ...raw, applicationProtocols: PLAINTEXT_HTTP }, ...http },
      { filterChainMatch: raw, ...tcp },
    ]
  }

  otherTls(): FilterChain {
    return { filterChainMatch: { transportProtocol: 'tls' }, name: 'application-tls', filters: this.#tcp() }
  }

  #mutualTls(name: string, match: readonly string[], alpn: readonly string[], http: boolean): FilterChain {
    return {
      filterChainMatch: { transportProtocol: 'tls', applicationProtocols: [...match] },
      name: `mutual-tls-${name}`,
      filters: http ? [this.#http(true)] : this.#tcp(),
      transportSocket: meshDownstream(alpn),
    }
  }

  #http(mutualTls: boolean): NonNullable<FilterChain['filters']>[number] {
    const route = {
      name: 'default',
      match: { prefix: '/' },
      route: { cluster: this.#cluster, timeout: duration(0), maxGrpcTimeout: duration(0) },
      decorator: { operation: this.#operation },
    }
    const virtualHosts = [{ name: `${this.#cluster}http`, domains: ['*'], routes: [route] }]
    return inboundHttp(this.#cluster, { name: this.#cluster, virtualHosts }, mutualTls, this.#httpAccess)
  }

  #tcp(): NonNullable<FilterChain['filters']> {
    return [...this.#tcpAccess, tcpProxy(this.#cluster, [{ cluster: this.#cluster, weight: 0 }])]
  }
}
