/**
 * One stream of a session, RFC 9113 section 5: the owner's view of it, and its state.
 * In: the owner's calls. Out: events at its owner. Owns what is held back in both directions.
 *
 *   IDLE (opened, no HEADERS sent) --> OPEN --END_STREAM both ways--> [LINGERING, while data is held] --> FREE
 *                                      OPEN --RST_STREAM, either way--> FREE
 *
 * Objects are used again; `generation` tells their lives apart. After its end an owner calls nothing any more.
 */
import type { BodyFraming, BodyKind } from '../body.ts'
import { BODY_NONE } from '../body.ts'
import { Head } from '../head.ts'
import { ByteQueue } from '../byte-queue.ts'
import type { ErrorCode } from './errors.ts'
import type { HeaderName } from '../names.ts'
import type { PseudoName } from './hpack/fields.ts'
import { ReceiveWindow } from './window.ts'

export interface StreamHandler {
  /** A request's or response's head; clients: also 1xx ones. */
  onHead(stream: Http2Stream, head: Head, framing: BodyFraming): void
  /** The bytes are the handler's only until it returns. */
  onData(stream: Http2Stream, buf: Buffer, start: number, end: number): void
  onTrailers(stream: Http2Stream, head: Head): void
  /** The peer's message is whole. With our own end the stream is over. */
  onEnd(stream: Http2Stream): void
  /** The stream is over. REFUSED_STREAM from remote: the peer has done nothing with it. Not called for our own `reset`. */
  onReset(stream: Http2Stream, code: ErrorCode, remote: boolean): void
  /** What was queued has gone. */
  onDrain(stream: Http2Stream): void
}

/** What fills an open head. */
export interface BlockEncoder {
  status(code: number): void
  pseudo(name: PseudoName, value: string, sensitive?: boolean): void
  field(head: Head, i: number): void
  text(name: HeaderName, value: string, unique?: boolean): void
}

/** What a stream asks of its session. */
export interface StreamHost {
  beginHead(stream: Http2Stream): void
  endHead(stream: Http2Stream, endStream: boolean): void
  sendData(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean
  sendEnd(stream: Http2Stream): void
  reset(stream: Http2Stream, code: ErrorCode): void
  resume(stream: Http2Stream): void
}

export const IDLE = 0
export const OPEN = 1
export const LINGERING = 2
export const FREE = 3

/** Of a request: what its response may hold. */
export const PLAIN = 0
export const HEAD_REQUEST = 1
export const CONNECT_REQUEST = 2

const NO_SLAB = Buffer.alloc(0)

/** The owner of nobody's stream. */
export const NOBODY: StreamHandler = {
  onHead() {},
  onData() {},
  onTrailers() {},
  onEnd() {},
  onReset() {},
  onDrain() {},
}

export class Framing implements BodyFraming {
  kind: BodyKind = BODY_NONE
  lengthBytes = 0
  hasLength = false
  expectContinue = false
}

export class Http2Stream {
  id = 0
  generation = 0
  owner: StreamHandler = NOBODY
  /** Of the last onHead, in a slab of its own: stays while the body comes, whatever else arrives. */
  readonly head = new Head()
  readonly framing = new Framing()
  /** Fills the head between `beginHead` and `endHead`. */
  encoder: BlockEncoder
  /** Clients set it before the response: PLAIN, HEAD_REQUEST or CONNECT_REQUEST. */
  requestKind = PLAIN

  // ---- @internal: the session's own from here on

  state = FREE
  localEnded = false
  remoteEnded = false
  /** The final head has come. */
  headSeen = false
  /** `onEnd` was called. */
  endDelivered = false
  /** A reset that follows after what is still held, -1: none. */
  resetAfterEnd = -1
  numInterims = 0
  /** Of a declared length, bytes still to come; -1: none declared. */
  expectedBytes = -1
  /** A response that has no content whatever it declares (HEAD, 204, 304). */
  bodyless = false
  readonly window = new ReceiveWindow()
  paused = false
  /** A pause since the window last grew. */
  wasPaused = false
  readonly held = new ByteQueue()
  trailers: Head | null = null
  trailersHeld = false

  sendWindowBytes = 0
  readonly queue = new ByteQueue()
  endQueued = false
  /** Nothing more is wanted of the peer once our end is sent (section 8.1). */
  stopsPeer = false
  trailerBlock: Buffer | null = null
  /** In the ring of streams that could send. */
  next: Http2Stream | null = null
  prev: Http2Stream | null = null
  /** Its last frame, as long as that has not left. */
  tailSlab: Buffer = NO_SLAB
  tailAt = 0
  tailEpoch = -1

  readonly #host: StreamHost

  constructor(host: StreamHost, encoder: BlockEncoder) {
    this.#host = host
    this.encoder = encoder
  }

  /** Bytes of DATA that wait for a window or the transport. */
  get queuedBytes(): number {
    return this.queue.bytes
  }

  /** A head of any kind begins: encode into `encoder`, then `endHead`. Nothing else may be sent in between. */
  beginHead(): void {
    this.#host.beginHead(this)
  }

  endHead(endStream: boolean): void {
    this.#host.endHead(this, endStream)
  }

  /** False: part of it waits (as a copy), `onDrain` follows. */
  sendData(buf: Buffer, start: number, end: number): boolean {
    return this.#host.sendData(this, buf, start, end)
  }

  sendEnd(): void {
    this.#host.sendEnd(this)
  }

  /** Ends the stream at once; no event follows. */
  reset(code: ErrorCode): void {
    this.#host.reset(this, code)
  }

  /** Behind an answer that is whole but queued: then a reset with NO_ERROR. Until then what comes is thrown away. */
  stopWhenSent(): void {
    this.stopsPeer = true
    this.resume()
  }

  /** DATA is held back (as copies) and the stream's window not credited, so that the peer stops at it. */
  pause(): void {
    this.paused = true
    this.wasPaused = true
  }

  /** Hands out what was held, and goes on. */
  resume(): void {
    this.paused = false
    this.#host.resume(this)
  }

  /** @internal A new life begins. */
  begin(owner: StreamHandler, windowBytes: number, maxWindowBytes: number): void {
    this.generation++
    this.owner = owner
    this.state = IDLE
    this.window.reset(windowBytes, maxWindowBytes)
  }

  /** @internal Back to the state of a new one. */
  clear(): void {
    this.id = 0
    this.generation++
    this.owner = NOBODY
    this.state = FREE
    this.requestKind = PLAIN
    this.localEnded = false
    this.remoteEnded = false
    this.headSeen = false
    this.endDelivered = false
    this.resetAfterEnd = -1
    this.numInterims = 0
    this.expectedBytes = -1
    this.bodyless = false
    this.paused = false
    this.wasPaused = false
    this.held.clear()
    this.trailersHeld = false
    this.sendWindowBytes = 0
    this.queue.clear()
    this.endQueued = false
    this.stopsPeer = false
    this.trailerBlock = null
    this.tailSlab = NO_SLAB
    this.tailEpoch = -1
  }
}
