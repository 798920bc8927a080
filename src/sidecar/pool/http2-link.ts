/**
 * One HTTP/2 connection to an upstream, shared by all exchanges with it; between sidecars this is the link.
 * In: handlers that want an exchange. Out: one write per turn, events to each exchange. Owns: the session, the transport.
 *
 *   OPEN --retire, GOAWAY--> DRAINING --no exchange left--> CLOSED        any --fault, end--> CLOSED
 */
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import { fieldsOf } from '../codec/head.ts'
import { Bucket, CAREFUL_RESETS, MESH_PEER_BUDGETS, MESH_PEER_RESETS, STRANGER_BUDGETS } from '../codec/http2/abuse.ts'
import { sessionBudgets, sessionLimits } from '../codec/http2/compile-limits.ts'
import type { Scheme } from '../codec/http2/head-encoder.ts'
import { Keepalive } from '../codec/http2/keepalive.ts'
import { NO_ERROR } from '../codec/http2/errors.ts'
import type { SessionHandler } from '../codec/http2/options.ts'
import { Session } from '../codec/http2/session.ts'
import { NOBODY, type StreamHandler } from '../codec/http2/stream.ts'
import type { UpstreamProtocol } from '../codec/protocol.ts'
import type { Life, LifeHandler } from '../transport/life.ts'
import { openTransport, sessionBufferBytes } from '../transport/open.ts'
import { ReadEnd } from '../transport/read-end.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { TurnWriter } from '../transport/turn-writer.ts'
import { localLabel } from './address.ts'
import type { Link, TlsTarget } from './dial.ts'
import { Http2Request, type Http2RequestOwner } from './http2-request.ts'
import type { UpstreamHandler } from './upstream.ts'

/** What a link asks of its pool. */
export interface Http2Owner {
  /** It may take another exchange. */
  onRoom(link: Http2Link): void
  onLinkIdle(link: Http2Link): void
  onLinkClosed(link: Http2Link): void
}

/** What it needs of its pool's settings. */
export interface Http2LinkSettings {
  tls: TlsTarget | null
  protocol: UpstreamProtocol
}

/** Requests kept for the next exchanges. */
const MAX_SPARE = 64

export class Http2Link implements TransportHandler, SessionHandler, Http2RequestOwner, LifeHandler {
  readonly link: Link
  readonly peerId: string
  readonly localAddress: string
  readonly scheme: Scheme
  isGone = false
  /** The peer's first SETTINGS are in. */
  isReady = false
  hasServed = false
  idleSinceMs = 0
  numRequests = 0
  /** At the pool's last look. */
  numRequestsSeen = 0
  life: Life | null = null
  readonly #owner: Http2Owner
  readonly #transport: Transport
  readonly #session: Session
  readonly #touched: Http2Request[] = []
  readonly #readEnd = new ReadEnd(() => this.#endRead())
  readonly #spare: Http2Request[] = []
  readonly #writer: TurnWriter
  readonly #keepalive: Keepalive | null
  readonly #nowMs: () => number
  /** What its peer may see reset. */
  readonly #resets: Bucket
  #retired = false

  constructor(link: Link, owner: Http2Owner, settings: Http2LinkSettings, wheel: TimerWheel, nowMs: () => number) {
    const { protocol, tls } = settings
    this.link = link
    // servers may refuse another scheme than their connection's; between sidecars it stays what the program meant
    this.scheme = tls?.files ? 'https' : 'http'
    this.peerId = link.peerId
    this.localAddress = localLabel(link.raw)
    this.#owner = owner
    this.#transport = openTransport(link, sessionBufferBytes(protocol.bufferLimitBytes))
    const { http2, common } = protocol
    this.#nowMs = nowMs
    this.#resets = new Bucket(link.peerId === '' ? CAREFUL_RESETS : MESH_PEER_RESETS, nowMs())
    const budgets = sessionBudgets(http2, link.peerId === '' ? STRANGER_BUDGETS : MESH_PEER_BUDGETS)
    const limits = { ...sessionLimits(http2), maxFields: fieldsOf(common.maxHeaders, link.peerId) }
    this.#session = new Session({ role: 'client', limits, budgets, nowMs }, this)
    this.#writer = new TurnWriter(this.#transport, this.#session)
    const { keepalive } = http2
    this.#keepalive = keepalive === null ? null : new Keepalive(this.#session, wheel, keepalive, () => this.destroy())
    this.#transport.attach(this)
    this.onOutput()
    this.#transport.resume()
  }

  get canOpen(): boolean {
    return !this.isGone && !this.#retired && this.#session.canOpen
  }
  get isIdle(): boolean {
    return this.#session.numStreams === 0
  }
  /** Its peer knows extended CONNECT; not before `isReady` (RFC 8441 section 3). */
  get takesUpgrades(): boolean {
    return this.#session.peerTakesConnectProtocol
  }
  /** Bytes of either direction that wait in it. */
  get bufferedBytes(): number {
    return this.#transport.bufferedBytes + this.#session.bufferedBytes
  }
  /** It takes nothing new, for good. */
  get isRetired(): boolean {
    return this.#retired || this.isGone || this.#session.isDraining
  }

  /** Only where `canOpen`. */
  start(handler: UpstreamHandler): void {
    this.numRequests++
    const h2 = this.#session.open(NOBODY)!
    const request = this.#spare.pop() ?? new Http2Request(this, handler, h2)
    request.attach(handler, h2)
    handler.onReady(request)
  }

  /** No further exchange; closes with the last one. */
  retire(): void {
    this.#retired = true
    if (this.isIdle) this.#close()
  }

  destroy(): void {
    this.#close()
  }

  // ---- bytes in

  // hot
  onBytes(buf: Buffer, end: number): void {
    this.#session.receive(buf, 0, end)
    this.#readEnd.after(end)
  }

  /** Those who got something of it may write. */
  #endRead(): void {
    const touched = this.#touched
    for (let i = 0; i < touched.length; i++) if (touched[i]!.isTouched) touched[i]!.endRead()
    while (touched.length > 0) touched.pop() // setting a length costs
  }

  touch(request: Http2Request): void {
    this.hasServed = true
    if (request.isTouched) return
    request.isTouched = true
    this.#touched.push(request)
  }

  /** A peer that has seen many streams reset would take the next ones for an attack: they go over another link. */
  onReset(): void {
    if (!this.#retired && !this.#resets.take(this.#nowMs)) this.retire()
  }

  release(request: Http2Request): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(request)
  }

  onRequest(): StreamHandler {
    return NOBODY // servers open no streams: the session refuses them
  }

  onRefused(): void {}

  onReady(): void {
    this.isReady = true
    this.#owner.onRoom(this)
  }

  /** What it has not looked at was told so one by one; what is under way finishes. */
  onGoaway(): void {
    this.retire()
    this.#owner.onRoom(this) // who waits for a place here must look elsewhere
  }

  onStreamClosed(): void {
    if (this.isGone) return
    if (!this.isIdle) this.#owner.onRoom(this)
    else if (this.isRetired) this.#close()
    else {
      this.#owner.onRoom(this)
      if (this.isIdle) this.#owner.onLinkIdle(this)
    }
  }

  onFatal(): void {
    this.#writer.flush()
    this.#close()
  }

  // ---- bytes out

  onOutput(): void {
    this.#writer.wake()
  }
  onDrain(): void {
    this.#writer.drain()
  }

  // ---- ends

  onAged(): void {
    this.retire()
  }
  onExpired(): void {
    this.destroy()
  }

  onEnd(): void {
    this.#close()
  }
  onClose(): void {
    this.#close()
  }

  #close(): void {
    if (this.isGone) return
    this.isGone = true
    this.life?.cancel()
    this.#keepalive?.stop()
    this.#owner.onLinkClosed(this)
    this.#session.destroy(NO_ERROR)
    this.#writer.flush() // the GOAWAY, if anybody still reads
    this.#writer.stop()
    this.#transport.destroy()
  }
}
