/**
 * Which trailer fields may go on. In: a parsed trailer section, the names that Connection listed in the message's head.
 * Out: the forbidden ones marked DROPPED. Leaf. Source: RFC 9110 section 6.5.1.
 *
 * A trailer comes after the decisions that its field would have changed, and some readers merge trailers into headers:
 * so nothing passes that frames, routes, identifies, or says how the message is to be read.
 */
import { latin1 } from './bytes.ts'
import type { Head } from './head.ts'
import { DROPPED } from './names.ts'

const FORBIDDEN = new Set(
  (
    'host connection keep-alive te trailer transfer-encoding upgrade expect max-forwards via forwarded http2-settings ' + // framing, routing
    'authorization www-authenticate authentication-info cookie set-cookie origin traceparent tracestate x-request-id ' + // who asks
    'x-real-ip x-http-method-override x-method-override x-original-url x-rewrite-url cache-control pragma range ' + // what is asked
    'accept age date expires location retry-after vary warning'
  ) // how the answer is read
    .split(' '),
)
/** Digests are made while the content goes by: they belong here (RFC 9530). */
const FORBIDDEN_PREFIX = /^(?:content-(?!digest$|md5$)|if-|accept-|access-control-|proxy-|x-forwarded-|x-envoy-|sec-|:)/

/** Marks what may not pass; false: nothing is left. `nominated`: lower-case names. Cold: trailers are rare. */
export function dropForbiddenTrailers(head: Head, nominated: readonly string[]): boolean {
  let left = 0
  for (let i = 0; i < head.count; i++) {
    // `_` is `-` to servers that turn names into variables
    const name = latin1(head.bytes, head.nameStart(i), head.nameEnd(i)).toLowerCase().replaceAll('_', '-')
    if (FORBIDDEN.has(name) || FORBIDDEN_PREFIX.test(name) || nominated.includes(name)) head.setId(i, DROPPED)
    if (head.id(i) !== DROPPED) left++
  }
  return left > 0
}
