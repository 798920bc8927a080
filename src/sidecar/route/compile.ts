/**
 * RouteConfiguration to RouteTable. In: decoded xDS, the clusters' cells. Out: an immutable table; throws an Error with
 * the reason for what cannot be honoured. All that a request needs is worked out here, once per push.
 */
import { durationMs } from '../cluster/duration.ts'
import type { RouteProtocol } from '../codec/protocol.ts'
import { type Clusters, weightClusters } from '../cluster/clusters.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { EXTENSION, typedConfigOf, unpack } from '../../xds/type-urls.ts'
import { compileText, equals, startsWith, wholeRegex, type TextMatch } from '../../xds/text-match.ts'
import type { RetryPolicy, RouteAction } from './action.ts'
import { type HeaderMatch, present, type QueryMatch, type RouteMatch } from './match.ts'
import { type Route, RouteTable, type VirtualHost, type WildcardDomain } from './table.ts'

type Config = envoy.config.route.v3.RouteConfiguration
type XdsRoute = envoy.config.route.v3.Route
type XdsMatch = envoy.config.route.v3.RouteMatch

export function compileRoutes(config: Config, clusters: Clusters): RouteTable {
  const exact = new Map<string, VirtualHost>()
  const suffixes: WildcardDomain[] = []
  const prefixes: WildcardDomain[] = []
  const hosts: VirtualHost[] = []
  let any: VirtualHost | undefined
  const domains = new Set<string>()
  for (const vhost of config.virtualHosts ?? []) {
    const compiled = (vhost.routes ?? []).map((route) => compileRoute(route, clusters))
    const host: VirtualHost = {
      name: vhost.name ?? '',
      routes: compiled,
      isByPath: compiled.every(({ match: m }) => m.path !== null && m.headers.length === 0 && m.query.length === 0),
      includeAttemptCount: vhost.includeRequestAttemptCount ?? false,
    }
    hosts.push(host)
    for (const domain of vhost.domains ?? []) {
      const text = domain.toLowerCase()
      if (domains.has(text)) throw new Error(`domain ${domain} stands in two virtual hosts`)
      domains.add(text)
      if (text === '*') any = host
      else if (text.startsWith('*')) suffixes.push({ text: text.slice(1), host })
      else if (text.endsWith('*')) prefixes.push({ text: text.slice(0, -1), host })
      else exact.set(text, host)
    }
  }
  const longestFirst = (a: WildcardDomain, b: WildcardDomain): number => b.text.length - a.text.length
  const allowsConnect = hosts.some(({ routes }) =>
    routes.some(({ action }) => action.kind === 'forward' && action.protocol.terminatesConnect),
  )
  const byDomain = { exact, suffixes: suffixes.sort(longestFirst), prefixes: prefixes.sort(longestFirst), any }
  return new RouteTable(config.name ?? '', byDomain, config.ignorePortInHostMatching ?? false, allowsConnect)
}

function compileRoute(route: XdsRoute, clusters: Clusters): Route {
  return {
    name: route.name ?? '',
    match: compileMatch(route.match ?? {}),
    action: compileAction(route, clusters),
  }
}

function compileMatch(match: XdsMatch): RouteMatch {
  return {
    path: compilePath(match),
    headers: (match.headers ?? []).map(compileHeader),
    query: (match.queryParameters ?? []).map(compileQuery),
  }
}

function compilePath(match: XdsMatch): TextMatch | null {
  const ignoreCase = match.caseSensitive?.value === false
  if (match.connectMatcher !== undefined && match.connectMatcher !== null) return null
  if (match.safeRegex?.regex !== undefined) return wholeRegex(match.safeRegex.regex)
  if (typeof match.path === 'string') return equals(match.path, ignoreCase)
  if (typeof match.prefix !== 'string') throw new Error('a route matches neither prefix, path nor safe_regex')
  return startsWith(match.prefix, ignoreCase)
}

function compileHeader(header: envoy.config.route.v3.HeaderMatcher): HeaderMatch {
  const byText = header.stringMatch !== undefined && header.stringMatch !== null
  const wantsAbsence = !byText && header.presentMatch === false
  return {
    name: (header.name ?? '').toLowerCase(),
    test: byText ? compileText(header.stringMatch ?? {}) : present,
    invert: (header.invertMatch ?? false) !== wantsAbsence,
    missingIsEmpty: header.treatMissingHeaderAsEmpty ?? false,
  }
}

function compileQuery(query: envoy.config.route.v3.QueryParameterMatcher): QueryMatch {
  const byText = query.stringMatch !== undefined && query.stringMatch !== null
  if (!byText && query.presentMatch === false) throw new Error('a parameter can be asked for, not its absence')
  return { name: query.name ?? '', test: byText ? compileText(query.stringMatch ?? {}) : present }
}

function compileAction(route: XdsRoute, clusters: Clusters): RouteAction {
  if (route.route !== undefined && route.route !== null) return compileForward(route.route, clusters)
  if (route.redirect !== undefined && route.redirect !== null) return compileRedirect(route)
  if (route.directResponse !== undefined && route.directResponse !== null) {
    const { status, body } = route.directResponse
    return compileDirect(status ?? 200, body)
  }
  throw new Error('a route needs one of route, redirect, direct_response')
}

function compileDirect(status: number, body: envoy.config.core.v3.DataSource | null | undefined): RouteAction {
  // an interim response is no answer, and behind one without a body any byte would be the next response
  if (status < 200 || status > 600) throw new Error(`a direct response with status ${status}: 200 to 600`)
  if (status === 204 || status === 304) return { kind: 'direct', status, body: '' }
  const bytes = body?.inlineBytes
  const text =
    bytes !== undefined && bytes !== null && bytes.length > 0 ? Buffer.from(bytes).toString('latin1') : undefined
  return { kind: 'direct', status, body: text ?? Buffer.from(body?.inlineString ?? '', 'utf8').toString('latin1') }
}

function compileForward(action: envoy.config.route.v3.RouteAction, clusters: Clusters): RouteAction {
  const weighted = action.weightedClusters?.clusters ?? []
  return {
    kind: 'forward',
    ...weightClusters(clusters, weighted, ({ weight }) => weight?.value ?? 0, action.cluster ?? ''),
    timeoutMs: durationMs(action.timeout, DEFAULT_ROUTE_TIMEOUT_MS),
    retry: action.retryPolicy ? compileRetry(action.retryPolicy) : null,
    protocol: compileProtocol(action),
  }
}

function compileProtocol(action: envoy.config.route.v3.RouteAction): RouteProtocol {
  const { idleTimeout, maxStreamDuration: max, maxGrpcTimeout, upgradeConfigs = [] } = action
  const upgrades = new Map<string, boolean>()
  let terminatesConnect = false
  for (const { upgradeType, enabled, connectConfig } of upgradeConfigs) {
    const type = (upgradeType ?? '').toLowerCase()
    if (upgrades.has(type)) throw new Error(`upgrade type ${upgradeType ?? ''} stands twice`)
    if (connectConfig && type !== 'connect') throw new Error('connect_config is for upgrade type CONNECT only')
    const isEnabled = enabled?.value ?? true
    if (type === 'connect' && isEnabled && !connectConfig)
      throw new Error('CONNECT without connect_config is not supported: it can only end here')
    upgrades.set(type, isEnabled)
    if (connectConfig) terminatesConnect = true
  }
  const grpcMax = max?.grpcTimeoutHeaderMax ?? maxGrpcTimeout
  return {
    idleTimeoutMs: idleTimeout ? durationMs(idleTimeout, 0) : null,
    maxStreamDurationMs: max?.maxStreamDuration ? durationMs(max.maxStreamDuration, 0) : null,
    maxGrpcTimeoutMs: grpcMax ? durationMs(grpcMax, 0) : null,
    upgrades,
    terminatesConnect,
  }
}

/** Envoy's, where the control plane says nothing (Istio always says `0s`, which is none). */
const DEFAULT_ROUTE_TIMEOUT_MS = 15_000

function compileRetry(policy: envoy.config.route.v3.RetryPolicy): RetryPolicy {
  const on = new Set((policy.retryOn ?? '').split(',').map((word) => word.trim()))
  const codes = new Set(policy.retriableStatusCodes ?? [])
  const all5xx = on.has('5xx')
  const gateway = on.has('gateway-error')
  const byCode = on.has('retriable-status-codes')
  const conflict = on.has('retriable-4xx')
  const baseMs = durationMs(policy.retryBackOff?.baseInterval, 25)
  return {
    numRetries: policy.numRetries?.value ?? 1,
    onConnectFailure: on.has('connect-failure') || all5xx || gateway,
    onReset: on.has('reset') || all5xx || gateway,
    onStatus: (status) =>
      (all5xx && status >= 500) ||
      (gateway && status >= 502 && status <= 504) ||
      (conflict && status === 409) ||
      (byCode && codes.has(status)),
    perTryTimeoutMs: durationMs(policy.perTryTimeout, 0),
    backOffBaseMs: baseMs,
    backOffMaxMs: durationMs(policy.retryBackOff?.maxInterval, baseMs * 10),
    hostAttempts: avoidsPreviousHosts(policy) ? (policy.hostSelectionRetryMaxAttempts ?? 1) : 0,
  }
}

/** Envoy has other predicates too, which we do not. */
function avoidsPreviousHosts(policy: envoy.config.route.v3.RetryPolicy): boolean {
  const predicates = policy.retryHostPredicate ?? []
  for (const predicate of predicates) {
    const config = typedConfigOf('retry host predicate', predicate)
    if (unpack(EXTENSION.previousHosts, config) === undefined)
      throw new Error(`retry host predicate ${config.typeUrl ?? ''} is not supported`)
  }
  return predicates.length > 0
}

const REDIRECT_STATUS = [301, 302, 303, 307, 308] as const

function compileRedirect(route: XdsRoute): RouteAction {
  const redirect = route.redirect ?? {}
  const byRegex = typeof route.match?.safeRegex?.regex === 'string'
  return {
    kind: 'redirect',
    status: REDIRECT_STATUS[redirect.responseCode ?? 0] ?? 301,
    scheme: redirect.httpsRedirect === true ? 'https' : (redirect.schemeRedirect ?? ''),
    host: redirect.hostRedirect ?? '',
    port: redirect.portRedirect ?? 0,
    // of a path that an expression matches, all is the prefix
    path: redirect.pathRedirect || (byRegex ? (redirect.prefixRewrite ?? '') : ''),
    prefixRewrite: redirect.prefixRewrite || undefined,
    matchedPrefix: route.match?.prefix ?? route.match?.path ?? '',
  }
}
