/**
 * An accepted HTTP/1.1 connection: requests off it, responses onto it, strictly in order.
 * In: a socket, the first bytes read from it. Out: calls on its stream. Owns: the socket, its reader and writer.
 *
 *   HEAD --whole head--> BODY --its end--> WAIT (for the response) --response out--> HEAD
 *   HEAD, BODY --not well formed--> CLOSING      BODY --answered before its end, short--> DISCARD --its end--> HEAD
 *   BODY, raw --tunnel ended--> CLOSED       any --socket gone--> CLOSED       CLOSING: what comes is thrown away for a second
 *
 * One request at a time: bytes of the next one (pipelining) are held and the socket is paused, so a client that sends
 * ahead costs one read buffer and cannot pile up answers.
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { BODY_LENGTH, BODY_NONE, type BodyFraming, type BodySink } from '../codec/body.ts'
import { LastText } from '../codec/bytes.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import { BodyReader, Framing } from '../codec/http1/framing.ts'
import { HeadReader } from '../codec/http1/head.ts'
import { parseTarget } from '../codec/http1/target.ts'
import { BAD_MESSAGE, DONE, MORE, type Verdict } from '../codec/verdict.ts'
import type { ConnectionInfo, HttpSettings } from '../stream/context.ts'
import type { DownstreamPeer } from '../stream/downstream-peer.ts'
import { protocolReply } from '../stream/local-reply.ts'
import { Stream } from '../stream/stream.ts'
import { upgradeOf } from '../stream/upgrade.ts'
import { openTransport } from '../transport/open.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { Writer } from '../transport/writer.ts'
import type { Connection, ConnectionOwner, ConnectHandler, Downlink } from './connection.ts'
import { InputGate } from './input-gate.ts'
import { Linger } from './linger.ts'
import { looksLikeHttp2, MORE_NEEDED } from './preface.ts'
import { resolveTarget } from './request-target.ts'
import { ResponseWriter } from './response-writer.ts'

const HEAD = 0
const BODY = 1
const WAIT = 2
const DISCARD = 3
const CLOSING = 4
const CLOSED = 5
const DETACHED = 6

/** A request body that nobody wants is read to its end up to here, so that the connection can be kept. */
const MAX_DISCARD_BYTES = 64 * 1024
/** After its FIN a client may still read (`nc -N`), or be dead: a short answer still goes out. */
const HALF_CLOSED_MS = 1000

/** What other than HTTP/1.1 may become of a connection; `null`: it is refused. */
export interface Handovers {
  /** CONNECT, on the forward proxy's port. */
  connect: ConnectHandler | null
  /** The preface of HTTP/2 without TLS (prior knowledge). */
  http2: ((link: Downlink, head: Buffer) => void) | null
}

export class Downstream implements DownstreamPeer, BodySink, Connection, TransportHandler {
  readonly #link: Downlink
  readonly #settings: HttpSettings
  readonly #owner: ConnectionOwner
  readonly #handovers: Handovers
  readonly #info: ConnectionInfo
  readonly #transport: Transport
  readonly #writer: Writer
  readonly #response: ResponseWriter
  readonly #reader: HeadReader
  readonly #framing = new Framing()
  readonly #method = new LastText()
  readonly #target = new LastText()
  readonly #body = new BodyReader('request')
  readonly #stream: Stream
  readonly #timer = new TimerEntry(() => this.#onTimer())
  #state = HEAD
  #keepAlive = true
  #draining = false
  readonly #gate: InputGate
  readonly #linger: Linger
  #headTimed = false
  /** `#process` is on the stack. */
  #reading = false
  #clientEnded = false
  #lastMs = 0
  #isFirst = true

  constructor(link: Downlink, settings: HttpSettings, owner: ConnectionOwner, handovers: Handovers) {
    this.#link = link
    this.#settings = settings
    this.#owner = owner
    this.#handovers = handovers
    this.#info = link.info
    this.#transport = openTransport(link)
    this.#writer = new Writer(this.#transport)
    this.#gate = new InputGate(this.#transport)
    this.#linger = new Linger(this.#transport, settings.proxy.wheel)
    this.#response = new ResponseWriter(this.#writer, settings)
    this.#reader = new HeadReader('request', settings.maxHeadBytes)
    this.#stream = new Stream(this, settings, link.info)
    this.#lastMs = settings.proxy.nowMs()
    this.#transport.attach(this)
    settings.proxy.wheel.schedule(this.#timer, settings.headersTimeoutMs)
  }

  /** Begins with what was read before the listener had decided. */
  start(head: Buffer | null): void {
    if (head !== null && head.length > 0) this.onBytes(head, head.length)
    if (this.#state < CLOSED) this.#gate.open()
    if (this.#state < CLOSED && this.#transport.socket.readableEnded) this.onEnd()
  }

  get isIdle(): boolean {
    return this.#state === HEAD && this.#reader.isIdle
  }

  /** No further request after the one under way. */
  drain(): void {
    this.#draining = true
    if (this.isIdle) this.#close()
  }

  recheck(): void {
    this.#stream.recheck()
  }

  destroy(): void {
    this.#transport.reset()
  }

  // ---- requests in

  // hot
  onBytes(chunk: Buffer, end: number): void {
    if (this.#state >= CLOSING) return
    if (this.#isFirst && this.#handovers.http2 !== null && this.#isHttp2(chunk, end)) return
    if (this.#gate.holds) this.#gate.hold(chunk, 0, end)
    else this.#process(chunk, end)
  }

  /** Whether the first bytes are not HTTP/1.1's to look at. */
  #isHttp2(chunk: Buffer, end: number): boolean {
    const held = this.#gate.holds ? this.#gate.take() : null
    const first = held === null ? chunk.subarray(0, end) : Buffer.concat([held, chunk.subarray(0, end)])
    const verdict = looksLikeHttp2(first)
    if (verdict === MORE_NEEDED) {
      this.#gate.keep(first)
      return true
    }
    this.#isFirst = false
    if (verdict) {
      this.#detach()
      this.#owner.onClosed(this)
      this.#handovers.http2!(this.#link, Buffer.from(first))
    } else if (held !== null) this.#process(first, first.length)
    return verdict || held !== null
  }

  // hot
  #process(chunk: Buffer, end: number): void {
    let at = 0
    this.#reading = true
    while (at < end) {
      if (this.#state === HEAD) {
        const verdict = this.#reader.read(chunk, at, end)
        if (verdict === MORE) {
          if (!this.#headTimed) this.#armHeadTimer()
          break
        }
        if (verdict !== DONE) {
          this.#refuse(verdict)
          break
        }
        at = this.#reader.next
        this.#onHead(chunk, at, end)
      } else if (this.#state === BODY || this.#state === DISCARD) {
        if (this.#state === BODY && !this.#stream.wantsBody) {
          this.#gate.hold(chunk, at, end)
          break
        }
        const verdict = this.#body.read(chunk, at, end, this)
        if (verdict === MORE) break
        if (verdict !== DONE) {
          this.#refuseBody(verdict)
          break
        }
        at = this.#body.next
        if (this.#state === DISCARD) this.#next()
        else {
          this.#state = WAIT
          this.#stream.onRequestEnd()
        }
      } else if (this.#state === WAIT) {
        this.#gate.hold(chunk, at, end)
        break
      } else break
    }
    this.#reading = false
    if (!this.#stream.isActive) return
    if (this.#reader.next > 0) this.#reader.pin() // the exchange outlives this read
    this.#stream.onRequestReadEnd()
  }

  #onHead(chunk: Buffer, at: number, end: number): void {
    const { head } = this.#reader
    const verdict = this.#framing.readRequest(head)
    // the idle deadline stays armed: it looks at the connection's state, and arming it anew each time costs
    if (this.#headTimed) this.#settings.proxy.wheel.cancel(this.#timer)
    if (verdict !== DONE) {
      this.#refuse(verdict)
      return
    }
    const { x } = this.#stream
    x.reset()
    x.method = this.#method.read(head.bytes, head.methodStart, head.methodEnd)
    x.httpVersion = head.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1'
    x.authority = this.#framing.authority
    if (x.method === 'CONNECT' || x.method === 'TRACE') {
      this.#onSpecialMethod(head, chunk, at, end)
      return
    }
    if (!resolveTarget(x, this.#target.read(head.bytes, head.targetStart, head.targetEnd), this.#info)) {
      this.#refuse(BAD_MESSAGE)
      return
    }
    this.#keepAlive = this.#framing.keepAlive && !this.#draining
    this.#response.begin(head.minor, this.#framing.acceptsTrailers)
    const upgrade = upgradeOf(x.method, head, this.#framing, this.#framing.upgrade)
    this.#state = this.#framing.kind === BODY_NONE && upgrade === '' ? WAIT : BODY
    if (upgrade !== '') this.#body.startRaw()
    else if (this.#state === BODY) this.#body.start(this.#framing)
    this.#stream.begin(head, this.#framing, upgrade)
  }

  /** TRACE would show a caller the headers that proxies added; CONNECT is only for the forward proxy's port. */
  #onSpecialMethod(head: Head, chunk: Buffer, at: number, end: number): void {
    const authority = head.text(head.targetStart, head.targetEnd)
    const form = this.#stream.x.method === 'CONNECT' ? parseTarget('CONNECT', authority) : undefined
    if (this.#stream.x.method === 'CONNECT' && form === undefined) this.#refuse(BAD_MESSAGE)
    else if (form === undefined || this.#handovers.connect === null) this.#refuse(405)
    else {
      this.#detach()
      this.#owner.onClosed(this)
      const { socket } = this.#link
      const rest = Buffer.from(chunk.subarray(at, end))
      this.#handovers.connect(authority, this.#link, rest, (status) => socket.end(protocolReply(status), 'latin1'))
    }
  }

  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#state === BODY) this.#stream.onRequestBody(buf, start, end)
  }

  onTrailers(head: Head): void {
    if (this.#state === BODY) this.#stream.onRequestTrailers(head)
  }

  pauseRequest(): void {
    this.#gate.block()
  }

  resumeRequest(): void {
    this.#gate.unblock()
    if (this.#reading) return
    const held = this.#gate.take()
    if (held !== null) this.#process(held, held.length)
    else if (this.#stream.isActive) this.#stream.onRequestReadEnd()
    if (this.#state < CLOSED) this.#gate.update() // detached: somebody else reads it now
    if (held !== null && this.#clientEnded) this.onEnd()
  }

  // ---- responses out

  sendInterim(head: Head): void {
    this.#response.interim(head)
  }

  sendHead(head: Head, framing: BodyFraming, serviceMs: number): void {
    if (this.#stream.upgrade !== '') this.#state = WAIT // it is not to be: HTTP goes on
    else if (this.#state === BODY) this.#keepAlive = false // answered early: the rest of the body cannot be told apart
    this.#keepAlive = this.#response.head(
      head,
      framing,
      serviceMs,
      this.#stream.method === 'HEAD',
      this.#keepAlive && !this.#draining,
    )
  }

  sendTunnel(head: Head, protocol: string): void {
    this.#keepAlive = false
    this.#response.switching(head, protocol, this.#stream.x.upstreamServiceMs)
  }

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    this.#response.body(buf, start, end)
  }

  sendTrailers(head: Head): void {
    this.#response.trailers(head)
  }

  sendEnd(): void {
    this.#response.end()
    if (!this.#stream.isTunnel) return
    this.#writer.flush()
    this.#transport.end()
  }

  sendLocal(status: number, body: string, fields: readonly OwnField[]): void {
    if (this.#stream.upgrade !== '') this.#state = WAIT
    if (this.#state === BODY) {
      const short = this.#framing.kind === BODY_LENGTH && this.#framing.lengthBytes <= MAX_DISCARD_BYTES
      if (short && !this.#framing.expectContinue) this.#state = DISCARD
      else this.#keepAlive = false
    }
    const isHead = this.#stream.method === 'HEAD'
    this.#response.local(status, body, fields, isHead, this.#keepAlive && !this.#draining)
  }

  flush(): boolean {
    return this.#writer.flush()
  }

  /** Chunks without the last one, or too few bytes, show by themselves; only a body without a frame needs a reset. */
  abort(): void {
    if (this.#response.isFramed) {
      this.#close()
      return
    }
    this.#writer.flush()
    this.#finish()
    this.#transport.reset()
  }

  exchangeDone(): void {
    if (this.#state >= CLOSING) return
    this.#gate.unblock()
    if (this.#stream.upgrade !== '' && !this.#response.isFramed) {
      this.#finish() // a tunnel that has ended both ways closes by itself
      return
    }
    if (!this.#keepAlive || this.#draining || (this.#clientEnded && !this.#gate.holds)) {
      this.#close()
      return
    }
    if (this.#state === WAIT) this.#next()
    if (!this.#reading) this.resumeRequest()
  }

  // ---- ends

  #next(): void {
    this.#state = HEAD
    this.#headTimed = false
    this.#reader.reset()
    this.#lastMs = this.#stream.x.startMs + this.#stream.x.durationMs
    if (!this.#timer.armed) this.#settings.proxy.wheel.schedule(this.#timer, this.#settings.idleTimeoutMs)
  }

  #refuse(status: Verdict): void {
    this.#writer.text(protocolReply(status))
    this.#close()
  }

  #refuseBody(status: Verdict): void {
    const answered = this.#stream.isActive && this.#stream.x.responseCode !== 0
    this.#stream.onRequestError(status)
    if (answered) this.abort()
    else this.#refuse(status)
  }

  /** Half-closes after what was written, and reads on for a moment: a reset would eat the answer. */
  #close(): void {
    this.#writer.flush()
    this.#state = CLOSING
    this.#gate.take()
    this.#gate.unblock()
    this.#gate.update()
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#linger.start()
  }

  #detach(): void {
    this.#state = DETACHED
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#gate.take()
    this.#transport.detach()
  }

  /** Once per head: a deadline that each byte pushes back is none. */
  #armHeadTimer(): void {
    this.#headTimed = true
    this.#settings.proxy.wheel.schedule(this.#timer, this.#settings.headersTimeoutMs)
  }

  #onTimer(): void {
    const { proxy, idleTimeoutMs } = this.#settings
    if (this.#clientEnded && !this.#gate.holds) {
      this.#stream.onDownstreamGone()
      this.destroy()
    } else if (this.#state === HEAD && !this.#reader.isIdle) this.#refuse(408)
    else if (this.#state === HEAD) {
      const leftMs = idleTimeoutMs - (proxy.nowMs() - this.#lastMs)
      if (leftMs > 0) proxy.wheel.schedule(this.#timer, leftMs)
      else this.#close()
    }
  }

  /** Node tells the end of a paused socket too, so bytes may still be held that came before it. */
  onEnd(): void {
    this.#clientEnded = true
    if (this.#gate.holds) return
    switch (this.#state) {
      case HEAD:
        if (this.#reader.isIdle) this.#close()
        else this.#refuse(408)
        break
      case BODY:
        if (this.#stream.isTunnel) this.#stream.onRequestEnd()
        else {
          this.#stream.onDownstreamGone()
          this.destroy()
        }
        break
      case WAIT:
        this.#settings.proxy.wheel.schedule(this.#timer, HALF_CLOSED_MS)
        break
      case DISCARD:
        this.#close()
        break
      default: // CLOSING: both sides have ended, the socket closes when all is written
    }
  }

  onDrain(): void {
    this.#stream.onDownstreamDrain()
  }

  onClose(): void {
    if (this.#state === CLOSED) return
    this.#stream.close()
    this.#finish()
  }

  #finish(): void {
    this.#state = CLOSED
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#linger.cancel()
    this.#stream.close()
    this.#owner.onClosed(this)
  }
}
