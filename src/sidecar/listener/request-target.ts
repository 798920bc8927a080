/** Path and authority of a request out of its target and its Host (RFC 9112 sections 3.2 and 3.3). */
import { normalizePath } from '../../lib/normalize-path.ts'
import { parseTarget } from '../codec/http1/target.ts'
import type { Exchange } from '../exchange.ts'
import { addressLabel } from '../pool/address.ts'
import type { ConnectionInfo } from '../stream/context.ts'
import { formOf, type SlashRules } from './slashes.ts'

const SLASH = 0x2f

/**
 * Fills `x.path` with the path's one form, `x.authority` where the target or the connection says it, and `x.fault` where
 * the rules have an answer of their own. False: none of the forms.
 */
export function resolveTarget(x: Exchange, target: string, info: ConnectionInfo, rules: SlashRules): boolean {
  let path: string | undefined
  if (target.charCodeAt(0) === SLASH) path = readPath(x, target, rules)
  else {
    const parsed = parseTarget(x.method, target)
    if (parsed === undefined) return false
    // what the connection is not cannot be answered for
    if (parsed.form === 'absolute' && parsed.scheme !== info.scheme) return false
    path = parsed.path.charCodeAt(0) === SLASH ? readPath(x, parsed.path, rules) : parsed.path
    // absolute-form replaces Host: two readers must not go by two names
    if (parsed.form === 'absolute') x.authority = parsed.authority
  }
  if (path === undefined) return false
  x.path = path
  // HTTP/1.0 without Host: the address that was dialled
  if (x.authority === '') x.authority = info.originalDst === null ? info.localAddress : addressLabel(info.originalDst)
  return true
}

// hot
function readPath(x: Exchange, target: string, rules: SlashRules): string | undefined {
  if (!rules.mergeSlashes && rules.escapedSlashes === 'keep') return normalizePath(target)
  const { path, isRefused, isRedirect } = formOf(target, rules)
  if (isRefused) x.fault = 'path_refused'
  if (isRedirect) x.fault = 'path_redirect'
  return isRefused ? target : path
}
