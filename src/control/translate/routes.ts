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
import type { ServicesByHost } from './destination.ts'

import { hostsMatch, type HostMap } from './hosts.ts'
import { defaultRoute, httpRoutes } from './http-route.ts'
import { HANDLING } from './protocols.ts'
import { duration, toResource, type Route, type VirtualHost } from './resource.ts'
import type { Resource, Service } from './snapshot.ts'
import type { VirtualService } from './virtual-service.ts'

/** The default port of `http://`: only there may a name stand without one. */
const HTTP_PORT = 80

const ALLOW_ANY: VirtualHost = {
  name: 'allow_any',
  domains: ['*'],
  routes: [{ name: 'allow_any', match: { prefix: '/' }, route: { cluster: PASSTHROUGH_CLUSTER, timeout: duration(0) } }],
  includeRequestAttemptCount: true,
}

export class RouteBuilder {
  readonly #services: readonly Service[]
  readonly #byHost: ServicesByHost
  readonly #virtualServices: HostMap<VirtualService>
  readonly #client: Client
  readonly #made = new Map<string, Resource>()

  constructor(services: readonly Service[], byHost: ServicesByHost, virtualServices: HostMap<VirtualService>, client: Client) {
    this.#services = services
    this.#byHost = byHost
    this.#virtualServices = virtualServices
    this.#client = client
  }

  /** Captured connections to `port`. */
  forPort(port: number): Resource {
    return this.#remember(String(port), () => {
      const virtualHosts = new VirtualHosts()
      for (const service of this.#services) if (hasHttpPort(service, port)) virtualHosts.add(this.#serviceHost(service, port, true))
      for (const host of this.#foreignHosts()) virtualHosts.add(this.#foreignHost(host, port, true))
      return { virtualHosts: virtualHosts.list(), ignorePortInHostMatching: true }
    })
  }

  /** The HTTP proxy port: names carry their port, unless it is 80. */
  forProxyPort(): Resource {
    return this.#remember(HTTP_PROXY_ROUTE, () => {
      const virtualHosts = new VirtualHosts()
      for (const service of this.#services) {
        for (const { port } of service.ports) {
          if (hasHttpPort(service, port)) virtualHosts.add(this.#serviceHost(service, port, port === HTTP_PORT))
        }
      }
      for (const host of this.#foreignHosts()) virtualHosts.add(this.#foreignHost(host, HTTP_PORT, true))
      return { virtualHosts: virtualHosts.list() }
    })
  }

  /** One Service, whatever the request's authority is. */
  forService(name: string, service: Service, port: number): Resource {
    return this.#remember(name, () => {
      const routes = this.#routes(service.host, port)
      return { virtualHosts: [{ name: `${service.host}:${port}`, domains: ['*'], routes, includeRequestAttemptCount: true }] }
    })
  }

  #remember(name: string, make: () => { virtualHosts: VirtualHost[]; ignorePortInHostMatching?: boolean }): Resource {
    let resource = this.#made.get(name)
    if (resource === undefined) this.#made.set(name, (resource = toResource('RDS', name, { name, ...make() })))
    return resource
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

  /** A VirtualService's host that is no Service: its rules hold for that name on every port. */
  #foreignHost(host: string, port: number, withoutPort: boolean): VirtualHost | undefined {
    const virtualService = this.#virtualServices.get(host)
    const routes = virtualService === undefined ? [] : httpRoutes(virtualService, this.#client, port, this.#byHost)
    if (routes.length === 0) return undefined
    const domains = withoutPort && !host.startsWith('*') ? [host, `${host}:${port}`] : [host]
    return { name: `${host}:${port}`, domains, routes, includeRequestAttemptCount: true }
  }

  #foreignHosts(): string[] {
    const hosts: string[] = []
    for (const [host] of this.#virtualServices) {
      if (!this.#services.some((service) => hostsMatch(service.host, host))) hosts.push(host)
    }
    return hosts
  }

  #routes(host: string, port: number): Route[] {
    const virtualService = this.#virtualServices.lookup(host)
    const routes = virtualService === undefined ? [] : httpRoutes(virtualService, this.#client, port, this.#byHost)
    return routes.length > 0 ? routes : [defaultRoute(clusterName('outbound', port, '', host))]
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

  add(host: VirtualHost | undefined): void {
    const domains = (host?.domains ?? []).filter((domain) => !this.#domains.has(domain))
    if (host === undefined || domains.length === 0) return
    for (const domain of domains) this.#domains.add(domain)
    this.#hosts.push({ ...host, domains })
  }

  list(): VirtualHost[] {
    return [...this.#hosts.sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1)), ALLOW_ANY]
  }
}
