/**
 * Conditions of a route, compiled (Envoy: RouteMatch). In: the exchange and its head. Out: yes or no. Holds no request.
 * Regular expressions are RE2 and must match the whole text (re2js: linear in the input, whatever the pattern).
 */
import type { Head } from '../codec/head.ts'
import type { Exchange } from '../exchange.ts'
import type { TextMatch } from '../../xds/text-match.ts'

export interface HeaderMatch {
  /** Lower case; `:method`, `:authority`, `:path`, `:scheme` are parts of the model. */
  name: string
  test: TextMatch
  invert: boolean
  /** A missing header is taken as ''. */
  missingIsEmpty: boolean
}

export interface QueryMatch {
  name: string
  test: TextMatch
}

export interface RouteMatch {
  /** On the path without its query; `null`: CONNECT requests. */
  path: TextMatch | null
  headers: readonly HeaderMatch[]
  query: readonly QueryMatch[]
}

/** Whether a route is for this request. `path` is `x.path` without its query. */
export function matches(match: RouteMatch, x: Exchange, path: string, head: Head): boolean {
  if (match.path === null) {
    if (x.method !== 'CONNECT') return false
  } else if (!match.path(path)) return false
  for (const header of match.headers) if (!headerMatches(header, x, head)) return false
  if (match.query.length === 0) return true
  const params = new URLSearchParams(x.path.length > path.length ? x.path.slice(path.length + 1) : '')
  for (const { name, test } of match.query) {
    const value = params.get(name)
    if (value === null || !test(value)) return false
  }
  return true
}

function headerMatches(header: HeaderMatch, x: Exchange, head: Head): boolean {
  const value = modelValue(header.name, x, head) ?? (header.missingIsEmpty ? '' : undefined)
  // Envoy: an absent header matches neither way, unless presence itself is asked for (`test` of undefined)
  if (value === undefined) return header.test === present ? header.invert : false
  return header.test(value) !== header.invert
}

/** Marks presence matches, which look at absence too. */
export const present: TextMatch = () => true

function modelValue(name: string, x: Exchange, head: Head): string | undefined {
  switch (name) {
    case ':method':
      return x.method
    case ':authority':
    case 'host':
      return x.authority
    case ':path':
      return x.path
    case ':scheme':
      return x.scheme
    default:
      return head.getByName(name)
  }
}
