/**
 * A sidecar's /config_dump (proto3 JSON of Envoy's resources) as istioctl's tables. In: parsed JSON of a process of
 * ours, taken as it comes: what is missing is shown as `-`. Pure.
 */
import { parseClusterName } from '../xds/names.ts'
import type { Cell } from './table.ts'

export type Section = 'listeners' | 'routes' | 'clusters' | 'endpoints'
export const SECTIONS: readonly Section[] = ['listeners', 'routes', 'clusters', 'endpoints']

export interface DumpTable {
  heads: string[]
  rows: Cell[][]
}

type Loose = Record<string, unknown>

/** The list in each section's message, and where the resource stands in an entry. */
const LISTS: Record<Section, (entry: Loose) => unknown> = {
  listeners: (entry) => at(entry, 'activeState', 'listener'),
  routes: (entry) => entry['routeConfig'],
  clusters: (entry) => entry['cluster'],
  endpoints: (entry) => entry['endpointConfig'],
}

const LIST_NAMES: Record<Section, string> = {
  listeners: 'dynamicListeners',
  routes: 'dynamicRouteConfigs',
  clusters: 'dynamicActiveClusters',
  endpoints: 'dynamicEndpointConfigs',
}

/** The resources of one section. */
export function resourcesOf(dump: unknown, section: Section): Loose[] {
  const configs = list(loose(dump)['configs']).map(loose)
  return configs
    .flatMap((config) => list(config[LIST_NAMES[section]]))
    .map((entry) => loose(LISTS[section](loose(entry))))
}

export function dumpTable(dump: unknown, section: Section): DumpTable {
  const resources = resourcesOf(dump, section)
  switch (section) {
    case 'listeners':
      return { heads: ['ADDRESS', 'PORT', 'NAME', 'MATCH', 'DESTINATION'], rows: resources.flatMap(listenerRows) }
    case 'routes':
      return {
        heads: ['NAME', 'VHOST', 'DOMAINS', 'MATCH', 'CLUSTER', 'VIRTUAL SERVICE'],
        rows: resources.flatMap(routeRows),
      }
    case 'clusters':
      return {
        heads: ['SERVICE', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'POLICY', 'TLS'],
        rows: resources.map(clusterRow),
      }
    case 'endpoints':
      return { heads: ['ENDPOINT', 'HEALTH', 'TLS', 'WORKLOAD', 'CLUSTER'], rows: resources.flatMap(endpointRows) }
    default:
      return section satisfies never
  }
}

function listenerRows(listener: Loose): Cell[][] {
  const address = loose(at(listener, 'address', 'socketAddress'))
  const pipe = at(listener, 'address', 'pipe', 'path')
  const more = list(listener['additionalAddresses']).length
  const chains = list(listener['filterChains']).map(loose)
  const last = loose(listener['defaultFilterChain'])
  const all = Object.keys(last).length > 0 ? [...chains, last] : chains
  return all.map((chain, i) => [
    pipe === undefined ? text(address['address']) : `unix://${text(pipe)}`,
    `${text(address['portValue'])}${more === 0 ? '' : ` + ${more} more`}`,
    i === 0 ? text(listener['name']) : '',
    matchText(loose(chain['filterChainMatch'])),
    list(chain['filters'])
      .map((filter) => destination(loose(at(loose(filter), 'typedConfig'))))
      .join(', '),
  ])
}

function matchText(match: Loose): string {
  const parts = [
    match['transportProtocol'] === undefined ? '' : `Trans: ${text(match['transportProtocol'])}`,
    list(match['applicationProtocols']).length === 0 ? '' : `App: ${list(match['applicationProtocols']).join(',')}`,
    list(match['serverNames']).length === 0 ? '' : `SNI: ${list(match['serverNames']).join(',')}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? 'ALL' : parts.join('; ')
}

/** Where a filter sends what it gets. */
function destination(config: Loose): string {
  const rds = at(config, 'rds', 'routeConfigName')
  if (rds !== undefined) return `Route: ${text(rds)}`
  const inline = loose(config['routeConfig'])
  if (Object.keys(inline).length > 0) return `Inline Route: ${clustersIn(inline).join(', ')}`
  if (config['cluster'] !== undefined) return `Cluster: ${text(config['cluster'])}`
  const weighted = weightedClusters(loose(config['weightedClusters']))
  return weighted === '' ? '-' : `Clusters: ${weighted}`
}

function clustersIn(routeConfig: Loose): string[] {
  const routes = list(routeConfig['virtualHosts']).flatMap((host) => list(loose(host)['routes']))
  return [...new Set(routes.map((route) => routeTarget(loose(route))))]
}

function routeRows(config: Loose): Cell[][] {
  return list(config['virtualHosts'])
    .map(loose)
    .flatMap((host) =>
      list(host['routes'])
        .map(loose)
        .map((route): Cell[] => [
          text(config['name']),
          text(host['name']),
          domainsText(list(host['domains']).map((domain) => text(domain))),
          routeMatch(loose(route['match'])),
          routeTarget(route),
          virtualServiceOf(route),
        ]),
    )
}

function domainsText(domains: readonly string[]): string {
  const [first = '*', ...rest] = domains
  return rest.length === 0 ? first : `${first} + ${rest.length} more`
}

function routeMatch(match: Loose): string {
  const path = match['path'] ?? at(match, 'safeRegex', 'regex')
  const prefix = match['prefix'] ?? match['pathSeparatedPrefix']
  const shown = prefix === undefined ? text(path, '/*') : `${text(prefix)}*`
  const more = list(match['headers']).map((header) => text(loose(header)['name']))
  return more.length === 0 ? shown : `${shown} [${more.join(', ')}]`
}

function routeTarget(route: Loose): string {
  const action = loose(route['route'])
  if (action['cluster'] !== undefined) return text(action['cluster'])
  const weighted = weightedClusters(loose(action['weightedClusters']))
  if (weighted !== '') return weighted
  if (route['redirect'] !== undefined) return 'redirect'
  const status = at(route, 'directResponse', 'status')
  return status === undefined ? '-' : `response ${text(status)}`
}

function weightedClusters(weighted: Loose): string {
  return list(weighted['clusters'])
    .map(loose)
    .map((cluster) => `${text(cluster['name'])} ${text(cluster['weight'], '0')}%`)
    .join(', ')
}

/** Istio's `/apis/networking.istio.io/v1/namespaces/default/virtual-service/checkout` as `checkout.default`. */
function virtualServiceOf(route: Loose): string {
  const config = at(route, 'metadata', 'filterMetadata', 'istio', 'config')
  const parts = typeof config === 'string' ? config.split('/') : []
  const kind = parts.at(-2)
  return kind === undefined ? '' : `${parts.at(-1)}.${parts.at(-3)}`
}

function clusterRow(cluster: Loose): Cell[] {
  const name = text(cluster['name'])
  const parts = parseClusterName(name)
  const policy = text(cluster['lbPolicy'], 'ROUND_ROBIN')
  const type = text(cluster['type'], 'STATIC')
  const tls = tlsOf(cluster)
  if (parts === undefined) return [name, '-', '-', '-', type, policy, tls]
  return [
    parts.host === '' ? '-' : parts.host,
    String(parts.port),
    parts.subset === '' ? '-' : parts.subset,
    parts.direction,
    type,
    policy,
    tls,
  ]
}

function tlsOf(cluster: Loose): string {
  if (list(cluster['transportSocketMatches']).length > 0) return 'auto'
  return cluster['transportSocket'] === undefined ? '-' : 'yes'
}

function endpointRows(assignment: Loose): Cell[][] {
  const localities = list(assignment['endpoints']).map(loose)
  return localities
    .flatMap((locality) => list(locality['lbEndpoints']).map(loose))
    .map((endpoint) => {
      const address = loose(at(endpoint, 'endpoint', 'address', 'socketAddress'))
      const pipe = at(endpoint, 'endpoint', 'address', 'pipe', 'path')
      const metadata = loose(at(endpoint, 'metadata', 'filterMetadata'))
      const workload = text(loose(metadata['istio'])['workload'], '').split(';')[0] ?? ''
      const mutual = loose(metadata['envoy.transport_socket_match'])['tlsMode'] === 'istio'
      return [
        pipe === undefined ? `${text(address['address'])}:${text(address['portValue'])}` : `unix://${text(pipe)}`,
        text(endpoint['healthStatus'], 'HEALTHY'),
        mutual ? 'mTLS' : 'plain',
        workload === '' ? '-' : workload,
        text(assignment['clusterName']),
      ]
    })
}

function at(value: Loose, ...path: readonly string[]): unknown {
  let here: unknown = value
  for (const name of path) here = loose(here)[name]
  return here
}

function loose(value: unknown): Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown, fallback = '-'): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : fallback
}
