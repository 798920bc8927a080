/**
 * Heads and DATA out, RFC 9113 sections 5.2, 6.1, 6.2 and 6.10: cut to the peer's frame size, held back by its windows.
 * In: calls of streams, windows, room in the output. Out: frames in the output. Owns the connection's send window and
 * the ring of streams that have something to send and a window for it: each has one frame a turn.
 *
 * Trailers behind queued DATA are encoded apart: a block of the connection's encoder must leave as soon as it is written.
 */
import type { AbuseGuard } from './abuse.ts'
import {
  CONTINUATION,
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  END_HEADERS,
  END_STREAM,
  HEADERS,
} from './frame.ts'
import type { HpackEncoder } from './hpack/encoder.ts'
import { LiteralEncoder } from './literal-encoder.ts'
import { giveSlab } from '../slabs.ts'
import type { Output } from './output.ts'
import { OPEN, type Http2Stream } from './stream.ts'

/** A stream's turn when several wait. */
const TURN_BYTES = 16 * 1024
/** What waits in the output at most before the transport has looked at it, give or take a frame. */
const MAX_PENDING_BYTES = 256 * 1024
const EMPTY = Buffer.alloc(0)

export interface SenderOwner {
  /** A stream's END_STREAM is in the output. */
  onEndSent(stream: Http2Stream): void
}

export class Sender {
  /** Of the connection. */
  windowBytes = DEFAULT_WINDOW_BYTES
  /** The peer's. */
  maxFrameBytes = DEFAULT_MAX_FRAME_BYTES
  readonly encoder: HpackEncoder
  readonly #output: Output
  readonly #abuse: AbuseGuard
  readonly #owner: SenderOwner
  /** Whose turn it is; a ring. */
  #ready: Http2Stream | null = null
  #deferred: LiteralEncoder | null = null

  constructor(output: Output, encoder: HpackEncoder, abuse: AbuseGuard, owner: SenderOwner) {
    this.#output = output
    this.encoder = encoder
    this.#abuse = abuse
    this.#owner = owner
  }

  // hot
  beginHead(stream: Http2Stream): void {
    if (stream.queue.bytes > 0 || stream.localEnded || stream.state !== OPEN) {
      stream.encoder = this.#deferred = new LiteralEncoder()
      return
    }
    stream.encoder = this.encoder
    this.#output.openFrame()
    this.encoder.begin(this.#output)
  }

  // hot
  endHead(stream: Http2Stream, endStream: boolean): void {
    if (this.#deferred !== null) {
      if (stream.queue.bytes > 0) {
        stream.trailerBlock = this.#deferred.block
        stream.endQueued = true
      }
      this.#deferred = null
      return
    }
    const output = this.#output
    const flags = endStream ? END_HEADERS | END_STREAM : END_HEADERS
    if (output.openBytes <= this.maxFrameBytes) {
      stream.tailAt = output.closeFrame(HEADERS, flags, stream.id)
      this.#remember(stream)
    } else this.#closeInPieces(stream, flags)
    if (endStream) this.#ended(stream)
  }

  // hot
  sendData(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean {
    if (stream.localEnded || stream.endQueued || stream.state !== OPEN || start === end) return true
    let at = start
    if (stream.queue.bytes === 0 && this.#ready === null && !this.#output.blocked) {
      while (at < end && this.#output.pending < MAX_PENDING_BYTES) {
        const bytes = Math.min(end - at, this.maxFrameBytes, stream.sendWindowBytes, this.windowBytes)
        if (bytes <= 0) break
        this.#frame(stream, 0, buf, at, at + bytes)
        at += bytes
      }
      if (at === end) return true
    }
    stream.queue.copy(buf, at, end)
    this.#enlist(stream)
    return false
  }

  sendEnd(stream: Http2Stream): void {
    if (stream.localEnded || stream.endQueued || stream.state !== OPEN) return
    if (stream.queue.bytes > 0) {
      stream.endQueued = true
      return
    }
    if (!this.#output.markEnd(stream.tailSlab, stream.tailAt, stream.tailEpoch))
      this.#output.data(stream.id, END_STREAM, EMPTY, 0, 0)
    this.#ended(stream)
  }

  /** The peer lets a stream send more, or (by its SETTINGS) less. */
  onStreamWindow(stream: Http2Stream, delta: number): void {
    stream.sendWindowBytes += delta
    if (stream.queue.bytes > 0) this.#enlist(stream)
  }

  /** Frames of waiting streams, in turns, as far as windows and the output allow. True: the output holds some. */
  refill(): boolean {
    const output = this.#output
    while (this.#ready !== null && this.windowBytes > 0 && !output.blocked && output.pending < MAX_PENDING_BYTES)
      this.#turn(this.#ready)
    return output.pending > 0
  }

  /** A stream is over: what it had queued goes nowhere. */
  drop(stream: Http2Stream): void {
    this.#unlist(stream)
    stream.queue.clear()
  }

  #turn(stream: Http2Stream): void {
    const { queue } = stream
    const { first: chunk, at } = queue
    const most = stream.next === stream ? this.maxFrameBytes : Math.min(TURN_BYTES, this.maxFrameBytes)
    const bytes = Math.min(queue.end - at, most, stream.sendWindowBytes, this.windowBytes)
    if (bytes <= 0) {
      this.#unlist(stream) // its window shrank by SETTINGS
      return
    }
    const last = queue.bytes === bytes
    const ends = last && stream.endQueued && stream.trailerBlock === null
    this.#frame(stream, ends ? END_STREAM : 0, chunk, at, at + bytes)
    const done = queue.skip(bytes)
    if (done !== null) giveSlab(done)
    if (!last) {
      if (stream.sendWindowBytes <= 0) this.#unlist(stream)
      else this.#ready = stream.next
      return
    }
    this.#unlist(stream)
    if (stream.trailerBlock !== null) this.#sendBlock(stream, stream.trailerBlock)
    if (stream.endQueued) this.#ended(stream)
    else stream.owner.onDrain(stream)
  }

  #frame(stream: Http2Stream, flags: number, buf: Buffer, start: number, end: number): void {
    const bytes = end - start
    stream.tailAt = this.#output.data(stream.id, flags, buf, start, end)
    this.#remember(stream)
    stream.sendWindowBytes -= bytes
    this.windowBytes -= bytes
    this.#abuse.onDataSent(bytes, flags !== 0)
  }

  #remember(stream: Http2Stream): void {
    stream.tailSlab = this.#output.buf
    stream.tailEpoch = this.#output.epoch
  }

  #ended(stream: Http2Stream): void {
    stream.localEnded = true
    this.#abuse.onDataSent(0, true)
    this.#owner.onEndSent(stream)
  }

  /** A block over the peer's frame size. */
  #closeInPieces(stream: Http2Stream, flags: number): void {
    const rest = this.#output.splitFrame(this.maxFrameBytes)
    stream.tailAt = this.#output.closeFrame(HEADERS, flags & ~END_HEADERS, stream.id)
    this.#remember(stream)
    this.#continue(stream, rest)
  }

  #sendBlock(stream: Http2Stream, block: Buffer): void {
    const whole = block.length <= this.maxFrameBytes
    const first = whole ? block : block.subarray(0, this.maxFrameBytes)
    this.#output.frame(HEADERS, whole ? END_STREAM | END_HEADERS : END_STREAM, stream.id, first)
    if (!whole) this.#continue(stream, block.subarray(this.maxFrameBytes))
  }

  #continue(stream: Http2Stream, rest: Buffer): void {
    for (let at = 0; at < rest.length; at += this.maxFrameBytes) {
      const end = Math.min(rest.length, at + this.maxFrameBytes)
      this.#output.frame(CONTINUATION, end === rest.length ? END_HEADERS : 0, stream.id, rest.subarray(at, end))
    }
  }

  #enlist(stream: Http2Stream): void {
    if (stream.next !== null || stream.sendWindowBytes <= 0) return
    const ready = this.#ready
    if (ready === null) this.#ready = stream.next = stream.prev = stream
    else {
      stream.next = ready
      stream.prev = ready.prev
      ready.prev!.next = stream
      ready.prev = stream
    }
  }

  #unlist(stream: Http2Stream): void {
    const { next, prev } = stream
    if (next === null) return
    if (next === stream) this.#ready = null
    else {
      prev!.next = next
      next.prev = prev
      if (this.#ready === stream) this.#ready = next
    }
    stream.next = stream.prev = null
  }
}
