/**
 * RDS: outbound route configurations for one client. In: Services and VirtualServices. Out, by name:
 *   `8080`             for captured connections to port 8080 of any Service
 *   `http_proxy`       for the HTTP proxy port, all Services
 *   `HOST:8080`        for an explicit port, one Service, whatever the Host header says
 *   `outbound|8080||HOST`  the same for the gRPC library
 * Source: Istio 1.30, pilot/pkg/networking/core/httproute.go.
 */
import { clusterName, HTTP_PROXY_ROUTE, PASSTHROUGH_CLUSTER } from '../../xds/names.ts'
import type { Client } from './client.ts'
import type { OutboundContext } from './context.ts'
import type { ServicesByHost } from './destination.ts'
import { hostsMatch, type HostMap } from './hosts.ts'
import { defaultRoute, httpRoutes } from './http-route.ts'
import { ContentCache } from './memo.ts'
import type { MeshConfig } from './mesh-config.ts'
import { HANDLING } from './protocols.ts'
import { duration, toResource, type Route, type RouteConfiguration, type VirtualHost } from './resource.ts'
import type { Resource, Service } from './snapshot.ts'
import type { VirtualService } from './virtual-service.ts'

/** The default port of `http://`: only there may a name stand without one. */
const HTTP_PORT = 80

/** Hosts that no Service is for, under each outbound traffic policy. */
const ALLOW_ANY: VirtualHost = {
  name: 'allow_any',
  domains: ['*'],
  routes: [
    { name: 'allow_any', match: { prefix: '/' }, route: { cluster: PASSTHROUGH_CLUSTER, timeout: duration(0) } },
  ],
  includeRequestAttemptCount: true,
}

const BLOCK_ALL: VirtualHost = {
  name: 'block_all',
  domains: ['*'],
  routes: [{ name: 'block_all', match: { prefix: '/' }, directResponse: { status: 502 } }],
  includeRequestAttemptCount: true,
}

/** Route configurations already made, by the list of Services that they were made of. */
const made = new ContentCache<Resource>()

export class RouteBuilder {
  /** All Services of the snapshot: whose list it is that decides what can be used again. */
  readonly #owner: readonly Service[]
  /** Those that the client sees. */
  readonly #services: readonly Service[]
  readonly #byHost: ServicesByHost
  readonly #virtualServices: HostMap<VirtualService>
  readonly #client: Client
  /** Hosts of VirtualServices that are no Service. */
  readonly #foreignHosts: readonly string[]
  readonly #beyond: VirtualHost

  constructor(
    owner: readonly Service[],
    { client, services, byHost, virtualServices }: OutboundContext,
    { allowAny }: MeshConfig,
  ) {
    this.#beyond = allowAny ? ALLOW_ANY : BLOCK_ALL
    this.#owner = owner
    this.#services = services
    this.#byHost = byHost
    this.#virtualServices = virtualServices
    this.#client = client
    this.#foreignHosts = [...virtualServices]
      .map(([host]) => host)
      .filter((host) => !services.some((s) => hostsMatch(s.host, host)))
  }

  /** Captured connections to `port`. */
  forPort(port: number): Resource {
    const services = this.#services.filter((service) => hasHttpPort(service, port))
    const hosts = [...services.map((s) => s.host), ...this.#foreignHosts]
    return this.#remember(String(port), hosts, this.#beyond.name, () => {
      const virtualHosts = new VirtualHosts(this.#beyond)
      for (const service of services) virtualHosts.add(this.#serviceHost(service, port, true))
      for (const host of this.#foreignHosts) virtualHosts.add(this.#foreignHost(host, port))
      return { virtualHosts: virtualHosts.list(), ignorePortInHostMatching: true }
    })
  }

  /** The HTTP proxy port: names carry their port, unless it is 80. */
  forProxyPort(): Resource {
    const hosts = [...this.#services.map((s) => s.host), ...this.#foreignHosts]
    return this.#remember(HTTP_PROXY_ROUTE, hosts, this.#beyond.name, () => {
      const virtualHosts = new VirtualHosts(this.#beyond)
      for (const service of this.#services) {
        for (const { port } of service.ports) {
          if (hasHttpPort(service, port)) virtualHosts.add(this.#serviceHost(service, port, port === HTTP_PORT))
        }
      }
      for (const host of this.#foreignHosts) virtualHosts.add(this.#foreignHost(host, HTTP_PORT))
      return { virtualHosts: virtualHosts.list() }
    })
  }

  /** One Service, whatever the request's authority is. */
  forService(name: string, { host }: Service, port: number): Resource {
    return this.#remember(name, [host], undefined, () => {
      const virtualHost = {
        name: `${host}:${port}`,
        domains: ['*'],
        routes: this.#routes(host, port),
        includeRequestAttemptCount: true,
      }
      return { virtualHosts: [virtualHost] }
    })
  }

  /** It depends on the Services, on the client, on which VirtualServices rule `hosts`, and on what else it takes. */
  #remember(
    name: string,
    hosts: readonly string[],
    beyond: string | null | undefined,
    make: () => Omit<RouteConfiguration, 'name'>,
  ): Resource {
    const rulers = hosts.map((host) => {
      const virtualService = this.#virtualServices.lookup(host)
      return virtualService === undefined || virtualService.http.length === 0 ? 0 : virtualService.id
    })
    const content = `${beyond ?? ''} ${hosts.join(' ')} ${rulers.join(' ')}`
    return made.get(this.#owner, `${this.#client.key} ${name}`, content, () =>
      toResource('RDS', name, { name, ...make() }),
    )
  }

  #serviceHost(service: Service, port: number, withoutPort: boolean): VirtualHost {
    const { address, address6 } = service
    const names = [...serviceNames(service, this.#client.namespace), address, `[${address6}]`]
    return {
      name: `${service.host}:${port}`,
      domains: names.flatMap((name) => (withoutPort ? [name, `${name}:${port}`] : [`${name}:${port}`])),
      routes: this.#routes(service.host, port),
      includeRequestAttemptCount: true,
    }
  }

  /** The rules of a host that is no Service hold for that name on every port. */
  #foreignHost(host: string, port: number): VirtualHost | undefined {
    const routes = this.#ownRoutes(host, port)
    if (routes.length === 0) return undefined
    const domains = host.startsWith('*') ? [host] : [host, `${host}:${port}`]
    return { name: `${host}:${port}`, domains, routes, includeRequestAttemptCount: true }
  }

  #routes(host: string, port: number): Route[] {
    const routes = this.#ownRoutes(host, port)
    return routes.length > 0 ? routes : [defaultRoute(clusterName('outbound', port, '', host))]
  }

  #ownRoutes(host: string, port: number): Route[] {
    const virtualService = this.#virtualServices.lookup(host)
    return virtualService === undefined ? [] : httpRoutes(virtualService, this.#client, port, this.#byHost)
  }
}

function hasHttpPort(service: Service, port: number): boolean {
  return service.ports.some((p) => p.port === port && HANDLING[p.protocol] !== 'tcp')
}

/** Names by which a client knows a Service, longest first; the bare one only in its own namespace. */
export function serviceNames({ name, namespace, host }: Service, clientNamespace: string): string[] {
  const names = [host, `${host}.`, `${name}.${namespace}.svc`, `${name}.${namespace}`]
  return namespace === clientNamespace ? [...names, name] : names
}

/** Collects virtual hosts; a domain belongs to the first that claims it, as Envoy refuses it twice. */
class VirtualHosts {
  readonly #hosts: VirtualHost[] = []
  readonly #domains = new Set<string>(['*'])
  /** Takes what no other does. */
  readonly #last: VirtualHost

  constructor(last: VirtualHost) {
    this.#last = last
  }

  add(host: VirtualHost | undefined): void {
    const domains = (host?.domains ?? []).filter((domain) => !this.#domains.has(domain))
    if (host === undefined || domains.length === 0) return
    for (const domain of domains) this.#domains.add(domain)
    this.#hosts.push({ ...host, domains })
  }

  list(): VirtualHost[] {
    return [...this.#hosts.sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1)), this.#last]
  }
}
