/** Path and authority of a request out of its target and its Host (RFC 9112 sections 3.2 and 3.3). */
import { normalizePath } from '../../lib/normalize-path.ts'
import { parseTarget } from '../codec/http1/target.ts'
import type { Exchange } from '../exchange.ts'
import { addressLabel } from '../pool/address.ts'
import type { ConnectionInfo } from '../stream/context.ts'

const SLASH = 0x2f

/** Fills `x.path` with the path's one form, and `x.authority` where the target or the connection says it. False: none of the forms. */
export function resolveTarget(x: Exchange, target: string, info: ConnectionInfo): boolean {
  let path: string | undefined
  if (target.charCodeAt(0) === SLASH) path = normalizePath(target)
  else {
    const parsed = parseTarget(x.method, target)
    // a plaintext listener cannot answer for https
    if (parsed === undefined || parsed.scheme === 'https') return false
    path = parsed.path.charCodeAt(0) === SLASH ? normalizePath(parsed.path) : parsed.path
    // absolute-form replaces Host: two readers must not go by two names
    if (parsed.form === 'absolute') x.authority = parsed.authority
  }
  if (path === undefined) return false
  x.path = path
  // HTTP/1.0 without Host: the address that was dialled
  if (x.authority === '') x.authority = info.originalDst === null ? info.localAddress : addressLabel(info.originalDst)
  return true
}
