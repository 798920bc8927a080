/** Tells the connection preface of HTTP/2 (RFC 9113 section 3.4) from an HTTP/1.1 request by its first bytes. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Both are still possible. */
export const MORE_NEEDED = 2

/** `first`: all that has come so far. No request of HTTP/1.1 begins with `PRI * HTTP/2.0`. */
export function looksLikeHttp2(first: Buffer): boolean | typeof MORE_NEEDED {
  const length = Math.min(first.length, PREFACE.length)
  if (first.compare(PREFACE, 0, length, 0, length) !== 0) return false
  return length === PREFACE.length ? true : MORE_NEEDED
}
