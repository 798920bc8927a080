/**
 * One match of an HTTP rule as Envoy's RouteMatch. Pure.
 * Source: Istio 1.30, pilot/pkg/networking/core/route/route.go (TranslateRouteMatch).
 */
import type { envoy } from '../../xds/generated/xds.js'
import type { HttpMatch, StringMatch } from './spec.ts'

type RouteMatch = envoy.config.route.v3.RouteMatch
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher
type QueryParameterMatcher = envoy.config.route.v3.QueryParameterMatcher
type StringMatcher = envoy.type.matcher.v3.StringMatcher

/** These keys of `headers` mean the fields of their name, and are void. */
const RESERVED: ReadonlySet<string> = new Set(['uri', 'scheme', 'method', 'authority'])

export function routeMatch(match: HttpMatch): RouteMatch {
  const headers: HeaderMatcher[] = []
  for (const [name, value] of sorted(match.headers)) headers.push(headerMatcher(name, value))
  for (const [name, value] of sorted(match.withoutHeaders)) headers.push(withoutHeader(name, value))
  for (const name of ['method', 'authority', 'scheme'] as const) {
    const value = match[name]
    if (value !== undefined) headers.push(headerMatcher(`:${name}`, value))
  }
  const queryParameters = sorted(match.queryParams).map(([name, value]) => queryMatcher(name, value))
  return {
    ...pathMatch(match.uri),
    ...(match.ignoreUriCase === true && match.uri?.regex === undefined ? { caseSensitive: { value: false } } : {}),
    ...(headers.length > 0 ? { headers } : {}),
    ...(queryParameters.length > 0 ? { queryParameters } : {}),
  }
}

/** Nothing can pass it, so whatever stands behind it is never reached. */
export function isCatchAll(match: RouteMatch): boolean {
  const anyPath = match.prefix === '/' || match.safeRegex?.regex === '.*'
  return anyPath && match.headers === undefined && match.queryParameters === undefined
}

function pathMatch(uri: StringMatch | undefined): RouteMatch {
  if (uri?.exact !== undefined) return { path: uri.exact }
  if (uri?.regex !== undefined) return { safeRegex: { regex: uri.regex } }
  return { prefix: uri?.prefix ?? '/' }
}

function headerMatcher(name: string, value: StringMatch): HeaderMatcher {
  const stringMatch = stringMatcher(value)
  return stringMatch === undefined ? { name, presentMatch: true } : { name, stringMatch }
}

/** A missing header counts as an empty one, so it is "not x" for any x; but "not present" is just that. */
function withoutHeader(name: string, value: StringMatch): HeaderMatcher {
  const matcher = { ...headerMatcher(name, value), invertMatch: true }
  return matcher.presentMatch === true ? matcher : { ...matcher, treatMissingHeaderAsEmpty: true }
}

function queryMatcher(name: string, value: StringMatch): QueryParameterMatcher {
  const stringMatch = stringMatcher(value)
  return stringMatch === undefined ? { name, presentMatch: true } : { name, stringMatch }
}

/** `undefined` for `{}` and the regex `*`: any value. */
function stringMatcher(value: StringMatch): StringMatcher | undefined {
  if (value.exact !== undefined) return { exact: value.exact }
  if (value.prefix !== undefined) return { prefix: value.prefix }
  if (value.regex !== undefined && value.regex !== '*') return { safeRegex: { regex: value.regex } }
  return undefined
}

function sorted(matches: Record<string, StringMatch> | undefined): [string, StringMatch][] {
  return Object.entries(matches ?? {})
    .map(([name, value]): [string, StringMatch] => [name, value])
    .filter(([name]) => !RESERVED.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
}
