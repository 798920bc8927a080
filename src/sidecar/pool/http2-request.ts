/**
 * One exchange on an HTTP/2 link: between a stream of the proxy and one of the session.
 * In: calls of its handler, events of the session. Out: calls on both. Serves one exchange after another.
 */
import { BODY_NONE, type BodyFraming } from '../codec/body.ts'
import { type Head, sizeOf } from '../codec/head.ts'
import { NO_FIELDS } from '../codec/http1/encode.ts'
import {
  CANCEL,
  ENHANCE_YOUR_CALM,
  type ErrorCode,
  errorName,
  NO_ERROR,
  REFUSED_STREAM,
} from '../codec/http2/errors.ts'
import { Http2HeadEncoder, type Scheme } from '../codec/http2/head-encoder.ts'
import { type Http2Stream, NOBODY, type StreamHandler } from '../codec/http2/stream.ts'
import { dropForbiddenTrailers } from '../codec/trailers.ts'
import { MAX_INTERIM_BYTES } from './interim.ts'
import type { ResetFault, UpstreamExchange, UpstreamHandler } from './upstream.ts'

/** What it asks of its link. */
export interface Http2RequestOwner {
  readonly peerId: string
  readonly localAddress: string
  readonly scheme: Scheme
  /** The link itself is gone, and with it its streams. */
  readonly isGone: boolean
  readonly hasServed: boolean
  touch(request: Http2Request): void
  /** A stream was reset from this side. */
  onReset(): void
  /** Its exchange is over and told: it may serve another. */
  release(request: Http2Request): void
}

export class Http2Request implements UpstreamExchange, StreamHandler {
  readonly encoder: Http2HeadEncoder
  reused = false
  readonly canRefuse = true
  /** In the list of those touched in this read. */
  isTouched = false
  readonly #owner: Http2RequestOwner
  #handler: UpstreamHandler
  #h2: Http2Stream
  #generation = 0
  #over = false
  #requestEnded = false
  #responseEnded = false
  #isTunnel = false
  #queues = false
  /** Its exchange ended well, so nobody holds on to it. */
  #isFree = false
  #interimBytes = 0

  /** `h2`: opened for `handler`; `attach` makes it this one's. */
  constructor(owner: Http2RequestOwner, handler: UpstreamHandler, h2: Http2Stream) {
    this.#owner = owner
    this.#handler = handler
    this.#h2 = h2
    this.encoder = new Http2HeadEncoder(h2, owner.scheme)
  }

  /** Begins an exchange; the last one is over. */
  attach(handler: UpstreamHandler, h2: Http2Stream): void {
    this.#handler = handler
    this.#h2 = h2
    this.#generation = h2.generation
    this.reused = this.#owner.hasServed
    h2.owner = this
    this.encoder.use(h2)
    this.#over = false
    this.#requestEnded = false
    this.#responseEnded = false
    this.#isTunnel = false
    this.#queues = false
    this.#isFree = false
    this.#interimBytes = 0
  }

  get peerId(): string {
    return this.#owner.peerId
  }
  get localAddress(): string {
    return this.#owner.localAddress
  }

  // ---- the request, from its stream

  /** END_STREAM stands on the head of a request without a body. */
  beginRequest({ kind }: BodyFraming): void {
    this.#requestEnded = kind === BODY_NONE && this.#handler.upgrade === ''
  }

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    if (!this.#over && !this.#h2.sendData(buf, start, end)) this.#queues = true
  }

  sendTrailers(head: Head): void {
    if (this.#over) return
    this.encoder.trailers()
    this.encoder.fields(head, NO_FIELDS)
    this.#requestEnded = true
    this.encoder.end(true)
  }

  sendEnd(): void {
    if (this.#requestEnded || this.#over) return
    this.#requestEnded = true
    this.#h2.sendEnd()
    if (this.#isTunnel && this.#responseEnded) this.#leave(null)
  }

  /** The link writes by itself at the end of the turn. */
  flush(): boolean {
    return !this.#queues
  }
  pause(): void {
    if (!this.#over) this.#h2.pause()
  }
  resume(): void {
    if (this.#over) return
    const inRead = this.isTouched
    this.#h2.resume()
    // what was held came outside of a read of the link: nobody else says that it is over
    if (!inRead) this.endRead()
  }
  cancel(): void {
    this.#leave(CANCEL)
  }

  /** The events of one read are over. */
  endRead(): void {
    this.isTouched = false
    if (this.#over) this.#release()
    else this.#handler.onReadEnd()
  }

  // ---- the response, from the session

  onHead(_h2: Http2Stream, head: Head, framing: BodyFraming): void {
    this.#owner.touch(this)
    const handler = this.#handler
    this.reused = false // it was not stale
    if (head.status < 200) this.#onInterim(head)
    else if (handler.upgrade !== '' && head.status < 300) {
      this.#isTunnel = true
      handler.onTunnel(head)
    } else handler.onHead(head, framing)
  }

  #onInterim(head: Head): void {
    this.#interimBytes += sizeOf(head)
    if (this.#interimBytes <= MAX_INTERIM_BYTES) {
      this.#handler.onInterim(head)
      return
    }
    this.#leave(ENHANCE_YOUR_CALM)
    this.#handler.onReset('protocol_error', 'too many interim responses')
  }

  // hot
  onData(_h2: Http2Stream, buf: Buffer, start: number, end: number): void {
    if (this.#over) return
    this.#owner.touch(this)
    this.#handler.onBody(buf, start, end)
  }

  onTrailers(_h2: Http2Stream, head: Head): void {
    if (!this.#over && dropForbiddenTrailers(head, [])) this.#handler.onTrailers(head)
  }

  onEnd(): void {
    if (this.#over) return
    this.#responseEnded = true
    const whole = !this.#isTunnel || this.#requestEnded
    // what still waits of a request that is answered is not wanted; who opens no window for it would keep the stream
    const isSent = this.#requestEnded && (this.#isTunnel || this.#h2.queuedBytes === 0)
    if (whole) this.#leave(isSent ? null : NO_ERROR)
    this.#handler.onEnd()
    this.#isFree = whole
    if (!this.isTouched) this.#release()
  }

  /** Once: two exchanges would share what is given back twice. */
  #release(): void {
    if (!this.#isFree) return
    this.#isFree = false
    this.#owner.release(this)
  }

  onReset(_h2: Http2Stream, code: ErrorCode, remote: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#handler.onReset(this.#faultOf(code, remote), this.#owner.isGone ? 'closed' : `http2.${errorName(code)}`)
  }

  onDrain(): void {
    this.#queues = false
    if (!this.#over) this.#handler.onUpstreamDrain()
  }

  #faultOf(code: ErrorCode, remote: boolean): ResetFault {
    if (remote) return code === REFUSED_STREAM ? 'refused_stream' : 'remote_reset'
    return this.#owner.isGone ? 'connection_termination' : 'protocol_error'
  }

  /** `code`: of a reset, `null` where both ways end by themselves. */
  #leave(code: ErrorCode | null): void {
    if (this.#over) return
    this.#over = true
    const h2 = this.#h2
    if (h2.generation !== this.#generation) return
    h2.owner = NOBODY // what is queued still goes out
    if (code === null) return
    h2.reset(code)
    this.#owner.onReset()
  }
}
