/**
 * An accepted HTTP/2 connection: requests off it, many at a time, responses onto it, joined into one write per turn.
 * In: a link, the first bytes read from it. Out: calls on the exchanges. Owns: the session, the transport, its exchanges.
 *
 *   OPEN --drain, idle--> DRAINING (GOAWAY) --no stream left--> CLOSED     OPEN --fault--> CLOSING (GOAWAY, lingers) --> CLOSED
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { fieldsOf } from '../codec/head.ts'
import { MESH_PEER_BUDGETS, STRANGER_BUDGETS } from '../codec/http2/abuse.ts'
import { sessionBudgets, sessionLimits } from '../codec/http2/compile-limits.ts'
import { Keepalive } from '../codec/http2/keepalive.ts'
import { type ErrorCode, errorName, NO_ERROR } from '../codec/http2/errors.ts'
import type { SessionHandler } from '../codec/http2/options.ts'
import { Session } from '../codec/http2/session.ts'
import type { Http2Stream, StreamHandler } from '../codec/http2/stream.ts'
import { MALFORMED, type Verdict } from '../codec/verdict.ts'
import type { ConnectionInfo, HttpSettings } from '../stream/context.ts'
import { openTransport, sessionBufferBytes } from '../transport/open.ts'
import { ReadEnd } from '../transport/read-end.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { TurnWriter } from '../transport/turn-writer.ts'
import type { Connection, ConnectionOwner, Downlink } from './connection.ts'
import { HeadTexts } from './head-texts.ts'
import { Http2Exchange, type Http2ExchangeOwner } from './http2-exchange.ts'
import { Http2Rests } from './http2-rests.ts'
import { Linger } from './linger.ts'
import { StallGuard } from './stall.ts'

const OPEN = 0
const DRAINING = 1
const CLOSING = 2
const CLOSED = 3

/** Free exchanges that are kept for the next requests. */
const MAX_SPARE = 64
const LOOK_MS = 1000
/** So much more than the limit of the transport may wait in it before the peer is not read any more: bodies stop before. */
const MAX_HEAD_BYTES = 512 * 1024
const NOTHING = Buffer.alloc(0)

export class Http2Downstream implements Connection, TransportHandler, SessionHandler, Http2ExchangeOwner {
  readonly settings: HttpSettings
  readonly info: ConnectionInfo
  readonly texts = new HeadTexts()
  readonly rests: Http2Rests
  readonly #owner: ConnectionOwner
  readonly #transport: Transport
  readonly #session: Session
  readonly #linger: Linger
  readonly #active: Http2Exchange[] = []
  readonly #spare: Http2Exchange[] = []
  readonly #touched: Http2Exchange[] = []
  readonly #readEnd = new ReadEnd(() => this.#endRead())
  readonly #timer = new TimerEntry(() => this.#onTimer())
  readonly #shutdown = new TimerEntry(() => this.#onShutdown())
  #state = OPEN
  readonly #stall: StallGuard
  readonly #keepalive: Keepalive | null
  readonly #writer: TurnWriter
  #numRequests = 0
  /** Bytes of a read wait for their turn: nothing is read meanwhile. */
  #rest: Buffer | null = null
  /** Of what we send more waits than this: the peer has to read before it is read. */
  readonly #maxUnreadBytes: number
  #isStuck = false
  #lastMs: number
  /** A stream has ended since `#lastMs`. */
  #moved = false

  constructor(link: Downlink, settings: HttpSettings, owner: ConnectionOwner) {
    this.settings = settings
    this.info = link.info
    this.#owner = owner
    const { nowMs, wheel } = settings.proxy
    const { http2, common, bufferLimitBytes, delayedCloseTimeoutMs } = settings.protocol
    const bufferBytes = sessionBufferBytes(bufferLimitBytes)
    const transport = openTransport(link, bufferBytes)
    this.#maxUnreadBytes = bufferBytes + MAX_HEAD_BYTES
    this.#transport = transport
    this.rests = new Http2Rests(settings.proxy)
    this.#linger = new Linger(transport, wheel, delayedCloseTimeoutMs)
    this.#stall = new StallGuard(
      wheel,
      () => transport.bufferedBytes > 0,
      () => transport.takenBytes,
      () => this.destroy(),
    )
    const isKnown = link.info.peerId !== '' || settings.outbound
    const budgets = sessionBudgets(http2, isKnown ? MESH_PEER_BUDGETS : STRANGER_BUDGETS)
    const maxFields = fieldsOf(common.maxHeaders, link.info.peerId)
    const limits = { maxHeaderListBytes: settings.maxHeadBytes, ...sessionLimits(http2), maxFields }
    this.#session = new Session({ role: 'server', limits, budgets, nowMs }, this)
    this.#writer = new TurnWriter(transport, this.#session, () => {
      const { bufferedBytes } = transport
      if (bufferedBytes > 0) this.#stall.watch()
      if (bufferedBytes > this.#maxUnreadBytes && this.#rest === null && this.#state < CLOSING) this.#later(NOTHING)
    })
    const { keepalive } = http2
    this.#keepalive = keepalive === null ? null : new Keepalive(this.#session, wheel, keepalive, () => this.destroy())
    this.#lastMs = nowMs()
    this.#transport.attach(this)
    settings.proxy.wheel.schedule(this.#timer, settings.headersTimeoutMs)
  }

  /** Begins with what was read before the listener had decided. */
  start(head: Buffer | null): void {
    this.onOutput()
    if (head !== null && head.length > 0) this.onBytes(head, head.length)
    if (this.#state < CLOSING && this.#rest === null) this.#transport.resume()
    if (this.#state < CLOSING && this.#transport.socket.readableEnded) this.onEnd()
  }

  get #isIdle(): boolean {
    return this.#session.numStreams === 0
  }

  get bufferedBytes(): number {
    return this.#transport.bufferedBytes + this.#session.bufferedBytes
  }

  /** GOAWAY now, a second one when those who had not heard of it have; then the last stream closes it. */
  drain(): void {
    if (this.#state !== OPEN) return
    this.#state = DRAINING
    this.#session.shutdown()
    this.settings.proxy.wheel.schedule(this.#shutdown, this.settings.protocol.drainTimeoutMs)
  }

  recheck(): void {
    for (let i = this.#active.length - 1; i >= 0; i--) this.#active[i]!.recheck() // it may leave the list
  }

  destroy(): void {
    this.#session.destroy(NO_ERROR)
    this.#writer.flush()
    this.#transport.reset()
  }

  // ---- bytes in

  // hot
  onBytes(buf: Buffer, end: number): void {
    if (this.#state >= CLOSING) return
    if (this.#rest !== null) {
      // TLS hands over all that it has deciphered, paused or not
      this.#rest = Buffer.concat([this.#rest, buf.subarray(0, end)])
      return
    }
    const at = this.#session.receiveSome(buf, 0, end)
    this.#readEnd.after(end)
    if (at < end) this.#later(Buffer.from(buf.subarray(at, end)))
  }

  /** Those who got something of it may write. */
  #endRead(): void {
    const touched = this.#touched
    for (let i = 0; i < touched.length; i++) {
      const exchange = touched[i]!
      if (!exchange.isTouched) continue // its read has been ended before
      const wasReleased = exchange.place < 0
      exchange.endRead()
      if (wasReleased) this.#keep(exchange)
    }
    while (touched.length > 0) touched.pop() // setting a length costs
  }

  /** The rest of a read has its turn after those of other connections. */
  #later(rest: Buffer): void {
    this.#transport.pause()
    this.#rest = rest
    setImmediate(() => this.#goOn())
  }

  /** Answers to a peer that reads none would gather here: no more requests until it does. */
  #goOn(): void {
    this.#writer.flush()
    this.#isStuck = this.#transport.bufferedBytes > this.#maxUnreadBytes
    if (this.#isStuck) return
    const bytes = this.#rest!
    this.#rest = null
    this.onBytes(bytes, bytes.length)
    if (this.#rest === null && this.#state < CLOSING) this.#transport.resume()
  }

  onRequest(h2: Http2Stream): StreamHandler {
    const exchange = this.#spare.pop() ?? new Http2Exchange(this)
    exchange.attach(h2)
    exchange.place = this.#active.push(exchange) - 1
    const max = this.settings.protocol.common.maxRequestsPerConnection
    if (max > 0 && ++this.#numRequests >= max) this.drain()
    return exchange
  }

  /** A malformed request is one all the same, to those who count. */
  onRefused(verdict: Verdict, details: string): void {
    const exchange = this.#spare.pop() ?? new Http2Exchange(this)
    exchange.recordRefused(verdict, details)
    this.#keep(exchange)
  }

  touch(exchange: Http2Exchange): void {
    if (exchange.isTouched) return
    exchange.isTouched = true
    this.#touched.push(exchange)
  }

  /** One that was touched in this read is not free before the read is over. */
  release(exchange: Http2Exchange): void {
    const { place } = exchange
    if (place < 0) return
    exchange.place = -1
    const last = this.#active.pop()!
    if (last !== exchange) {
      this.#active[place] = last
      last.place = place
    }
    if (!exchange.isTouched) this.#keep(exchange)
  }

  #keep(exchange: Http2Exchange): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(exchange)
    else exchange.close()
  }

  onReady(): void {}
  onGoaway(): void {}

  // hot
  onStreamClosed(): void {
    this.#moved = true
    if (this.#state === DRAINING && !this.#shutdown.armed && this.#isIdle) this.#close()
  }

  /** A connection that is against the rules leaves a line, too: who looks for the reason finds it nowhere else. */
  onFatal(code: ErrorCode, reason: string): void {
    this.onRefused(MALFORMED, `http2.${errorName(code)}{${reason.replaceAll(' ', '_')}}`)
    this.#close()
  }

  // ---- bytes out

  onOutput(): void {
    this.#writer.wake()
  }
  onDrain(): void {
    this.#writer.drain()
    if (this.#isStuck) this.#goOn()
  }

  // ---- ends

  #onShutdown(): void {
    this.#session.finishShutdown()
    if (this.#isIdle) this.#close()
  }

  /** Looks now and then: has the preface come, is anything under way, does the peer take what we send? */
  #onTimer(): void {
    const { proxy, idleTimeoutMs, headersTimeoutMs } = this.settings
    if (this.#moved || !this.#isIdle) this.#lastMs = proxy.nowMs()
    this.#moved = false
    const silentMs = proxy.nowMs() - this.#lastMs
    if (this.#isIdle && !this.#session.isBetweenMessages && silentMs >= headersTimeoutMs) this.destroy()
    else if (this.#isIdle && silentMs >= idleTimeoutMs) this.drain()
    else proxy.wheel.schedule(this.#timer, Math.min(headersTimeoutMs, Math.max(LOOK_MS, idleTimeoutMs - silentMs)))
  }

  /** Half-closes after the GOAWAY, and reads on for a moment: a reset would eat it. */
  #close(): void {
    if (this.#state >= CLOSING) return
    this.#session.destroy(NO_ERROR)
    this.#writer.flush()
    this.#state = CLOSING
    this.#cancelTimers()
    this.#transport.resume()
    this.#linger.start()
  }

  onEnd(): void {
    if (this.#state < CLOSING) this.#close()
  }

  onClose(): void {
    if (this.#state === CLOSED) return
    this.#writer.stop()
    this.#session.destroy(NO_ERROR)
    this.#state = CLOSED
    this.#cancelTimers()
    this.#linger.cancel()
    for (const exchange of this.#spare) exchange.close()
    this.#owner.onClosed(this)
  }

  #cancelTimers(): void {
    const { wheel } = this.settings.proxy
    wheel.cancel(this.#timer)
    wheel.cancel(this.#shutdown)
    this.#stall.stop()
    this.rests.stop()
    this.#keepalive?.stop()
  }
}
