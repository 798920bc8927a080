/**
 * The HTTP rules of a VirtualService as Envoy routes, for one client and one service port. Pure.
 * The first match wins, so translation ends at the first route that matches everything; rules that this client or
 * port never meets are left out here, not at each request. Source: Istio 1.30, route.go (BuildHTTPRoutesForVirtualService).
 */
import { parseDurationMs } from '../../config/values.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { matchesSource, type Client } from './client.ts'
import { weightedClusters, type ServicesByHost } from './destination.ts'
import { isCatchAll, routeMatch } from './http-match.ts'
import { duration, struct, type Route } from './resource.ts'
import { DEFAULT_RETRY_POLICY, retryPolicy } from './retry.ts'
import type { HttpRedirect, HttpRule } from './spec.ts'
import type { VirtualService } from './virtual-service.ts'

type Action = Pick<Route, 'route' | 'redirect' | 'directResponse'>

const REDIRECT_CODES = new Map<number, NonNullable<envoy.config.route.v3.RedirectAction['responseCode']>>([
  [301, 0],
  [302, 1],
  [303, 2],
  [307, 3],
  [308, 4],
])

/** The route of a service that no rule is for. Istio's default has no timeout, where Envoy's has 15 s. */
export function defaultRoute(cluster: string): Route {
  const timeout = duration(0)
  return {
    name: 'default',
    match: { prefix: '/' },
    route: { cluster, timeout, maxGrpcTimeout: timeout, retryPolicy: DEFAULT_RETRY_POLICY },
  }
}

/** Empty where no rule is left for this client and port: then the service's default route holds. */
export function httpRoutes(
  virtualService: VirtualService,
  client: Client,
  port: number,
  services: ServicesByHost,
): Route[] {
  const { name, namespace } = virtualService
  const config = `/apis/networking.istio.io/v1/namespaces/${namespace}/virtual-service/${name}`
  const metadata = { filterMetadata: { istio: struct({ config }) } }
  const routes: Route[] = []
  for (const rule of virtualService.http) {
    const action = ruleAction(rule, namespace, port, services)
    if (action === undefined) continue
    for (const match of rule.match === undefined || rule.match.length === 0 ? [{}] : rule.match) {
      if (!matchesSource(match, client, port)) continue
      const routeName = [rule.name, match.name].filter((part) => part !== undefined && part !== '').join('.')
      const route: Route = {
        ...(routeName === '' ? {} : { name: routeName }),
        match: routeMatch(match),
        ...action,
        metadata,
      }
      routes.push(route)
      if (isCatchAll(route.match ?? {})) return routes
    }
  }
  return routes
}

function ruleAction(rule: HttpRule, namespace: string, port: number, services: ServicesByHost): Action | undefined {
  if (rule.redirect !== undefined) return redirectAction(rule.redirect, port)
  if (rule.directResponse !== undefined) return directResponseAction(rule.directResponse)
  const [first, ...others] = weightedClusters(rule.route ?? [], namespace, port, services)
  if (first === undefined) return undefined
  const timeoutMs = rule.timeout === undefined ? 0 : parseDurationMs(rule.timeout)
  const target =
    others.length === 0
      ? { cluster: first.cluster }
      : {
          weightedClusters: {
            clusters: [first, ...others].map((c) => ({ name: c.cluster, weight: { value: c.weight } })),
          },
        }
  const retries = retryPolicy(rule.retries, timeoutMs)
  const timeout = duration(timeoutMs)
  return {
    route: { ...target, timeout, maxGrpcTimeout: timeout, ...(retries === undefined ? {} : { retryPolicy: retries }) },
  }
}

function redirectAction(redirect: HttpRedirect, port: number): Action | undefined {
  const responseCode = REDIRECT_CODES.get(redirect.redirectCode ?? 301)
  if (responseCode === undefined) return undefined
  const { authority, scheme, uri, prefixRewrite } = redirect
  const fromRequest = redirect.derivePort === 'FROM_REQUEST_PORT' && port !== (scheme === 'https' ? 443 : 80)
  const portRedirect = redirect.port ?? (fromRequest ? port : undefined)
  const path = prefixRewrite === undefined ? (uri === undefined ? {} : { pathRedirect: uri }) : { prefixRewrite }
  return {
    redirect: {
      ...path,
      ...(authority === undefined ? {} : { hostRedirect: authority }),
      ...(scheme === undefined ? {} : { schemeRedirect: scheme }),
      ...(portRedirect === undefined ? {} : { portRedirect }),
      responseCode,
    },
  }
}

function directResponseAction({ status, body }: NonNullable<HttpRule['directResponse']>): Action {
  if (body?.bytes !== undefined)
    return { directResponse: { status, body: { inlineBytes: Buffer.from(body.bytes, 'base64') } } }
  return { directResponse: { status, ...(body?.string === undefined ? {} : { body: { inlineString: body.string } }) } }
}
