/**
 * One request of an HTTP/2 connection and its response: between a stream of the session and the proxy's own.
 * In: the session's events. Out: calls on both. Owns: its `Stream`. Serves one request after another.
 */
import { BODY_LENGTH, BODY_NONE, type BodyFraming } from '../codec/body.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import { NO_FIELDS } from '../codec/http1/encode.ts'
import { type ErrorCode, INTERNAL_ERROR, NO_ERROR } from '../codec/http2/errors.ts'
import { Http2HeadEncoder } from '../codec/http2/head-encoder.ts'
import { INVALID_MESSAGE } from '../codec/http2/message-reader.ts'
import { type Http2Stream, NOBODY, type StreamHandler } from '../codec/http2/stream.ts'
import { dropForbiddenTrailers } from '../codec/trailers.ts'
import { readUnderscores } from '../codec/underscores.ts'
import { BAD_MESSAGE, MALFORMED, NOT_SERVED, type Verdict } from '../codec/verdict.ts'
import type { ConnectionInfo, HttpSettings } from '../stream/context.ts'
import type { DownstreamPeer } from '../stream/downstream-peer.ts'
import { encodeInterim, encodeOwnFields, encodeResponseFields } from '../stream/headers.ts'
import { Stream } from '../stream/stream.ts'
import type { Http2Rests } from './http2-rests.ts'
import { Pace } from './pace.ts'
import { StallGuard } from './stall.ts'
import type { HeadTexts } from './head-texts.ts'
import { resolveTarget } from './request-target.ts'

/** What it asks of its connection. */
export interface Http2ExchangeOwner {
  readonly settings: HttpSettings
  readonly info: ConnectionInfo
  readonly texts: HeadTexts
  readonly rests: Http2Rests
  /** It has got something in this read, and wants `endRead` when the read is over. */
  touch(exchange: Http2Exchange): void
  release(exchange: Http2Exchange): void
}

const NOT_IMPLEMENTED = 501
/** A request that no status answers. */
const RESET = 0

export class Http2Exchange implements DownstreamPeer, StreamHandler {
  /** In the list of those touched in this read. */
  isTouched = false
  /** In the list of those under way; -1: in none. */
  place = -1
  readonly #owner: Http2ExchangeOwner
  readonly #stream: Stream
  #h2: Http2Stream | null = null
  #generation = 0
  #out: Http2HeadEncoder | null = null
  #requestEnded = false
  #sentEnd = false
  #expectContinue = false
  /** Made when they are first wanted: most requests have no body, and most readers read. */
  #pace: Pace | null = null
  #stall: StallGuard | null = null
  /** The session queues what we send. */
  #queues = false

  constructor(owner: Http2ExchangeOwner) {
    this.#owner = owner
    this.#stream = new Stream(this, owner.settings, owner.info)
  }

  attach(h2: Http2Stream): void {
    this.#h2 = h2
    this.#generation = h2.generation
    if (this.#out === null) this.#out = new Http2HeadEncoder(h2)
    else this.#out.use(h2)
    this.#requestEnded = false
    this.#sentEnd = false
    this.#queues = false
  }

  recheck(): void {
    this.#stream.recheck()
  }

  /** The connection is gone. */
  close(): void {
    this.#pace?.close()
    this.#stall?.stop()
    this.#stream.close()
  }

  /** The events of one read are over. */
  endRead(): void {
    this.isTouched = false
    if (!this.#stream.isActive) return
    this.#stream.onRequestReadEnd()
    if (!this.#requestEnded) this.#watchPace()
  }

  /** Streams of messages, tunnels, and who waits for leave to send come at their own pace. */
  #watchPace(): void {
    const { x, upgrade, isAnswered } = this.#stream
    if (!this.#stream.wantsBody) return // nobody does yet
    if (upgrade !== '' || isAnswered || x.protocol === 'grpc') this.#pace?.end()
    else if (this.#pace?.isRunning !== true && (!this.#expectContinue || x.bytesReceived > 0)) {
      this.#pace ??= new Pace(
        this.#owner.settings.proxy,
        () => x.bytesReceived,
        () => this.#stream.onPeerStalled('slow_body'),
      )
      this.#pace.begin()
    }
  }

  // ---- the request, from the session

  onHead(h2: Http2Stream, head: Head, framing: BodyFraming): void {
    const { x } = this.#stream
    const { texts, info, settings } = this.#owner
    const { protocol: rules } = settings
    x.reset()
    x.httpVersion = 'HTTP/2'
    x.method = texts.method.read(head.bytes, head.methodStart, head.methodEnd)
    x.authority = texts.authority.read(head.bytes, head.authorityStart, head.authorityEnd)
    const hasProtocol = head.protocolEnd > head.protocolStart
    const protocol = hasProtocol ? head.text(head.protocolStart, head.protocolEnd).toLowerCase() : ''
    this.#requestEnded = framing.kind === BODY_NONE
    this.#expectContinue = framing.expectContinue
    const isConnect = protocol === '' && x.method === 'CONNECT'
    if (protocol !== '') x.method = 'GET' // an upgrade by another name: routes and rules see it as one (as in Envoy)
    if (x.method === 'TRACE') {
      this.#refuse(NOT_SERVED, '', 'method_not_allowed')
      return
    }
    if (
      (rules.common.underscores !== 'allow' && !readUnderscores(head, rules.common.underscores)) ||
      (!isConnect && !resolveTarget(x, texts.target.read(head.bytes, head.targetStart, head.targetEnd), info, rules))
    ) {
      this.#refuse(BAD_MESSAGE, 'DPE', 'http2.invalid_header')
      return
    }
    this.#owner.touch(this)
    const upgrade = isConnect ? 'connect' : protocol
    this.#stream.begin(head, upgrade === '' ? framing : NO_BODY, upgrade)
    // what comes before anybody can take it waits in the session, within the stream's window
    if (this.#h2 !== null && !this.#requestEnded && !this.#stream.wantsBody) h2.pause()
  }

  // hot
  onData(_h2: Http2Stream, buf: Buffer, start: number, end: number): void {
    if (!this.#stream.isActive) return
    this.#owner.touch(this)
    this.#stream.onRequestBody(buf, start, end)
  }

  onTrailers(_h2: Http2Stream, head: Head): void {
    if (this.#stream.isActive && dropForbiddenTrailers(head, [])) this.#stream.onRequestTrailers(head)
  }

  onEnd(): void {
    const wasEnded = this.#requestEnded
    this.#requestEnded = true
    this.#pace?.end()
    const { isActive, isTunnel, upgrade } = this.#stream
    // it was known from the head; of a tunnel it is told when that stands
    if (!isActive || (upgrade === '' ? wasEnded : !isTunnel)) return
    this.#owner.touch(this)
    this.#stream.onRequestEnd()
  }

  onReset(_h2: Http2Stream, code: ErrorCode, remote: boolean): void {
    this.#h2 = null
    this.#pace?.end()
    this.#stall?.stop()
    if (code !== NO_ERROR && !remote) this.#stream.onRequestError(RESET, INVALID_MESSAGE)
    else this.#stream.onDownstreamGone()
    this.#owner.release(this)
  }

  onDrain(): void {
    this.#queues = false
    this.#stream.onDownstreamDrain()
  }

  // ---- for the stream

  resumeRequest(): void {
    this.#pace?.resume()
    const inRead = this.isTouched
    const hadEnded = this.#requestEnded
    this.#h2?.resume()
    if (hadEnded && this.#stream.isTunnel) this.#stream.onRequestEnd()
    // what was held came outside of a read of the connection: nobody else says that it is over
    if (!inRead) this.endRead()
  }

  pauseRequest(): void {
    this.#pace?.pause()
    this.#h2?.pause()
  }

  sendInterim(head: Head): void {
    encodeInterim(this.#out!, head)
  }

  sendHead(head: Head, framing: BodyFraming, serviceMs: number): void {
    const out = this.#out!
    encodeResponseFields(out, this.#answerTo(head.status), head, this.#owner.settings, serviceMs)
    if (framing.hasLength && head.status !== 204) out.framing(BODY_LENGTH, framing.lengthBytes)
    this.#sentEnd = framing.kind === BODY_NONE
    out.end(this.#sentEnd)
  }

  /**
   * To an extended CONNECT any 2xx means that the tunnel stands (RFC 8441 section 5): an upgrade that was answered as if
   * nothing had been asked for must look like what it is, not done.
   */
  #answerTo(status: number): number {
    return this.#stream.upgrade !== '' && status >= 200 && status < 300 ? NOT_IMPLEMENTED : status
  }

  /** Of a CONNECT, plain or extended, both answered by 200. */
  sendTunnel(head: Head): void {
    const out = this.#out!
    encodeResponseFields(out, 200, head, this.#owner.settings, this.#stream.x.upstreamServiceMs)
    out.end(false)
  }

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    if (!this.#h2!.sendData(buf, start, end)) this.#queues = true
  }

  sendTrailers(head: Head): void {
    const out = this.#out!
    out.trailers()
    out.fields(head, NO_FIELDS)
    this.#sentEnd = true
    out.end(true)
  }

  sendEnd(): void {
    if (this.#sentEnd) return
    this.#sentEnd = true
    this.#h2?.sendEnd()
  }

  sendLocal(status: number, body: string, fields: readonly OwnField[]): void {
    const out = this.#out!
    encodeOwnFields(out, this.#answerTo(status), this.#owner.settings)
    for (const [name, value] of fields) out.field(name, value)
    const bare = body === '' || this.#stream.method === 'HEAD'
    if (body !== '') out.framing(BODY_LENGTH, body.length)
    out.end(bare)
    if (!bare) {
      this.#h2!.sendData(Buffer.from(body, 'latin1'), 0, body.length)
      this.#h2!.sendEnd()
    }
    this.#sentEnd = true
  }

  /** The connection writes by itself at the end of the turn. */
  flush(): boolean {
    if (this.#queues && !this.#stream.isTunnel) this.#watchStall()
    return !this.#queues
  }

  /** A peer that opens no window holds what waits for it. */
  #watchStall(): void {
    this.#stall ??= new StallGuard(
      this.#owner.settings.proxy.wheel,
      () => this.#queues,
      () => this.#stream.x.bytesSent - (this.#h2?.queuedBytes ?? 0),
      () => this.#stream.onPeerStalled('stalled'),
    )
    this.#stall.watch()
  }

  abort(): void {
    this.#end(INTERNAL_ERROR)
  }

  exchangeDone(): void {
    this.#end(this.#requestEnded ? null : NO_ERROR) // answered early: RFC 9113 section 8.1
  }

  /** The session has refused a request's head: those that only a reset answers have no status. */
  recordRefused(verdict: Verdict, details: string): void {
    const { x } = this.#stream
    x.reset()
    x.httpVersion = 'HTTP/2'
    this.#stream.onRefused(verdict === MALFORMED ? RESET : verdict, 'DPE', details)
  }

  /** A request that no stream has seen. */
  #refuse(status: number, flag: string, details: string): void {
    const out = this.#out!
    this.#stream.onRefused(status, flag, details)
    encodeOwnFields(out, status, this.#owner.settings)
    out.end(true)
    this.#end(this.#requestEnded ? null : NO_ERROR)
  }

  /** `code`: of a reset, `null` where both ways end by themselves. */
  #end(code: ErrorCode | null): void {
    const h2 = this.#h2
    this.#h2 = null
    this.#pace?.end()
    this.#stall?.stop()
    if (h2 !== null && h2.generation === this.#generation) {
      h2.owner = NOBODY // what is queued still goes out
      const isQueued = h2.queuedBytes > 0 && (code === null || code === NO_ERROR)
      if (isQueued && code !== null) h2.stopWhenSent()
      else if (code !== null) h2.reset(code)
      if (isQueued) this.#owner.rests.watch(h2)
    }
    this.#owner.release(this)
  }
}

const NO_BODY: BodyFraming = { kind: BODY_NONE, lengthBytes: 0, hasLength: false, expectContinue: false }
