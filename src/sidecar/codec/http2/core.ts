/**
 * What both directions of a session share: its streams, windows and ends (RFC 9113 sections 5.1, 5.4, 6.8 and 6.9).
 * In: faults, ends and credits. Out: RST_STREAM, GOAWAY, WINDOW_UPDATE, events. Owns the table of streams and their pool.
 */
import { AbuseGuard } from './abuse.ts'
import { ClosedStreams, OWN_RESET, PEER_DONE, type Ending } from './closed-streams.ts'
import { ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, type ErrorCode } from './errors.ts'
import { DEFAULT_WINDOW_BYTES, MAX_STREAM_ID, MAX_WINDOW_BYTES } from './frame.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { DEFAULT_LIMITS, type SessionHandler, type SessionLimits, type SessionOptions } from './options.ts'
import { Output, type OutputOwner } from './output.ts'
import { Sender, type SenderOwner } from './sender.ts'
import { encodeSettings, PeerSettings, type SettingsSink } from './settings.ts'
import * as setting from './settings.ts'
import { FREE, Http2Stream, LINGERING, OPEN, type StreamHandler, type StreamHost } from './stream.ts'
import { ReceiveWindow } from './window.ts'

/** Ended streams are kept for the next requests, with their heads' memory. */
const MAX_POOLED = 64
/** After so many ends it is seen how many streams were in use at once, and only so many are kept. */
const POOL_PERIOD = 1024

export class Core implements OutputOwner, SenderOwner, SettingsSink {
  readonly isServer: boolean
  readonly limits: SessionLimits
  readonly handler: SessionHandler
  readonly abuse: AbuseGuard
  readonly output: Output
  readonly sender: Sender
  readonly peer: PeerSettings
  readonly window = new ReceiveWindow()
  readonly streams = new Map<number, Http2Stream>()
  readonly closed = new ClosedStreams()
  dead = false
  /** The peer sent GOAWAY, or we did. */
  draining = false
  /** Streams above it, that the peer opens, are not taken any more. */
  lastAcceptedId = MAX_STREAM_ID
  /** Highest stream of the peer so far. */
  lastPeerId = 0
  /** Clients: the next stream's. */
  nextId = 1
  /** Clients: streams handed out, from `open` on. Servers: the peer's, that are not closed by both sides. */
  numStreams = 0
  /** DATA that is held back for owners who cannot take it yet. */
  heldBytes = 0
  /** Of them, those that the connection's window was not given back for. */
  #owedBytes = 0
  /** By how much all streams' windows are larger than at their beginning. */
  #grownBytes = 0
  /** Owner of the reader: nothing more is read. */
  onDead: () => void = () => {}
  /** So many streams may still be reset, by either side, before it is enough for this turn. */
  resetsLeft = Infinity
  /** More than this in the output is enough for this turn, too. */
  maxUnsentBytes = Infinity
  onEnough: () => void = () => {}
  readonly #host: StreamHost
  readonly #pool: Http2Stream[] = []
  #numReleased = 0
  #mostStreams = 0
  #constructed = false

  constructor(options: SessionOptions, handler: SessionHandler, host: StreamHost) {
    this.isServer = options.role === 'server'
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.limits = limits
    this.handler = handler
    this.#host = host
    this.abuse = new AbuseGuard(options.budgets, options.nowMs)
    this.output = new Output(this)
    this.sender = new Sender(this.output, new HpackEncoder(limits.headerTableBytes), this.abuse, this)
    this.peer = new PeerSettings(!this.isServer)
    this.window.reset(limits.connectionWindowBytes, limits.maxConnectionWindowBytes)
    if (!this.isServer) this.output.preface()
    this.output.settings(
      encodeSettings(
        setting.HEADER_TABLE_SIZE,
        limits.headerTableBytes,
        setting.INITIAL_WINDOW_SIZE,
        limits.streamWindowBytes,
        setting.MAX_FRAME_SIZE,
        limits.maxFrameBytes,
        setting.MAX_HEADER_LIST_SIZE,
        limits.maxHeaderListBytes,
        ...(this.isServer
          ? [setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams]
          : [setting.ENABLE_PUSH, 0, setting.MAX_CONCURRENT_STREAMS, 0]),
        ...(this.isServer && limits.enableConnectProtocol ? [setting.ENABLE_CONNECT_PROTOCOL, 1] : []),
      ),
    )
    const increment = limits.connectionWindowBytes - DEFAULT_WINDOW_BYTES
    if (increment > 0) this.output.windowUpdate(0, increment)
    this.#constructed = true
  }

  // ---- of the output, the sender and the peer's settings

  onOutput(): void {
    if (this.#constructed) this.handler.onOutput()
  }

  refill(): boolean {
    return this.sender.refill()
  }

  onEndSent(stream: Http2Stream): void {
    if (stream.stopsPeer && !stream.remoteEnded) this.#host.reset(stream, NO_ERROR)
    else this.settle(stream)
  }

  onTableSize(bytes: number): void {
    this.sender.encoder.setPeerLimit(bytes)
  }

  onInitialWindow(delta: number): boolean {
    for (const stream of this.streams.values()) {
      if (stream.sendWindowBytes + delta > MAX_WINDOW_BYTES) return false
      this.sender.onStreamWindow(stream, delta)
    }
    return true
  }

  // ---- streams

  /** Counts as one of `numStreams` from here on. */
  acquire(owner: StreamHandler): Http2Stream {
    this.numStreams++
    if (this.numStreams > this.#mostStreams) this.#mostStreams = this.numStreams
    const stream = this.#pool.pop() ?? new Http2Stream(this.#host, this.sender.encoder)
    stream.begin(owner, this.limits.streamWindowBytes, this.limits.maxStreamWindowBytes)
    return stream
  }

  /** A stream gets its number, and from now on frames find it. */
  register(stream: Http2Stream, id: number): void {
    stream.id = id
    stream.state = OPEN
    stream.sendWindowBytes = this.peer.initialWindowBytes
    this.streams.set(id, stream)
  }

  release(stream: Http2Stream): void {
    this.#grownBytes -= stream.window.grownBytes
    stream.clear()
    const pool = this.#pool
    if (++this.#numReleased === POOL_PERIOD) {
      this.#numReleased = 0
      if (pool.length > this.#mostStreams) pool.length = this.#mostStreams
      this.#mostStreams = 0
    }
    if (pool.length < MAX_POOLED) pool.push(stream)
  }

  /** Nobody has used this stream yet, so that any frame on it is wrong (section 5.1, idle). */
  isIdleId(id: number): boolean {
    if ((id & 1) === 0) return true // only servers would use them, for pushes
    return this.isServer ? id > this.lastPeerId : id >= this.nextId
  }

  /** Both ends are there: the stream is over, but for what is still held back from its owner. */
  settle(stream: Http2Stream): void {
    if (!stream.localEnded || !stream.remoteEnded || stream.state === FREE) return
    const wasOpen = stream.state === OPEN
    if (wasOpen) {
      this.#leave(stream, PEER_DONE)
      stream.state = LINGERING
    }
    if (stream.endDelivered) this.release(stream)
    if (wasOpen) this.handler.onStreamClosed()
  }

  /** A stream ends before its time, in whatever state. */
  abandon(stream: Http2Stream, ending: Ending, code: ErrorCode, remote: boolean, tell: boolean): void {
    const { owner, state } = stream
    if (state === FREE) return
    if (state !== LINGERING) this.#leave(stream, ending)
    stream.state = FREE
    this.sender.drop(stream)
    const held = stream.held.bytes
    stream.held.clear()
    if (held > 0) this.unhold(held)
    if (tell) owner.onReset(stream, code, remote)
    this.release(stream)
    if (state !== LINGERING) this.handler.onStreamClosed()
  }

  #leave(stream: Http2Stream, ending: Ending): void {
    this.numStreams--
    if (stream.id === 0) return
    this.streams.delete(stream.id)
    this.closed.add(stream.id, ending)
  }

  // ---- faults

  /** A stream error (section 5.4.2) of the peer's making, or our own decision. */
  streamFault(stream: Http2Stream, code: ErrorCode): void {
    if (stream.state !== OPEN) return
    this.refuse(stream.id, code)
    if (!this.dead) this.abandon(stream, stream.remoteEnded ? PEER_DONE : OWN_RESET, code, false, true)
  }

  /** A message against the rules of HTTP (section 8.1.1). */
  messageFault(stream: Http2Stream): void {
    if (this.limits.streamErrorOnMalformed) this.streamFault(stream, PROTOCOL_ERROR)
    else this.fatal(PROTOCOL_ERROR, 'malformed message')
  }

  /** RST_STREAM for a stream that has no object. */
  refuse(id: number, code: ErrorCode): void {
    this.output.resetStream(id, code)
    this.closed.add(id, OWN_RESET)
    this.countReset()
    if (!this.abuse.ownReset()) this.fatal(ENHANCE_YOUR_CALM, 'too many faulty streams')
    else this.checkQueue()
  }

  countReset(): void {
    if (--this.resetsLeft < 0) this.onEnough()
  }

  /** A connection error (section 5.4.1). */
  fatal(code: ErrorCode, reason: string): void {
    if (this.dead) return
    this.end(code, reason)
    this.handler.onFatal(code, reason)
  }

  /** GOAWAY, and the end of all streams. */
  end(code: ErrorCode, reason: string): void {
    if (this.dead) return
    this.dead = true
    this.draining = true
    this.onDead()
    this.output.goaway(Math.min(this.lastPeerId, this.lastAcceptedId), code, reason)
    for (const stream of this.streams.values()) this.abandon(stream, OWN_RESET, code, false, true)
  }

  /** Control frames pile up behind a peer that reads nothing. */
  checkQueue(): void {
    if (this.output.queuedControlFrames > this.abuse.budgets.maxQueuedControlFrames)
      this.fatal(ENHANCE_YOUR_CALM, 'too many control frames wait')
  }

  /** The peer has not looked at these (section 6.8): they may be sent again elsewhere. */
  refuseAbove(lastStreamId: number): void {
    for (const stream of this.streams.values())
      if (stream.id > lastStreamId) this.abandon(stream, PEER_DONE, REFUSED_STREAM, true, true)
  }

  // ---- windows of the receiving side

  // hot: these bytes of the connection's window are free again
  credit(bytes: number): void {
    if (bytes === 0 || this.dead) return
    const increment = this.window.credit(bytes, MAX_WINDOW_BYTES)
    if (increment > 0) this.output.windowUpdate(0, increment)
  }

  // hot
  creditStream(stream: Http2Stream, bytes: number): void {
    if (stream.remoteEnded || stream.state !== OPEN) return
    const { window } = stream
    const before = window.sizeBytes
    const spareBytes = stream.wasPaused ? 0 : this.abuse.budgets.maxHeldBytes / 2 - this.#grownBytes
    const increment = window.credit(bytes, spareBytes)
    if (increment === 0) return
    stream.wasPaused = stream.paused || stream.held.bytes > 0
    this.#grownBytes += window.sizeBytes - before
    this.output.windowUpdate(stream.id, increment)
  }

  /** A slow owner fills its stream's window, not the connection's, which others use; up to a bound. */
  hold(bytes: number): void {
    this.heldBytes += bytes
    if (this.heldBytes > this.abuse.budgets.maxHeldBytes) this.#owedBytes += bytes
    else this.credit(bytes)
  }

  /** They are not held any more. */
  unhold(bytes: number): void {
    const wasCrowded = this.isCrowded
    this.heldBytes -= bytes
    if (this.#owedBytes > 0) {
      const paid = Math.min(this.#owedBytes, bytes)
      this.#owedBytes -= paid
      this.credit(paid)
    }
    if (wasCrowded && !this.isCrowded && !this.dead) this.handler.onStreamClosed()
  }

  /** So many slow readers are here that the next stream had better go elsewhere. */
  get isCrowded(): boolean {
    return this.heldBytes * 2 > this.abuse.budgets.maxHeldBytes
  }

  /** Its peer filled half of its window while it was paused: the window is larger than it can use. */
  slowDown(stream: Http2Stream): void {
    const { window, held } = stream
    if (window.grownBytes === 0 || held.bytes * 2 < window.sizeBytes) return
    const before = window.sizeBytes
    window.shrink()
    this.#grownBytes -= before - window.sizeBytes
  }

  /** Graceful end, first and second step. */
  goaway(lastStreamId: number): void {
    this.draining = true
    this.output.goaway(lastStreamId, NO_ERROR, '')
  }
}
