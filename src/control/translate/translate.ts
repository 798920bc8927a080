/**
 * From one snapshot and one proxy to all that this proxy is to have. Pure, and cheap when little changed: each step is
 * remembered by the parts of the snapshot that it reads (memo.ts), and what proxies of a namespace share is made once.
 *
 *   Services, pods ---> backends --+--> CDS (identities), EDS
 *   DestinationRules --------------+
 *   PeerAuthentications, MeshPolicies --> modes --> EDS (tlsMode), inbound LDS
 *   AuthorizationPolicies --> inbound LDS
 *   VirtualServices --> RDS, LDS (TCP)
 *   ConfigMap istio --> what lies beyond the mesh
 */
import type { Pod } from '../../client/contract.ts'
import { HTTP_PROXY_ROUTE } from '../../xds/names.ts'
import { MtlsModes } from './authn.ts'
import { AuthorizationPolicies } from './authz.ts'
import { backendsOf, usesPipes, type Backends } from './backends.ts'
import { clientOf, objectsOf, type Client } from './client.ts'
import { BLACK_HOLE, clusterResources, PASSTHROUGH } from './clusters.ts'
import type { OutboundContext } from './context.ts'
import type { ServicesByHost } from './destination.ts'
import { DestinationRules } from './destination-rule.ts'
import { egressResources } from './egress.ts'
import { endpointResources } from './endpoints.ts'
import { proxylessResources } from './grpc.ts'
import { isVisible } from './hosts.ts'
import { inboundResources } from './inbound.ts'
import { podListeners, sharedListeners, upstreamRoute } from './listeners.ts'
import { getOrMake, memo } from './memo.ts'
import { meshConfigOf, type MeshConfig } from './mesh-config.ts'
import { nameTable } from './names-table.ts'
import { plainInbound, plainOutbound } from './plain-proxy.ts'
import { HANDLING } from './protocols.ts'
import type { Resources } from './resource.ts'
import { RouteBuilder } from './routes.ts'
import type { ConfigObject, Proxy, ProxyResources, Resource, Service, Snapshot } from './snapshot.ts'
import { captureListener, passthroughByPipe } from './transparent.ts'
import { virtualServicesFor } from './virtual-service.ts'

type Objects = readonly ConfigObject[]
type Services = readonly Service[]

const NOTHING: ProxyResources = { CDS: new Map(), EDS: new Map(), LDS: new Map(), RDS: new Map(), NDS: new Map() }

/** A pod without a sidecar gets nothing, unless it is a gRPC client of its own, or has a plain proxy. */
export function translate(snapshot: Snapshot, proxy: Proxy): ProxyResources {
  if (proxy.grpc) return grpcResources(snapshot, proxy)
  if (proxy.pod.sidecar) return sidecarResources(snapshot, proxy)
  return proxy.pod.transparent === undefined ? NOTHING : plainProxyResources(snapshot, proxy)
}

/**
 * The gateway of mode `ns` has none of the listeners for Services: connections that leave the mesh are led by their
 * destination among all that it has, and would go back in under the gateway's identity.
 */
function sidecarResources(snapshot: Snapshot, proxy: Proxy): ProxyResources {
  const { pod } = proxy
  const { services } = snapshot
  const client = clientOf(snapshot, proxy)
  const config = configOf(snapshot)
  const view = outboundView(services, objectsOf(snapshot, 'VirtualService'), client, config)
  const modes = modesOf(snapshot)
  const inbound = inboundOf(pod, services, modes, authorizationOf(snapshot), rulesOf(snapshot, client))
  const egress = pod.egressPipe === undefined ? NOTHING : egressResources(pod, snapshot.pods, config)
  const own =
    pod.transparent === undefined
      ? podListeners(pod, view.context, config)
      : captureListener(pod, view.context.services, config.allowAny)
  return {
    CDS: joined(clustersOf(snapshot, client, false), inbound.CDS, egress.CDS, wayOut(pod, config)),
    EDS: endpointsOf(snapshot, client, modes, false),
    LDS: joined(egress === NOTHING ? view.listeners : NOTHING.LDS, inbound.LDS, own, egress.LDS),
    RDS: joined(view.portRoutes, upstreamRoutes(pod, view)),
    NDS: view.names,
  }
}

function plainProxyResources(snapshot: Snapshot, proxy: Proxy): ProxyResources {
  const { pod } = proxy
  const client = clientOf(snapshot, proxy)
  const config = configOf(snapshot)
  const { context, names } = outboundView(snapshot.services, objectsOf(snapshot, 'VirtualService'), client, config)
  const outbound = plainOutbound(context.services)
  const inbound = plainInbound(pod)
  return {
    ...NOTHING,
    CDS: joined(outbound.CDS, inbound.CDS, wayOut(pod, config), new Map([[BLACK_HOLE.name, BLACK_HOLE]])),
    EDS: endpointsOf(snapshot, client, modesOf(snapshot), false),
    LDS: joined(outbound.LDS, inbound.LDS, captureListener(pod, context.services, config.allowAny)),
    NDS: names,
  }
}

function configOf(snapshot: Snapshot): MeshConfig {
  return meshConfigOf(objectsOf(snapshot, 'ConfigMap'))
}

/** A pod of its own network has none where nothing may leave the mesh: its DNS then knows no names beyond either. */
function wayOut({ transparent }: Pod, { allowAny }: MeshConfig): Resources {
  if (transparent !== undefined && !allowAny) return new Map()
  const passthrough = transparent === undefined ? PASSTHROUGH : passthroughByPipe(transparent)
  return new Map([[passthrough.name, passthrough]])
}

function grpcResources(snapshot: Snapshot, proxy: Proxy): ProxyResources {
  const client = clientOf(snapshot, proxy)
  const virtualServices = objectsOf(snapshot, 'VirtualService')
  const { context, routes } = outboundView(snapshot.services, virtualServices, client, configOf(snapshot))
  return {
    ...NOTHING,
    ...proxylessResources(context.services, client.namespace, routes),
    CDS: clustersOf(snapshot, client, true),
    EDS: endpointsOf(snapshot, client, modesOf(snapshot), true),
  }
}

// ---- shared by the proxies of a client --------------------------------------------------------------------------

interface OutboundView {
  context: OutboundContext
  routes: RouteBuilder
  portRoutes: Resources
  listeners: Resources
  names: Resources
}

const viewsOf = memo((_services: Services, _virtualServices: Objects) => new Map<string, OutboundView>())

function outboundView(services: Services, virtualServices: Objects, client: Client, config: MeshConfig): OutboundView {
  return getOrMake(viewsOf(services, virtualServices), `${client.key} ${config.allowAny}`, () => {
    const visible = visibleServices(services, client.namespace)
    const byHost: ServicesByHost = new Map(visible.map((s) => [s.host, s]))
    const context = { client, services: visible, byHost, virtualServices: virtualServicesFor(virtualServices, client) }
    const routes = new RouteBuilder(services, context, config)
    return {
      context,
      routes,
      portRoutes: portRoutes(visible, routes),
      listeners: sharedListeners(context, config),
      names: namesOf(services, client.namespace),
    }
  })
}

function portRoutes(services: Services, routes: RouteBuilder): Resources {
  const resources = new Map<string, Resource>([[HTTP_PROXY_ROUTE, routes.forProxyPort()]])
  for (const service of services) {
    for (const { port, protocol } of service.ports) {
      if (HANDLING[protocol] !== 'tcp') getOrMake(resources, String(port), () => routes.forPort(port))
    }
  }
  return resources
}

const nameTables = memo((_services: Services) => new Map<string, Resources>())

function namesOf(services: Services, namespace: string): Resources {
  return getOrMake(nameTables(services), namespace, () => nameTable(visibleServices(services, namespace), namespace))
}

function visibleServices(services: Services, namespace: string): Services {
  return services.filter((s) => isVisible(s.exportTo, s.namespace, namespace))
}

const clusterViews = memo((_backends: Backends, _rules: Objects) => new Map<string, Resources>())

function clustersOf(snapshot: Snapshot, client: Client, proxyless: boolean): Resources {
  const { trustDomain } = snapshot
  const backends = backendsOf(snapshot.services, snapshot.pods)
  const pipes = !proxyless && usesPipes(snapshot.pods)
  const key = JSON.stringify([client.key, proxyless, pipes, trustDomain, snapshot.rootNamespace])
  return getOrMake(clusterViews(backends, objectsOf(snapshot, 'DestinationRule')), key, () => {
    const services = visibleServices(snapshot.services, client.namespace)
    const clusters = clusterResources({
      services,
      backends,
      rules: rulesOf(snapshot, client),
      trustDomain,
      proxyless,
      pipes,
    })
    return proxyless ? clusters : new Map([...clusters, [BLACK_HOLE.name, BLACK_HOLE]])
  })
}

const endpointViews = memo((_backends: Backends, _rules: Objects, _modes: MtlsModes) => new Map<string, Resources>())

function endpointsOf(snapshot: Snapshot, client: Client, modes: MtlsModes, proxyless: boolean): Resources {
  const backends = backendsOf(snapshot.services, snapshot.pods)
  const views = endpointViews(backends, objectsOf(snapshot, 'DestinationRule'), modes)
  return getOrMake(views, `${client.key} ${proxyless} ${snapshot.rootNamespace}`, () => {
    const services = visibleServices(snapshot.services, client.namespace)
    return endpointResources(services, backends, rulesOf(snapshot, client), modes, proxyless)
  })
}

const ruleViews = memo((_rules: Objects) => new Map<string, DestinationRules>())

export function rulesOf(snapshot: Snapshot, client: Client): DestinationRules {
  const objects = objectsOf(snapshot, 'DestinationRule')
  const { rootNamespace } = snapshot
  const make = (): DestinationRules => new DestinationRules(objects, client, rootNamespace)
  return getOrMake(ruleViews(objects), `${client.key} ${rootNamespace}`, make)
}

const modeViews = memo((_peerAuthentications: Objects, _meshPolicies: Objects) => new Map<string, MtlsModes>())

export function modesOf(snapshot: Snapshot): MtlsModes {
  const peers = objectsOf(snapshot, 'PeerAuthentication')
  const mesh = objectsOf(snapshot, 'MeshPolicy')
  const { rootNamespace } = snapshot
  return getOrMake(modeViews(peers, mesh), rootNamespace, () => new MtlsModes(peers, mesh, rootNamespace))
}

const policyViews = memo((_policies: Objects) => new Map<string, AuthorizationPolicies>())

export function authorizationOf(snapshot: Snapshot): AuthorizationPolicies {
  const objects = objectsOf(snapshot, 'AuthorizationPolicy')
  const { rootNamespace, trustDomain } = snapshot
  const make = (): AuthorizationPolicies => new AuthorizationPolicies(objects, rootNamespace, trustDomain)
  return getOrMake(policyViews(objects), `${rootNamespace} ${trustDomain}`, make)
}

// ---- of one proxy alone -----------------------------------------------------------------------------------------

type Policies = AuthorizationPolicies
type InboundSide = Pick<ProxyResources, 'CDS' | 'LDS'>

const inboundOf = memo(
  (
    pod: Pod,
    services: Services,
    modes: MtlsModes,
    authorization: Policies,
    destinations: DestinationRules,
  ): InboundSide => {
    const CDS = new Map<string, Resource>()
    const LDS = new Map<string, Resource>()
    for (const port of pod.ports) {
      const { cluster, listeners } = inboundResources(pod, port, services, { modes, authorization, destinations })
      CDS.set(cluster.name, cluster)
      for (const listener of listeners) LDS.set(listener.name, listener)
    }
    return { CDS, LDS }
  },
)

function upstreamRoutes(pod: Pod, { context, routes }: OutboundView): Resources {
  const resources = new Map<string, Resource>()
  for (const { host, port } of pod.outbound?.upstreams ?? []) {
    const service = context.byHost.get(host)
    const protocol = service?.ports.find((p) => p.port === port)?.protocol
    if (service === undefined || protocol === undefined || HANDLING[protocol] === 'tcp') continue
    const name = upstreamRoute(host, port)
    resources.set(name, routes.forService(name, service, port))
  }
  return resources
}

function joined(...maps: Resources[]): Resources {
  return new Map(maps.flatMap((map) => [...map]))
}
