/**
 * Heads onto a stream: the calls that any head is made of (codec/head-encoder.ts) as a header block.
 * An upgrade of HTTP/1.1 is an extended CONNECT here (RFC 8441), and its 101 a 200.
 */
import { BODY_LENGTH, type BodyKind } from '../body.ts'
import type { HeadEncoder } from '../head-encoder.ts'
import type { Head } from '../head.ts'
import { headerName, type HeaderName } from '../names.ts'
import { PSEUDO_BIT } from './hpack/fields.ts'
import { CONNECT_REQUEST, HEAD_REQUEST, type Http2Stream } from './stream.ts'

/** Of `:scheme`. */
export type Scheme = 'http' | 'https'

const CONTENT_LENGTH = headerName('content-length')
const SMALL = Array.from({ length: 1024 }, (_, n) => String(n))

export class Http2HeadEncoder implements HeadEncoder {
  #stream: Http2Stream
  readonly #scheme: Scheme

  /** `scheme`: of the requests that go this way. */
  constructor(stream: Http2Stream, scheme: Scheme = 'http') {
    this.#stream = stream
    this.#scheme = scheme
  }

  /** Serves one stream after another. */
  use(stream: Http2Stream): void {
    this.#stream = stream
  }

  request(method: string, path: string, authority: string, protocol: string, sensitive: number): void {
    const stream = this.#stream
    if (protocol !== '') stream.requestKind = CONNECT_REQUEST
    else if (method === 'HEAD') stream.requestKind = HEAD_REQUEST
    stream.beginHead()
    const { encoder } = stream
    encoder.pseudo('method', protocol === '' ? method : 'CONNECT', (sensitive & PSEUDO_BIT.method) !== 0)
    encoder.pseudo('scheme', this.#scheme)
    encoder.pseudo('authority', authority, (sensitive & PSEUDO_BIT.authority) !== 0)
    encoder.pseudo('path', path, (sensitive & PSEUDO_BIT.path) !== 0)
    if (protocol !== '') encoder.pseudo('protocol', protocol)
  }

  status(status: number): void {
    this.#stream.beginHead()
    this.#stream.encoder.status(status === 101 ? 200 : status)
  }

  /** The start of a trailer section. */
  trailers(): void {
    this.#stream.beginHead()
  }

  // hot
  fields(head: Head, drop: Uint8Array): void {
    const { encoder } = this.#stream
    for (let i = 0; i < head.count; i++) {
      const id = head.id(i)
      if (id >= 0 && drop[id] !== 1) encoder.field(head, i)
    }
  }

  field(name: HeaderName, value: string): void {
    this.#stream.encoder.text(name, value)
  }

  uniqueField(name: HeaderName, value: string): void {
    this.#stream.encoder.text(name, value, true)
  }

  decimal(name: HeaderName, value: number): void {
    this.#stream.encoder.text(name, SMALL[value] ?? String(value))
  }

  /** Frames tell where a body ends; a known length still helps who reads it. */
  framing(kind: BodyKind, lengthBytes: number): void {
    if (kind === BODY_LENGTH) this.decimal(CONTENT_LENGTH, lengthBytes)
  }

  end(last: boolean): void {
    this.#stream.endHead(last)
  }
}
