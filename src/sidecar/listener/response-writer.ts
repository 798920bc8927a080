/**
 * Responses onto an HTTP/1.1 connection: the head from the model, the body in the frame that this client understands.
 * In: an upstream's head or a reply of our own. Out: bytes with the connection's writer. Owns the frame's state only.
 */
import { encodeFields, encodeFraming, HOP_BY_HOP, LAST_CHUNK, statusLine } from '../codec/http1/encode.ts'
import { BODY_CHUNKED, BODY_LENGTH, BODY_UNTIL_CLOSE } from '../codec/body.ts'
import { type Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import type { Writer } from '../pool/writer.ts'
import type { HttpSettings } from '../stream/context.ts'
import { dateLine, DROP_RESPONSE, encodeOwnResponseLines } from '../stream/headers.ts'

export class ResponseWriter {
  readonly #writer: Writer
  readonly #settings: HttpSettings
  #minor = 1
  #chunked = false
  /** The client can tell where the body under way should end. */
  isFramed = true

  constructor(writer: Writer, settings: HttpSettings) {
    this.#writer = writer
    this.#settings = settings
  }

  /** For a request of HTTP/1.`minor`. */
  begin(minor: number): void {
    this.#minor = minor
    this.#chunked = false
    this.isFramed = true
  }

  /** Clients of HTTP/1.0 know no interim responses. */
  interim(head: Head): void {
    if (this.#minor === 0) return
    this.#writer.text(statusLine(head.status))
    encodeFields(this.#writer, head, HOP_BY_HOP)
    this.#writer.text('\r\n')
  }

  /** Returns whether the connection can be kept: a body without length ends an HTTP/1.0 one. */
  head(head: Head, framing: Framing, serviceMs: number, keepAlive: boolean): boolean {
    const out = this.#writer
    out.text(statusLine(head.status))
    encodeFields(out, head, DROP_RESPONSE)
    encodeOwnResponseLines(out, head, this.#settings, serviceMs)
    let kept = keepAlive
    if (framing.kind === BODY_CHUNKED || framing.kind === BODY_UNTIL_CLOSE) {
      this.#chunked = this.#minor === 1
      if (this.#chunked) encodeFraming(out, BODY_CHUNKED, 0)
      else kept = this.isFramed = false
    } else if (framing.hasLength && head.status !== 204) encodeFraming(out, BODY_LENGTH, framing.lengthBytes)
    out.text(this.#connectionLine(kept))
    out.text('\r\n')
    return kept
  }

  // hot
  body(buf: Buffer, start: number, end: number): void {
    if (this.#chunked) this.#writer.chunk(buf, start, end)
    else this.#writer.body(buf, start, end)
  }

  end(): void {
    if (this.#chunked) this.#writer.text(LAST_CHUNK)
  }

  local(status: number, body: string, lines: string, isHead: boolean, keepAlive: boolean): void {
    const { serverName, proxy } = this.#settings
    const own = `server: ${serverName}\r\n${dateLine(proxy.nowEpochMs())}content-length: ${body.length}\r\n`
    this.#writer.text(`${statusLine(status)}${lines}${own}${this.#connectionLine(keepAlive)}\r\n`)
    if (!isHead) this.#writer.text(body)
  }

  switching(head: Head): void {
    this.#writer.text(statusLine(101))
    encodeFields(this.#writer, head, DROP_RESPONSE)
    this.#writer.text('connection: upgrade\r\nupgrade: websocket\r\n\r\n')
  }

  #connectionLine(keepAlive: boolean): string {
    if (!keepAlive) return 'connection: close\r\n'
    return this.#minor === 0 ? 'connection: keep-alive\r\n' : ''
  }
}
