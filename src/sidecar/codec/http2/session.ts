/**
 * An HTTP/2 connection as a state machine, RFC 9113, for both roles: bytes in, events out, frames in `output`.
 * No socket and no timer: whoever owns the connection feeds `receive`, gives `output.take` its write at the end of a
 * turn, and says when the socket takes bytes again.
 *
 *   reader -> inbound (one frame) -> message-reader (heads, bodies) -> owners of streams
 *   streams -> sender (windows, turns) -> output -> take
 *   core: the table of streams, their ends, faults, credits
 *
 * The constructor puts our preface and SETTINGS into the output: flush once after it.
 */
import { OWN_RESET, PEER_DONE } from './closed-streams.ts'
import { Core } from './core.ts'
import { NO_ERROR, REFUSED_STREAM, type ErrorCode } from './errors.ts'
import { MAX_STREAM_ID } from './frame.ts'
import { Inbound } from './inbound.ts'
import type { SessionHandler, SessionOptions } from './options.ts'
import type { Output } from './output.ts'
import { FREE, IDLE, LINGERING, type Http2Stream, type StreamHandler, type StreamHost } from './stream.ts'

/** A stream that comes and goes costs as much as a request, and a read may hold a thousand of them. */
const RESETS_PER_TURN = 32
/**
 * Heads wait for no window: a few bytes of the peer's may ask for a large one. More than DATA alone would put there, so
 * that bodies stop nobody.
 */
const MAX_UNSENT_BYTES = 512 * 1024
const PING_BYTES = Buffer.alloc(8)

export class Session implements StreamHost {
  readonly #core: Core
  readonly #inbound: Inbound

  constructor(options: SessionOptions, handler: SessionHandler) {
    this.#core = new Core(options, handler, this)
    this.#inbound = new Inbound(this.#core)
  }

  /** Everything that waits, in order, for one write. */
  get output(): Output {
    return this.#core.output
  }

  /** Bytes of either direction that wait: for the transport, for windows, for owners of streams. */
  get bufferedBytes(): number {
    const { output, heldBytes, streams } = this.#core
    let bytes = output.pending + heldBytes
    for (const stream of streams.values()) bytes += stream.queuedBytes
    return bytes
  }

  /** Clients: those opened; servers: the peer's. */
  get numStreams(): number {
    return this.#core.numStreams
  }

  get canOpen(): boolean {
    const core = this.#core
    if (core.draining || core.isCrowded || core.nextId > MAX_STREAM_ID) return false
    return core.numStreams < core.peer.maxConcurrentStreams
  }

  /** Either side has said GOAWAY. */
  get isDraining(): boolean {
    return this.#core.draining
  }

  /** Nothing of a frame or a header block is in: where a connection may wait for long. */
  get isBetweenMessages(): boolean {
    return this.#inbound.reader.isBetweenFrames && this.#inbound.messages.blockStreamId === 0
  }

  /** The peer takes extended CONNECT (RFC 8441). */
  get peerTakesConnectProtocol(): boolean {
    return this.#core.peer.connectProtocol
  }

  /** Bytes of the peer, in any pieces. `buf` is not kept. */
  // hot
  receive(buf: Buffer, start: number, end: number): void {
    if (!this.#core.dead && end > start) this.#inbound.reader.read(buf, start, end)
  }

  /**
   * The same, but a peer that opens streams and resets them has only some of them in one go, so that others are served
   * in between, and one that asks for much only until that has been written. Returns how far it came: what follows is to
   * be given again, later, before anything else.
   */
  // hot
  receiveSome(buf: Buffer, start: number, end: number): number {
    const core = this.#core
    if (core.dead) return end
    core.resetsLeft = RESETS_PER_TURN
    core.maxUnsentBytes = MAX_UNSENT_BYTES
    const at = this.#inbound.reader.read(buf, start, end)
    core.resetsLeft = core.maxUnsentBytes = Infinity
    return core.dead ? end : at
  }

  /** Clients: a stream, or null where the peer's limit, slow readers or a GOAWAY stand against it. It is numbered by its head. */
  open(owner: StreamHandler): Http2Stream | null {
    if (!this.canOpen) return null
    return this.#core.acquire(owner)
  }

  /** Graceful end. Servers: what is on its way still counts, until `finishShutdown`. Clients: no further stream. */
  shutdown(): void {
    const core = this.#core
    if (!core.dead) core.goaway(core.isServer ? MAX_STREAM_ID : 0)
  }

  /** Servers, a round trip later: no stream after the last one that came. */
  finishShutdown(): void {
    const core = this.#core
    if (core.dead || !core.isServer || core.lastAcceptedId !== MAX_STREAM_ID) return
    core.lastAcceptedId = core.lastPeerId
    core.goaway(core.lastAcceptedId)
  }

  /** GOAWAY at once; all streams get `onReset`. Also for a connection that is gone. */
  destroy(code: ErrorCode): void {
    this.#core.end(code, '')
  }

  /** The socket takes bytes again. */
  onSocketDrain(): void {
    const { output, sender } = this.#core
    output.blocked = false
    output.queuedControlFrames = 0
    if (!this.#core.dead) sender.refill()
  }

  ping(): void {
    if (this.#core.dead) return
    this.#inbound.numPings++
    this.#core.output.ping(0, PING_BYTES, 0)
  }

  /** A PING of ours is not answered yet. */
  get isPingPending(): boolean {
    return this.#inbound.numPings > 0
  }

  // ---- @internal, for its streams

  // hot
  beginHead(stream: Http2Stream): void {
    const core = this.#core
    if (stream.state === IDLE && !core.draining && core.nextId <= MAX_STREAM_ID) {
      core.register(stream, core.nextId)
      core.nextId += 2
    }
    core.sender.beginHead(stream)
  }

  // hot
  endHead(stream: Http2Stream, endStream: boolean): void {
    this.#core.sender.endHead(stream, endStream)
    // after a GOAWAY its head went nowhere
    if (stream.state === IDLE) this.#core.abandon(stream, PEER_DONE, REFUSED_STREAM, true, true)
  }

  // hot
  sendData(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean {
    return this.#core.sender.sendData(stream, buf, start, end)
  }

  sendEnd(stream: Http2Stream): void {
    this.#core.sender.sendEnd(stream)
  }

  reset(stream: Http2Stream, code: ErrorCode): void {
    const core = this.#core
    if (stream.state === FREE) return
    // one that the peer has reset is not reset once more (section 5.4.2)
    const isTold = stream.state === LINGERING || stream.resetAfterEnd >= 0
    if (stream.id !== 0 && !isTold && !core.dead) core.output.resetStream(stream.id, code)
    core.abandon(stream, stream.remoteEnded ? PEER_DONE : OWN_RESET, NO_ERROR, false, false)
  }

  resume(stream: Http2Stream): void {
    this.#inbound.messages.resume(stream)
  }
}
