/**
 * Responses onto an HTTP/1.1 connection: the head from the model, the body in the frame that this client understands.
 * In: an upstream's head or a reply of our own. Out: bytes with the connection's writer. Owns the frame's state only.
 */
import { BODY_CHUNKED, BODY_LENGTH, BODY_UNTIL_CLOSE, type BodyFraming } from '../codec/body.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import { encodeTrailers, Http1HeadEncoder, LAST_CHUNK } from '../codec/http1/encode.ts'
import { headerName } from '../codec/names.ts'
import type { HttpSettings } from '../stream/context.ts'
import { encodeInterim, encodeOwnFields, encodeResponseFields } from '../stream/headers.ts'
import type { Writer } from '../transport/writer.ts'

const CONNECTION = headerName('connection')
const UPGRADE = headerName('upgrade')

export class ResponseWriter {
  readonly #writer: Writer
  readonly #encoder: Http1HeadEncoder
  readonly #settings: HttpSettings
  #minor = 1
  #trailers = false
  #chunked = false
  /** The client can tell where the body under way should end. */
  isFramed = true

  constructor(writer: Writer, settings: HttpSettings) {
    this.#writer = writer
    this.#encoder = new Http1HeadEncoder(writer)
    this.#settings = settings
  }

  /** For a request of HTTP/1.`minor`; `trailers`: its client takes them (`TE: trailers`). */
  begin(minor: number, trailers: boolean): void {
    this.#minor = minor
    this.#trailers = trailers
    this.#chunked = false
    this.isFramed = true
  }

  /** Clients of HTTP/1.0 know no interim responses. */
  interim(head: Head): void {
    if (this.#minor === 1) encodeInterim(this.#encoder, head)
  }

  /** Returns whether the connection can be kept: a body without length ends an HTTP/1.0 one. */
  head(head: Head, framing: BodyFraming, serviceMs: number, isHead: boolean, keepAlive: boolean): boolean {
    const out = this.#encoder
    encodeResponseFields(out, head.status, head, this.#settings, serviceMs)
    let kept = keepAlive
    if (framing.kind === BODY_CHUNKED || framing.kind === BODY_UNTIL_CLOSE) {
      this.#chunked = this.#minor === 1
      if (this.#chunked) out.framing(BODY_CHUNKED, 0)
      else kept = this.isFramed = false
    } else if (framing.hasLength ? head.status !== 204 : mustTellLength(head.status, isHead))
      out.framing(BODY_LENGTH, framing.lengthBytes)
    this.#persistence(kept)
    out.end()
    return kept
  }

  // hot
  body(buf: Buffer, start: number, end: number): void {
    if (this.#chunked) this.#writer.chunk(buf, start, end)
    else this.#writer.body(buf, start, end)
  }

  /** The end of the body, for a client that takes trailers. */
  trailers(head: Head): void {
    if (!this.#chunked || !this.#trailers) return
    encodeTrailers(this.#writer, head)
    this.#chunked = false
  }

  end(): void {
    if (this.#chunked) this.#writer.text(LAST_CHUNK)
    this.#chunked = false
  }

  local(status: number, body: string, fields: readonly OwnField[], isHead: boolean, keepAlive: boolean): void {
    const out = this.#encoder
    encodeOwnFields(out, status, this.#settings)
    for (const [name, value] of fields) out.field(name, value)
    if (!hasNoBody(status)) out.framing(BODY_LENGTH, body.length)
    this.#persistence(keepAlive)
    out.end()
    if (!isHead) this.#writer.text(body)
  }

  /** The answer that makes the connection a tunnel. */
  switching(head: Head, protocol: string, serviceMs: number): void {
    const out = this.#encoder
    const isConnect = protocol === 'connect'
    encodeResponseFields(out, isConnect ? 200 : 101, head, this.#settings, serviceMs)
    if (!isConnect) {
      out.field(CONNECTION, 'upgrade')
      out.field(UPGRADE, protocol)
    }
    out.end()
    this.#chunked = false
    this.isFramed = false
  }

  #persistence(keepAlive: boolean): void {
    if (!keepAlive) this.#encoder.field(CONNECTION, 'close')
    else if (this.#minor === 0) this.#encoder.field(CONNECTION, 'keep-alive')
  }
}

/** An empty body that HTTP/2 ended with its head: here only a length tells it from one that lasts until the end. */
function mustTellLength(status: number, isHead: boolean): boolean {
  return !isHead && !hasNoBody(status)
}

/** Whatever its fields say (RFC 9112 section 6.3). */
function hasNoBody(status: number): boolean {
  return status === 204 || status === 304
}
