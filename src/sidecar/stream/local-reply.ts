/**
 * What the proxy answers by itself: one table from fault to status, response flag, details and body.
 * In: a fault and what is known of it. Out: a reply. The texts are Envoy's: people search for them.
 */
import type { OwnField } from '../codec/head-encoder.ts'
import { statusLine } from '../codec/http1/encode.ts'
import { headerName } from '../codec/names.ts'
import { UPGRADE_REQUIRED } from '../codec/verdict.ts'
import type { Exchange, FilterFault, RequestFault } from '../exchange.ts'
import { type DirectAction, type RedirectAction, redirectLocation } from '../route/action.ts'

export type Fault =
  | FilterFault
  | RequestFault
  | 'upgrade_refused'
  | 'connect_refused'
  | 'no_route'
  | 'no_cluster'
  | 'no_endpoint'
  | 'connect_failure'
  | 'connect_timeout'
  | 'connection_termination'
  | 'protocol_error'
  | 'remote_reset'
  | 'refused_stream'
  | 'overflow'
  | 'no_upgrades'
  | 'refused_target'
  | 'idle_timeout'
  | 'route_timeout'
  | 'per_try_timeout'
  | 'request_timeout'
  | 'max_duration'
  | 'upstream_max_duration'
  | 'slow_body'
  | 'stalled'

interface FaultRow {
  status: number
  /** Envoy's short flag; '' is none. */
  flag: string
  details: string
  /** Of the reset behind it, for the body; '' where the body is fixed. */
  resetReason: string
  body: string
}

const row = (status: number, flag: string, details: string, body = ''): FaultRow => ({
  status,
  flag,
  details,
  resetReason: '',
  body,
})

const reset = (status: number, flag: string, reason: string, details: string): FaultRow => ({
  status,
  flag,
  details,
  resetReason: reason,
  body: '',
})

const TABLE: Record<Fault, FaultRow> = {
  // the filter has said which rule it was
  rbac_denied: row(403, '', '', 'RBAC: access denied'),
  path_refused: row(400, '', 'path_normalization_failed'),
  path_redirect: row(307, '', 'path_normalized'),
  bad_max_forwards: row(400, '', 'bad_max_forwards'),
  last_hop: row(200, '', 'max_forwards_reached'),
  loop: row(508, '', 'loop_detected', 'loop detected'),
  upgrade_refused: row(403, '', 'upgrade_failed'),
  connect_refused: row(405, '', 'connect_not_allowed'),
  no_route: row(404, 'NR', 'route_not_found'),
  no_cluster: row(503, 'NC', 'cluster_not_found'),
  no_endpoint: row(503, 'UH', 'no_healthy_upstream', 'no healthy upstream'),
  connect_failure: reset(
    503,
    'UF',
    'remote connection failure',
    'upstream_reset_before_response_started{remote_connection_failure}',
  ),
  connect_timeout: reset(503, 'UF', 'connection timeout', 'upstream_reset_before_response_started{connection_timeout}'),
  connection_termination: reset(
    503,
    'UC',
    'connection termination',
    'upstream_reset_before_response_started{connection_termination}',
  ),
  remote_reset: reset(503, 'UR', 'remote reset', 'upstream_reset_before_response_started{remote_reset}'),
  refused_stream: reset(
    503,
    'UR',
    'remote refused stream reset',
    'upstream_reset_before_response_started{remote_refused_stream_reset}',
  ),
  protocol_error: reset(502, 'UPE', 'protocol error', 'upstream_reset_before_response_started{protocol_error}'),
  overflow: reset(503, 'UO', 'overflow', 'upstream_reset_before_response_started{overflow}'),
  no_upgrades: reset(
    503,
    'UR',
    'extended CONNECT not supported',
    'upstream_reset_before_response_started{extended_connect_not_supported}',
  ),
  refused_target: row(403, '', 'forward_proxy_target_refused', 'target refused'),
  idle_timeout: row(504, 'SI', 'stream_idle_timeout', 'stream timeout'),
  route_timeout: row(504, 'UT', 'response_timeout', 'upstream request timeout'),
  per_try_timeout: row(504, 'UT', 'upstream_per_try_timeout', 'upstream request timeout'),
  request_timeout: row(408, '', 'request_overall_timeout', 'request timeout'),
  max_duration: row(408, 'DT', 'max_duration_timeout', 'downstream duration timeout'),
  upstream_max_duration: row(
    504,
    'UMSDR',
    'upstream_max_stream_duration_reached',
    'upstream max stream duration reached',
  ),
  slow_body: row(408, '', 'request_body_too_slow', 'request timeout'),
  stalled: row(408, 'DC', 'downstream_write_stalled'),
}

export interface LocalReply {
  status: number
  flag: string
  details: string
  /** Bytes, each of them a character: so its length is the content's. */
  body: string
  /** Beside those that every response of ours has. */
  fields: readonly OwnField[]
}

const TEXT_PLAIN: OwnField = [headerName('content-type'), 'text/plain']
const OVERLOADED: OwnField = [headerName('x-envoy-overloaded'), 'true']
/** A moment later there may be room, or somebody to serve. */
const RETRY_AFTER: OwnField = [headerName('retry-after'), '1']
const MARKS: Partial<Record<Fault, readonly OwnField[]>> = {
  overflow: [OVERLOADED, RETRY_AFTER],
  no_endpoint: [RETRY_AFTER],
}
const LOCATION = headerName('location')

/** `transport`: why the connection failed, '' where unknown. `retried`: this was not the first attempt. */
export function localReply(fault: Fault, transport = '', retried = false): LocalReply {
  const { status, flag, details, resetReason, body } = TABLE[fault]
  const marks = MARKS[fault] ?? []
  if (resetReason === '') return { status, flag, details, body, fields: body === '' ? marks : [TEXT_PLAIN, ...marks] }
  const again = retried ? 'retried and the latest ' : ''
  const why = transport === '' ? '' : `, transport failure reason: ${Buffer.from(transport).toString('latin1')}`
  const text = `upstream connect error or disconnect/reset before headers. ${again}reset reason: ${resetReason}${why}`
  return { status, flag, details, body: text, fields: [TEXT_PLAIN, ...marks] }
}

/** A route that answers by itself. */
export function routeReply(action: DirectAction | RedirectAction, x: Exchange): LocalReply {
  const reply = { status: action.status, flag: '', details: 'direct_response' }
  if (action.kind === 'direct') return { ...reply, body: action.body, fields: action.body === '' ? [] : [TEXT_PLAIN] }
  return { ...reply, body: '', fields: [[LOCATION, redirectLocation(action, x.scheme, x.authority, x.path)]] }
}

/** To a request that needs no route: what it says itself is the reason. */
export function requestReply(fault: FilterFault | RequestFault, x: Exchange): LocalReply {
  const reply = localReply(fault)
  return fault === 'path_redirect' ? { ...reply, fields: [[LOCATION, localReference(x.path)]] } : reply
}

/** Two slashes at its start would make a host of what follows (RFC 3986 section 4.2). */
function localReference(path: string): string {
  return path.startsWith('//') ? `/.${path}` : path
}

/** A reply to bytes that were no request: no request text is echoed, and nothing after them is read. */
export function protocolReply(status: number): string {
  const upgrade = status === UPGRADE_REQUIRED ? 'upgrade: HTTP/1.1\r\nconnection: upgrade, close' : 'connection: close'
  return `${statusLine(status)}content-length: 0\r\n${upgrade}\r\n\r\n`
}
