/**
 * An accepted HTTP/1.1 connection: requests off it, responses onto it, strictly in order, one at a time.
 * In: a socket, the first bytes read from it. Out: calls on its stream. Owns: the socket, its input (http1-input.ts, whose
 * states those of the connection are), its answers (http1-answer.ts), its deadlines.
 *
 *   HEAD, BODY --not well formed--> CLOSING      BODY, raw --tunnel ended--> CLOSED       any --socket gone--> CLOSED
 *   CLOSING: answered, half-closed; what comes is thrown away for a moment
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { BODY_NONE } from '../codec/body.ts'
import { fieldsOf, type Head } from '../codec/head.ts'
import { DONE, NOT_SERVED, TIMED_OUT, UPGRADE_REQUIRED, type Verdict } from '../codec/verdict.ts'
import type { Exchange } from '../exchange.ts'
import type { HttpSettings } from '../stream/context.ts'
import { protocolReply } from '../stream/local-reply.ts'
import { Stream } from '../stream/stream.ts'
import { upgradeOf } from '../stream/upgrade.ts'
import { openTransport } from '../transport/open.ts'
import { wasReset } from '../transport/reset.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import type { Connection, ConnectionOwner, ConnectHandler, Downlink, Handovers } from './connection.ts'
import { type AnswerOwner, Http1Answer } from './http1-answer.ts'
import { BODY, CLOSED, CLOSING, DETACHED, DISCARD, HEAD, Http1Input, type InputHandler, WAIT } from './http1-input.ts'
import { Linger } from './linger.ts'
import { Pace } from './pace.ts'
import { RequestStart } from './request-start.ts'

/** After its FIN a client may still read (`nc -N`), or be dead: a short answer still goes out. */
const HALF_CLOSED_MS = 1000
/** What is thrown away is short. */
const DISCARD_MS = 10_000
const CODEC_ERROR = 'http1.codec_error'
const DETAILS: Record<number, string> = {
  [NOT_SERVED]: 'method_not_allowed',
  [TIMED_OUT]: 'request_header_timeout',
  [UPGRADE_REQUIRED]: 'low_version',
}

export class Downstream implements AnswerOwner, InputHandler, Connection, TransportHandler {
  readonly #link: Downlink
  readonly #settings: HttpSettings
  readonly #owner: ConnectionOwner
  readonly #handovers: Handovers
  readonly #transport: Transport
  readonly #answer: Http1Answer
  readonly #input: Http1Input
  readonly #start: RequestStart
  readonly #stream: Stream
  readonly #timer = new TimerEntry(() => this.#onTimer())
  /** Made for the first body that does not come at once, and at the end. */
  #pace: Pace | null = null
  #linger: Linger | null = null
  #draining = false
  #headTimed = false
  #clientEnded = false
  #numRequests = 0
  #lastMs = 0

  constructor(link: Downlink, settings: HttpSettings, owner: ConnectionOwner, handovers: Handovers) {
    this.#link = link
    this.#settings = settings
    this.#owner = owner
    this.#handovers = handovers
    const { proxy, protocol, maxHeadBytes } = settings
    const { info } = link
    const transport = openTransport(link, protocol.bufferLimitBytes)
    this.#transport = transport
    const maxFields = fieldsOf(protocol.common.maxHeaders, info.peerId)
    this.#input = new Http1Input(transport, { maxHeadBytes, maxFields }, handovers.http2 !== null, this)
    this.#start = new RequestStart(settings, info)
    this.#answer = new Http1Answer(transport, this.#input, this.#start.framing, settings, this)
    this.#stream = new Stream(this.#answer, settings, info)
    this.#answer.attach(this.#stream)
    this.#lastMs = proxy.nowMs()
    transport.attach(this)
    proxy.wheel.schedule(this.#timer, settings.headersTimeoutMs)
  }

  /** Begins with what was read before the listener had decided. */
  start(head: Buffer | null): void {
    const input = this.#input
    if (head !== null && head.length > 0) this.onBytes(head, head.length)
    if (input.state < CLOSED) input.gate.open()
    if (input.state < CLOSED && this.#transport.socket.readableEnded) this.onEnd()
  }

  get bufferedBytes(): number {
    return this.#transport.bufferedBytes + this.#answer.pendingBytes + this.#input.gate.heldBytes
  }

  /** No further request after the one under way. */
  drain(): void {
    this.#draining = true
    this.#answer.keepAlive = false
    if (this.#input.isIdle) this.close()
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
    this.#input.onBytes(chunk, end)
  }

  onPreface(first: Buffer): void {
    this.#detach()
    this.#owner.onClosed(this)
    this.#handovers.http2!(this.#link, first)
  }

  /** The deadline is set once per head: one that each byte pushes back is none. */
  onHeadBegun(): void {
    if (this.#headTimed) return
    this.#headTimed = true
    this.#settings.proxy.wheel.schedule(this.#timer, this.#settings.headersTimeoutMs)
  }

  // hot
  onHead(head: Head, rest: Buffer, at: number, end: number): void {
    const input = this.#input
    const stream = this.#stream
    const { framing } = this.#start
    // the idle deadline stays armed: it looks at the connection's state, and arming it anew each time costs
    if (this.#headTimed) this.#settings.proxy.wheel.cancel(this.#timer)
    const verdict = this.#start.read(head, stream.x, input.reader.repeats)
    if (verdict !== DONE) {
      this.#refuse(verdict)
      return
    }
    const isConnect = stream.x.method === 'CONNECT'
    if (isConnect && this.#handovers.connect !== null) {
      this.#handOver(this.#handovers.connect, rest, at, end)
      return
    }
    const max = this.#settings.protocol.common.maxRequestsPerConnection
    if (max > 0 && ++this.#numRequests >= max) this.#draining = true
    // nobody knows what follows a CONNECT that is refused
    this.#answer.begin(head.minor, framing.keepAlive && !this.#draining && !isConnect)
    const upgrade = isConnect ? 'connect' : upgradeOf(stream.x.method, head, framing, framing.upgrade)
    input.state = framing.kind === BODY_NONE && upgrade === '' ? WAIT : BODY
    if (upgrade !== '') input.body.startRaw()
    else if (input.state === BODY) input.body.start(framing)
    stream.begin(head, framing, upgrade)
  }

  /** CONNECT on the forward proxy's port. */
  #handOver(connect: ConnectHandler, rest: Buffer, at: number, end: number): void {
    this.#detach()
    this.#owner.onClosed(this)
    const { socket, raw } = this.#link
    const { proxy, protocol } = this.#settings
    const behind = Buffer.from(rest.subarray(at, end))
    connect(this.#stream.x.authority, this.#link, behind, (status) => {
      socket.end(protocolReply(status), 'latin1').resume()
      proxy.wheel.schedule(new TimerEntry(() => raw.destroy()), protocol.delayedCloseTimeoutMs)
    })
  }

  get wantsBody(): boolean {
    return this.#stream.wantsBody
  }

  // hot
  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#input.state === BODY) this.#stream.onRequestBody(buf, start, end)
  }

  onTrailers(head: Head): void {
    if (this.#input.state === BODY) this.#stream.onRequestTrailers(head)
  }

  onBodyEnd(): void {
    this.#pace?.end()
    this.#stream.onRequestEnd()
  }

  onDiscarded(): void {
    this.#pace?.end()
    this.#input.state = WAIT
    this.exchangeDone()
  }

  onFault(verdict: Verdict): void {
    if (this.#input.state !== HEAD) this.#refuseBody(verdict)
    else {
      this.#stream.x.reset()
      this.#stream.x.httpVersion = 'HTTP/1.1'
      this.#refuse(verdict)
    }
  }

  // hot
  onReadEnd(): void {
    if (!this.#stream.isActive) return
    const input = this.#input
    if (input.reader.next > 0) input.reader.pin() // the exchange outlives this read
    this.#stream.onRequestReadEnd()
    if (input.state === BODY) this.#watchPace()
  }

  /** Streams of messages, tunnels, and who waits for leave to send come at their own pace. */
  #watchPace(): void {
    const { x, upgrade, isAnswered } = this.#stream
    if (!this.wantsBody) return // nobody does yet
    const mayWait = upgrade !== '' || isAnswered || x.protocol === 'grpc'
    if (mayWait) this.#pace?.end()
    else if (this.#pace?.isRunning !== true && (!this.#start.framing.expectContinue || x.bytesReceived > 0))
      this.#beginPace(x)
  }

  #beginPace(x: Exchange): void {
    this.#pace ??= new Pace(
      this.#settings.proxy,
      () => x.bytesReceived,
      () => this.#onSlowBody(),
    )
    this.#pace.begin()
  }

  pauseRequest(): void {
    this.#pace?.pause()
    this.#input.gate.block()
  }

  resumeRequest(): void {
    const input = this.#input
    this.#pace?.resume()
    input.gate.unblock()
    if (input.isReading) return
    const hadHeld = input.release()
    if (!hadHeld) this.onReadEnd()
    if (input.state < CLOSED) input.gate.update() // detached: somebody else reads it now
    if (this.#clientEnded && (hadHeld || this.#stream.isTunnel)) this.onEnd()
  }

  // ---- of its answers

  onTunnel(): void {
    this.#settings.proxy.wheel.cancel(this.#timer)
  }

  /** The response cannot be completed. */
  breakOff(): void {
    this.#answer.flush()
    this.#finish()
    this.#transport.reset()
  }

  exchangeDone(): void {
    const input = this.#input
    if (input.state >= CLOSING) return
    input.gate.unblock()
    const wasLast = this.#clientEnded && !input.gate.holds && !input.isReading
    if (wasLast || !this.#answer.keepAlive) {
      this.close()
      return
    }
    if (input.state === WAIT) {
      if (!this.#answer.hasRoom()) return // who asks and does not read must not pile up answers
      this.#next()
    } else this.#settings.proxy.wheel.schedule(this.#timer, DISCARD_MS)
    if (!input.isReading) this.resumeRequest()
  }

  // ---- ends

  #next(): void {
    this.#input.next()
    this.#headTimed = false
    this.#lastMs = this.#stream.x.startMs + this.#stream.x.durationMs
    const { proxy, idleTimeoutMs } = this.#settings
    if (!this.#timer.isDueBy(this.#lastMs + idleTimeoutMs)) proxy.wheel.schedule(this.#timer, idleTimeoutMs)
  }

  /** What its head is refused for is a request all the same, to those who count. */
  #refuse(status: Verdict): void {
    const details = DETAILS[status]
    this.#stream.onRefused(status, details === undefined ? 'DPE' : '', details ?? CODEC_ERROR)
    this.#answer.refuse(status)
    this.close()
  }

  #refuseBody(status: Verdict): void {
    const answered = this.#stream.isActive && this.#stream.x.responseCode !== 0
    const isDiscarded = !this.#stream.isActive
    this.#stream.onRequestError(status, CODEC_ERROR)
    if (answered) this.#answer.abort()
    else {
      if (!isDiscarded) this.#answer.refuse(status)
      this.close()
    }
  }

  #onSlowBody(): void {
    if (this.#stream.isActive) this.#stream.onPeerStalled('slow_body')
    else this.close()
  }

  /** Half-closes after what was written, and reads on for a moment: a reset would eat the answer. */
  close(): void {
    this.#answer.flush()
    this.#input.close()
    this.#cancelTimers()
    const { proxy, protocol } = this.#settings
    this.#linger ??= new Linger(this.#transport, proxy.wheel, protocol.delayedCloseTimeoutMs)
    this.#linger.start()
  }

  #detach(): void {
    this.#input.state = DETACHED
    this.#cancelTimers()
    this.#input.gate.take()
    this.#transport.detach()
  }

  #cancelTimers(): void {
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#pace?.close()
    this.#answer.stop()
  }

  #onTimer(): void {
    const { proxy, idleTimeoutMs } = this.#settings
    const input = this.#input
    if (this.#clientEnded && !input.gate.holds) {
      this.#stream.onDownstreamGone()
      this.destroy()
    } else if (input.state === HEAD && !input.isIdle) this.onFault(TIMED_OUT)
    else if (input.state === HEAD) {
      const leftMs = idleTimeoutMs - (proxy.nowMs() - this.#lastMs)
      if (leftMs > 0) proxy.wheel.schedule(this.#timer, leftMs)
      else this.close()
    } else if (input.state === DISCARD) this.close()
  }

  /** Node tells the end of a paused socket too, so bytes may still be held that came before it. */
  onEnd(): void {
    const input = this.#input
    this.#clientEnded = true
    input.endSniffing()
    if (input.gate.holds) return
    switch (input.state) {
      case HEAD:
        if (input.isIdle) this.close()
        else this.onFault(TIMED_OUT)
        break
      case BODY:
        if (this.#stream.isTunnel && !wasReset(this.#transport)) this.#stream.onRequestEnd()
        else if (this.#stream.upgrade !== '' && !this.#stream.isTunnel)
          this.#settings.proxy.wheel.schedule(this.#timer, HALF_CLOSED_MS)
        else {
          this.#stream.onDownstreamGone()
          this.destroy()
        }
        break
      case WAIT:
        if (this.#stream.isActive) this.#settings.proxy.wheel.schedule(this.#timer, HALF_CLOSED_MS)
        else this.close()
        break
      case DISCARD:
        this.close()
        break
      default: // CLOSING: both sides have ended, the socket closes when all is written
    }
  }

  onDrain(): void {
    if (this.#stream.isActive) this.#stream.onDownstreamDrain()
    else if (this.#input.state === WAIT) this.exchangeDone()
  }

  onClose(): void {
    if (this.#input.state === CLOSED) return
    this.#stream.close()
    this.#finish()
  }

  #finish(): void {
    this.#input.state = CLOSED
    this.#cancelTimers()
    this.#linger?.cancel()
    this.#stream.close()
    this.#owner.onClosed(this)
  }
}
