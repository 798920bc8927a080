/**
 * Resources for the gRPC library itself (proxyless, `GENERATOR: grpc`): `xds:///HOST:PORT` asks for a listener of that
 * name, whose api_listener leads to routes, clusters and endpoints. It has no mesh certificate, so its connections are
 * plain: it reaches pods without a sidecar, and PERMISSIVE ones. Source: gRPC A27, A28; Istio 1.30, pilot/pkg/networking/grpcgen.
 */
import { clusterName } from '../../xds/names.ts'
import { proxylessHttp } from './filters.ts'
import { toResource, type Resources } from './resource.ts'
import { serviceNames, type RouteBuilder } from './routes.ts'
import type { Resource, Service } from './snapshot.ts'

export interface ProxylessResources {
  LDS: Resources
  RDS: Resources
}

export function proxylessResources(
  services: readonly Service[],
  clientNamespace: string,
  routes: RouteBuilder,
): ProxylessResources {
  const LDS = new Map<string, Resource>()
  const RDS = new Map<string, Resource>()
  for (const service of services) {
    for (const { port } of service.ports) {
      const routeName = clusterName('outbound', port, '', service.host)
      RDS.set(routeName, routes.forService(routeName, service, port))
      for (const serviceName of serviceNames(service, clientNamespace)) {
        const name = `${serviceName}:${port}`
        LDS.set(name, toResource('LDS', name, { name, apiListener: { apiListener: proxylessHttp(routeName) } }))
      }
    }
  }
  return { LDS, RDS }
}
