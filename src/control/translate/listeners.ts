/**
 * LDS, outbound side. In: Services and TCP rules, for one client (`sharedListeners`), and one pod's own ports
 * (`podListeners`). Only the pod's own ports are bound; the others are found by original destination: `VIP_8080` first,
 * then `0.0.0.0_8080`, else `virtualOutbound`. Source: Istio 1.30, pilot/pkg/networking/core/listener.go.
 */
import type { Pod, PodOutbound } from '../../client/contract.ts'
import {
  BLACK_HOLE_CLUSTER,
  clusterName,
  HTTP_PROXY_ROUTE,
  PASSTHROUGH_CLUSTER,
  VIRTUAL_OUTBOUND,
} from '../../xds/names.ts'
import type { OutboundContext } from './context.ts'
import {
  HTTP_INSPECTOR,
  INSPECTION_TIMEOUT,
  ORIGINAL_DST,
  outboundHttp,
  PLAINTEXT_HTTP,
  PROXY_PROTOCOL,
  tcpProxy,
  TLS_INSPECTOR,
} from './filters.ts'
import { l4Plan, type L4Plan } from './l4-plan.ts'
import { ContentCache, getOrMake, memo } from './memo.ts'
import type { MeshConfig } from './mesh-config.ts'
import { HANDLING } from './protocols.ts'
import { socketAddress, toResource, type Filter, type Listener, type Resources } from './resource.ts'
import type { Resource, Service, ServicePort } from './snapshot.ts'

const OUTBOUND = 2
const LOOPBACK = '127.0.0.1'
const ANY = '0.0.0.0'

type ListenerParts = Pick<
  Listener,
  | 'filterChains'
  | 'defaultFilterChain'
  | 'listenerFilters'
  | 'listenerFiltersTimeout'
  | 'continueOnListenerFiltersTimeout'
>

/** Unbound listeners, the same for all proxies of a client. */
export function sharedListeners(context: OutboundContext, config: MeshConfig): Resources {
  const resources = new Map<string, Resource>()
  for (const service of context.services) {
    for (const port of service.ports) {
      if (HANDLING[port.protocol] === 'http') {
        getOrMake(resources, `${ANY}_${port.port}`, () => anyAddressListener(port.port))
        continue
      }
      for (const address of [service.address, service.address6]) {
        const name = `${address}_${port.port}`
        const head = { ...listenerHead(name, address, port.port), bindToPort: { value: false } }
        const target = { service, port, routeName: String(port.port) }
        resources.set(name, serviceListener(service, head, target, context, config))
      }
    }
  }
  return resources
}

const anyAddressListeners = new Map<number, Resource>()

/** All Services with an HTTP port of this number; depends on nothing else. */
function anyAddressListener(port: number): Resource {
  return getOrMake(anyAddressListeners, port, () => {
    const name = `${ANY}_${port}`
    const filterChains = [{ filters: [httpFilter(name, String(port))] }]
    return toResource('LDS', name, { ...listenerHead(name, ANY, port), bindToPort: { value: false }, filterChains })
  })
}

/** Bound listeners of one pod: capture, HTTP proxy, and its explicit ports. */
export function podListeners(pod: Pod, context: OutboundContext, config: MeshConfig): Resources {
  const resources = new Map<string, Resource>()
  const { outbound } = pod
  if (outbound === undefined) return resources
  // the gateway of transparent pods has no program of its own: whoever called these ports would pass for the gateway
  if (pod.egressPipe === undefined) {
    resources.set(VIRTUAL_OUTBOUND, captureListener(outbound, config))
    resources.set(HTTP_PROXY_ROUTE, proxyListener(outbound))
  }
  for (const { host, port: number, listenPort } of outbound.upstreams) {
    const service = context.byHost.get(host)
    const port = service?.ports.find((p) => p.port === number)
    if (service === undefined || port === undefined) continue
    const name = `${LOOPBACK}_${listenPort}`
    const target = { service, port, routeName: upstreamRoute(host, number) }
    resources.set(name, serviceListener(pod, listenerHead(name, LOOPBACK, listenPort), target, context, config))
  }
  return resources
}

const captureListener = memo(({ capturePort }: PodOutbound, { allowAny }: MeshConfig): Resource => {
  const beyond = allowAny ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER
  const capture: Listener = {
    ...listenerHead(VIRTUAL_OUTBOUND, LOOPBACK, capturePort),
    useOriginalDst: { value: true },
    listenerFilters: [PROXY_PROTOCOL, ORIGINAL_DST],
    defaultFilterChain: {
      filters: [tcpProxy(beyond, [{ cluster: beyond, weight: 0 }])],
      name: 'virtualOutbound-catchall-tcp',
    },
  }
  return toResource('LDS', VIRTUAL_OUTBOUND, capture)
})

const proxyListener = memo(({ httpProxyPort }: PodOutbound): Resource =>
  toResource('LDS', HTTP_PROXY_ROUTE, {
    ...listenerHead(HTTP_PROXY_ROUTE, LOOPBACK, httpProxyPort),
    filterChains: [{ filters: [httpFilter(HTTP_PROXY_ROUTE, HTTP_PROXY_ROUTE)] }],
  }),
)

interface Target {
  service: Service
  port: ServicePort
  routeName: string
}

const made = new ContentCache<Resource>()

/** A listener for one Service's port; made anew only when its protocol or its targets without HTTP change. */
function serviceListener(
  owner: object,
  head: Listener,
  target: Target,
  context: OutboundContext,
  { allowAny }: MeshConfig,
): Resource {
  const { name = '' } = head
  const { service, port } = target
  const plan = l4Plan(service, port, context, allowAny)
  const content = JSON.stringify([service.host, port, plan])
  return made.get(owner, name, content, () => toResource('LDS', name, { ...head, ...serviceParts(target, plan) }))
}

/** Route configuration of an explicit port. */
export function upstreamRoute(host: string, port: number): string {
  return `${host}:${port}`
}

function listenerHead(name: string, address: string, port: number): Listener {
  return { name, address: socketAddress(address, port), trafficDirection: OUTBOUND }
}

function httpFilter(name: string, routeConfigName: string): Filter {
  return outboundHttp(`outbound_${name}`, routeConfigName)
}

function serviceParts({ service, port, routeName }: Target, { byServerName, others }: L4Plan): ListenerParts {
  const statPrefix = clusterName('outbound', port.port, '', service.host)
  const tcp = { filters: [tcpProxy(statPrefix, others)] }
  if (byServerName.length > 0) {
    const chains = byServerName.map(({ serverNames, targets }) => ({
      filterChainMatch: { serverNames: [...serverNames] },
      filters: [tcpProxy(statPrefix, targets)],
    }))
    return { listenerFilters: [TLS_INSPECTOR], ...INSPECTION_TIMEOUT, filterChains: chains, defaultFilterChain: tcp }
  }
  const http = httpFilter(`${service.host}_${port.port}`, routeName)
  const handling = HANDLING[port.protocol]
  if (handling !== 'sniff') return { filterChains: [handling === 'http' ? { filters: [http] } : tcp] }
  return {
    listenerFilters: [HTTP_INSPECTOR],
    ...INSPECTION_TIMEOUT,
    filterChains: [{ filterChainMatch: { applicationProtocols: PLAINTEXT_HTTP }, filters: [http] }],
    defaultFilterChain: tcp,
  }
}
