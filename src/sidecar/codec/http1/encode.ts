/**
 * Heads and chunk frames to bytes, from the parsed model: `name: value CRLF` for each field that stays, our own after.
 * In: a head, which names to leave out, lines to add. Out: bytes in a sink. Leaf: the sink belongs to a connection.
 * A run of fields that already stand in this very form is copied at once: the parser has checked each byte of it.
 */
import { BODY_CHUNKED, BODY_LENGTH, type BodyKind } from '../body.ts'
import { CR, SP } from '../bytes.ts'
import type { HeadEncoder } from '../head-encoder.ts'
import type { Head } from '../head.ts'
import { headerName, type HeaderName, nameSet, NUM_NAMES } from '../names.ts'
import { reasonOf } from './reasons.ts'

const CONTENT_LENGTH = headerName('content-length')

/** Where encoded bytes go; implemented by a connection's writer. */
export interface ByteSink {
  /** Latin-1 text. */
  text(text: string): void
  /** A whole number >= 0. */
  decimal(value: number): void
  bytes(buf: Buffer, start: number, end: number): void
}

/** Fields of one hop, RFC 9110 section 7.6.1: never passed on. Framing is made anew, Host stands in the model. */
export const HOP_BY_HOP = nameSet(
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'http2-settings',
  'proxy-authorization',
  'proxy-authenticate',
)

/** The head under way on one connection. */
export class Http1HeadEncoder implements HeadEncoder {
  readonly #out: ByteSink

  constructor(out: ByteSink) {
    this.#out = out
  }

  request(method: string, path: string, authority: string, protocol: string): void {
    const out = this.#out
    out.text(method)
    out.text(' ')
    out.text(path)
    out.text(' HTTP/1.1\r\nhost: ')
    out.text(authority)
    out.text('\r\n')
    if (protocol !== '') out.text(`connection: upgrade\r\nupgrade: ${protocol}\r\n`)
  }

  status(status: number): void {
    this.#out.text(statusLine(status))
  }

  // hot: a run of fields that already stand in this very form is copied at once
  fields(head: Head, drop: Uint8Array): void {
    const out = this.#out
    const { bytes, count } = head
    let runStart = -1
    let runEnd = 0
    for (let i = 0; i < count; i++) {
      const id = head.id(i)
      const kept = id >= 0 && drop[id] !== 1
      const nameStart = head.nameStart(i)
      const nameEnd = head.nameEnd(i)
      const valueStart = head.valueStart(i)
      const valueEnd = head.valueEnd(i)
      const plain = valueStart === nameEnd + 2 && bytes[nameEnd + 1] === SP && bytes[valueEnd] === CR
      if (runStart >= 0 && !(kept && plain && nameStart === runEnd)) {
        out.bytes(bytes, runStart, runEnd)
        runStart = -1
      }
      if (!kept) continue
      if (plain) {
        if (runStart < 0) runStart = nameStart
        runEnd = valueEnd + 2
      } else {
        out.bytes(bytes, nameStart, nameEnd)
        out.text(': ')
        out.bytes(bytes, valueStart, valueEnd)
        out.text('\r\n')
      }
    }
    if (runStart >= 0) out.bytes(bytes, runStart, runEnd)
  }

  field(name: HeaderName, value: string): void {
    const out = this.#out
    out.text(name.line)
    out.text(value)
    out.text('\r\n')
  }

  uniqueField(name: HeaderName, value: string): void {
    this.field(name, value)
  }

  decimal(name: HeaderName, value: number): void {
    const out = this.#out
    out.text(name.line)
    out.decimal(value)
    out.text('\r\n')
  }

  framing(kind: BodyKind, lengthBytes: number): void {
    if (kind === BODY_CHUNKED) this.#out.text('transfer-encoding: chunked\r\n')
    else if (kind === BODY_LENGTH) this.decimal(CONTENT_LENGTH, lengthBytes)
  }

  end(): void {
    this.#out.text('\r\n')
  }
}

export const LAST_CHUNK = '0\r\n\r\n'
/** Drops nothing but what is marked as dropped. */
export const NO_FIELDS = new Uint8Array(NUM_NAMES)

/** The end of a chunked body that has trailers, instead of LAST_CHUNK. */
export function encodeTrailers(out: ByteSink, trailers: Head): void {
  out.text('0\r\n')
  const encoder = new Http1HeadEncoder(out)
  encoder.fields(trailers, NO_FIELDS)
  encoder.end()
}

/** `HTTP/1.1 404 Not Found CRLF`; the upstream's own reason is not passed on. */
export function statusLine(status: number): string {
  return (STATUS_LINES[status] ??= lineOf(status))
}

function lineOf(status: number): string {
  return `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`
}

/** By status, 100 to 999; each made when it is first sent. */
const STATUS_LINES: (string | undefined)[] = Array.from({ length: 1000 }, () => undefined)
