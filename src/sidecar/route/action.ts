/** What a route does with a request (Envoy: Route.action), compiled. */
import type { RouteProtocol } from '../codec/protocol.ts'
import type { WeightedClusters } from '../cluster/clusters.ts'

export interface RetryPolicy {
  numRetries: number
  onConnectFailure: boolean
  onReset: boolean
  /** Status codes that are tried again: from 5xx, gateway-error, retriable-4xx, retriable-status-codes. */
  onStatus: (status: number) => boolean
  perTryTimeoutMs: number
  backOffBaseMs: number
  backOffMaxMs: number
  /** How often another endpoint is looked for when the choice was tried before; 0: previous hosts are not avoided. */
  hostAttempts: number
}

export interface ForwardAction extends WeightedClusters {
  kind: 'forward'
  /** 0: none. */
  timeoutMs: number
  retry: RetryPolicy | null
  protocol: RouteProtocol
}

export interface RedirectAction {
  kind: 'redirect'
  status: number
  scheme: string
  host: string
  /** 0: as in the request. */
  port: number
  path: string
  /** Takes the place of the matched prefix; `undefined`: the path stays. */
  prefixRewrite: string | undefined
  matchedPrefix: string
}

export interface DirectAction {
  kind: 'direct'
  status: number
  /** Bytes, each of them a character. */
  body: string
}

export type RouteAction = ForwardAction | RedirectAction | DirectAction

const DEFAULT_PORT = { http: 80, https: 443 } as const

/** Location of a redirect; of a request that came by `requested`. */
export function redirectLocation(
  action: RedirectAction,
  requested: 'http' | 'https',
  authority: string,
  path: string,
): string {
  const scheme = action.scheme === '' ? requested : action.scheme
  const colon = authority.lastIndexOf(':')
  const hasPort = colon > authority.lastIndexOf(']')
  const host = action.host === '' ? (hasPort ? authority.slice(0, colon) : authority) : action.host
  let port = action.port
  if (port === 0 && action.host === '' && hasPort) {
    port = Number(authority.slice(colon + 1))
    // the port that the old scheme has anyhow is none of the new one's
    if (scheme !== requested && port === DEFAULT_PORT[requested]) port = 0
  }
  if ((scheme === 'http' && port === 80) || (scheme === 'https' && port === 443)) port = 0
  return `${scheme}://${host}${port === 0 ? '' : `:${port}`}${redirectPath(action, path)}`
}

function redirectPath(action: RedirectAction, path: string): string {
  const mark = path.indexOf('?')
  const query = mark < 0 ? '' : path.slice(mark)
  const bare = mark < 0 ? path : path.slice(0, mark)
  if (action.path !== '') return action.path.includes('?') ? action.path : action.path + query
  if (action.prefixRewrite === undefined) return path
  return action.prefixRewrite + bare.slice(action.matchedPrefix.length) + query
}
