/**
 * SNI and ALPN of a TLS ClientHello, read without consuming it (RFC 8446 section 4.1.2; Envoy: tls_inspector).
 * In: the first bytes of a connection. Out: not TLS, not whole yet, or the two. Leaf; believes nothing it reads.
 */

const HANDSHAKE = 0x16
const CLIENT_HELLO = 1
const EXT_SERVER_NAME = 0
const EXT_ALPN = 16
/** RFC 8446: a handshake message may be larger, a ClientHello never is in practice. */
const MAX_HELLO_BYTES = 16 * 1024

export type Hello = { kind: 'more' } | { kind: 'plain' } | { kind: 'tls'; sni: string; alpn: string[] }

export function readClientHello(buf: Buffer): Hello {
  if (buf.length === 0) return { kind: 'more' }
  if (buf[0] !== HANDSHAKE || (buf.length > 1 && buf[1] !== 3)) return { kind: 'plain' }
  const message = joinRecords(buf)
  if (message === 'more') return { kind: 'more' }
  if (message === 'plain') return { kind: 'plain' }
  if (message[0] !== CLIENT_HELLO) return { kind: 'plain' }
  const hello = new Reader(message, 4)
  hello.skip(2 + 32)
  hello.skip(hello.u8()) // session id
  hello.skip(hello.u16()) // cipher suites
  hello.skip(hello.u8()) // compression methods
  const result = { kind: 'tls' as const, sni: '', alpn: [] as string[] }
  const end = hello.u16() + hello.at
  while (hello.at < end && !hello.overrun) {
    const type = hello.u16()
    const length = hello.u16()
    if (type === EXT_SERVER_NAME) result.sni = serverName(new Reader(message, hello.at))
    else if (type === EXT_ALPN) result.alpn = protocols(new Reader(message, hello.at))
    hello.skip(length)
  }
  return result
}

/** The handshake message, out of as many records as it takes. */
function joinRecords(buf: Buffer): Buffer | 'more' | 'plain' {
  const parts: Buffer[] = []
  let at = 0
  let gathered = 0
  let wanted = 4
  while (gathered < wanted) {
    if (buf.length < at + 5) return buf.length > MAX_HELLO_BYTES ? 'plain' : 'more'
    if (buf[at] !== HANDSHAKE) return 'plain'
    const length = buf.readUInt16BE(at + 3)
    if (length === 0 || length > MAX_HELLO_BYTES) return 'plain'
    if (buf.length < at + 5 + length) return buf.length > MAX_HELLO_BYTES ? 'plain' : 'more'
    parts.push(buf.subarray(at + 5, at + 5 + length))
    gathered += length
    at += 5 + length
    if (gathered >= 4 && wanted === 4) {
      const head = Buffer.concat(parts)
      wanted = 4 + head.readUIntBE(1, 3)
      if (wanted > MAX_HELLO_BYTES) return 'plain'
    }
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function serverName(list: Reader): string {
  list.skip(2)
  return list.u8() === 0 ? list.text(list.u16()).toLowerCase() : ''
}

function protocols(list: Reader): string[] {
  const names: string[] = []
  const end = list.u16() + list.at
  while (list.at < end && !list.overrun) names.push(list.text(list.u8()))
  return names
}

/** Reads past the end as zeros, and says so. */
class Reader {
  at: number
  readonly #buf: Buffer
  constructor(buf: Buffer, at: number) {
    this.#buf = buf
    this.at = at
  }
  get overrun(): boolean {
    return this.at > this.#buf.length
  }
  u8(): number {
    return this.#buf[this.at++] ?? 0
  }
  u16(): number {
    return this.u8() * 256 + this.u8()
  }
  skip(bytes: number): void {
    this.at += bytes
  }
  text(bytes: number): string {
    const start = this.at
    this.at += bytes
    return this.#buf.toString('latin1', start, this.at)
  }
}
