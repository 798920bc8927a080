/** Tells the connection preface of HTTP/2 (RFC 9113 section 3.4) from an HTTP/1.1 request by its first bytes. */
import { CLIENT_PREFACE } from '../codec/http2/frame.ts'

/** Both are still possible. */
export const MORE_NEEDED = 2

/** `first`: all that has come so far. No request of HTTP/1.1 begins with `PRI * HTTP/2.0`. */
export function looksLikeHttp2(first: Buffer): boolean | typeof MORE_NEEDED {
  const length = Math.min(first.length, CLIENT_PREFACE.length)
  if (first.compare(CLIENT_PREFACE, 0, length, 0, length) !== 0) return false
  return length === CLIENT_PREFACE.length ? true : MORE_NEEDED
}
