/**
 * Which handler a request line is for. In: method and target. Out: the route with its path and query values,
 * or a ProblemError: 404 for a path that no route has, 405 for a method, 400 for a query name that is not known.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'

export interface ApiRequest {
  params: Readonly<Record<string, string>>
  query: ReadonlyMap<string, string>
  /** Parsed JSON; `undefined` where the route takes none. */
  body: unknown
  raw: IncomingMessage
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `/v1/objects/:kind/:namespace/:name` */
  path: string
  /** Names of query parameters that it takes. */
  query?: readonly string[]
  /** The answer as JSON with status 200. */
  handle?: (request: ApiRequest, context: ApiContext) => unknown
  /** Instead of `handle`: writes the response itself. */
  stream?: (request: ApiRequest, response: ServerResponse, context: ApiContext) => void
}

export interface RouteMatch {
  route: Route
  params: Record<string, string>
  query: Map<string, string>
}

/** Finds the route for `method target`, for example `GET /v1/objects/Service?namespace=default`. */
export function matchRoute(routes: readonly Route[], method: string, target: string): RouteMatch {
  const [path, search = ''] = splitOnce(target, '?')
  const segments = path.split('/').map(decode)
  const samePath: { route: Route; params: Record<string, string> }[] = []
  for (const route of routes) {
    const params = matchPath(route.path.split('/'), segments)
    if (params !== undefined) samePath.push({ route, params })
  }
  if (samePath.length === 0) throw new ProblemError('not_found', `there is nothing at ${path}`)
  const found = samePath.find((m) => m.route.method === method)
  if (found === undefined) {
    const allow = samePath.map((m) => m.route.method).join(', ')
    throw new ProblemError('method_not_allowed', `${method} is not for ${path}; allowed: ${allow}`, { allow })
  }
  return { ...found, query: parseQuery(search, found.route.query ?? []) }
}

function matchPath(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const value = segments[i] ?? ''
    if (part.startsWith(':')) {
      if (value === '') return undefined
      params[part.slice(1)] = value
    } else if (part !== value) return undefined
  }
  return params
}

function parseQuery(search: string, known: readonly string[]): Map<string, string> {
  const query = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(search)) {
    if (!known.includes(name)) {
      const allowed = known.length === 0 ? 'none is known here' : `known: ${known.join(', ')}`
      throw new ProblemError('bad_request', `unknown query parameter "${name}"; ${allowed}`)
    }
    if (query.has(name)) throw new ProblemError('bad_request', `query parameter "${name}" is given twice`)
    query.set(name, value)
  }
  return query
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new ProblemError('bad_request', `"${segment}" in the path is not valid percent-encoding`)
  }
}
