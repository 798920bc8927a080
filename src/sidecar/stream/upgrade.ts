/**
 * Whether a request asks to become a tunnel: an HTTP/1.1 Upgrade (RFC 9110 section 7.8), or an extended CONNECT of
 * HTTP/2 (RFC 8441). What is not well formed is no upgrade: the request goes on as a plain one.
 */
import { BODY_NONE, type BodyFraming } from '../codec/body.ts'
import type { DownstreamProtocol } from '../codec/protocol.ts'
import type { Head } from '../codec/head.ts'
import { nameId } from '../codec/names.ts'
import type { RouteAction } from '../route/action.ts'

const UPGRADE = nameId('upgrade')
const WEBSOCKET_KEY = nameId('sec-websocket-key')
const WEBSOCKET_VERSION = nameId('sec-websocket-version')

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/
/** Those change the protocol of the connection itself: both are negotiated in other ways. */
const OF_THE_CONNECTION = /^(?:h2c|tls)(?:\/|$)/

/** The protocol asked for, '' for none. `asked`: the head has `Connection: upgrade` and Upgrade. */
export function upgradeOf(method: string, head: Head, framing: BodyFraming, asked: boolean): string {
  if (!asked || framing.kind !== BODY_NONE) return ''
  const protocol = head.get(UPGRADE).toLowerCase()
  if (!TOKEN.test(protocol) || OF_THE_CONNECTION.test(protocol)) return ''
  if (protocol !== 'websocket') return protocol
  const handshake = method === 'GET' && head.get(WEBSOCKET_VERSION) === '13' && isKey(head.get(WEBSOCKET_KEY))
  return handshake ? protocol : ''
}

/**
 * Whether a request may become a tunnel here: a route's word counts before the connection manager's. A CONNECT must end
 * here besides: it is never passed on as it is.
 */
export function isUpgradeAllowed(
  type: string,
  manager: DownstreamProtocol['upgrades'],
  action: RouteAction | undefined,
): boolean {
  const route = action?.kind === 'forward' ? action.protocol : null
  if (type === 'connect' && route?.terminatesConnect !== true) return false
  return route?.upgrades.get(type) ?? (manager === null ? type !== 'connect' : manager.get(type) === true)
}

/** Sixteen bytes in base64 (RFC 6455 section 4.2.1). */
function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(text)
}
