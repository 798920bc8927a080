/**
 * Bytes to frames, RFC 9113 sections 3.4 and 4.1.
 * In: a connection's bytes in any pieces. Out: calls on a sink. Owns a carry buffer for a payload that comes in pieces.
 *
 *   PREFACE (server) --> HEADER --9 bytes--> WHOLE --payload--> HEADER
 *                        HEADER --DATA--> [PAD] --> BODY --> PADDING --> HEADER        HEADER --unwanted--> SKIP --> HEADER
 *
 * DATA is handed on as it comes, in ranges of the read buffer; other payloads are handed over whole, by reference where
 * they stand in one piece. Invariant: the same events for every split of the input.
 */
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, PADDED, readUint31 } from './frame.ts'

/** What a sink wants of the frame whose header it has just seen. */
export const TAKE_WHOLE = 0
export const TAKE_DATA = 1
export const TAKE_NOTHING = 2
export type Wish = number

export interface FrameSink {
  /** A header is in (`length`, `type`, `flags` and `streamId` of the reader). */
  onFrameHeader(): Wish
  onFrame(buf: Buffer, start: number, end: number): void
  /** Of DATA: its padding is known. `dataBytes` < 0: longer than the payload. */
  onDataBegin(dataBytes: number): void
  onDataBytes(buf: Buffer, start: number, end: number): void
  onDataEnd(): void
  onBadPreface(): void
}

const PREFACE = 0
const HEADER = 1
const WHOLE = 2
const PAD = 3
const BODY = 4
const PADDING = 5
const SKIP = 6
const STOPPED = 7

/** A larger carry buffer is not kept for the next time. */
const KEPT_CARRY_BYTES = 4096
const EMPTY = Buffer.alloc(0)

export class FrameReader {
  length = 0
  type = 0
  flags = 0
  streamId = 0
  readonly #sink: FrameSink
  #state: number
  /** Bytes of the preface, of the header or of the carried payload that are in. */
  #have = 0
  #left = 0
  #padding = 0
  #paused = false
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #carry: Buffer = EMPTY

  constructor(sink: FrameSink, expectsPreface: boolean) {
    this.#sink = sink
    this.#state = expectsPreface ? PREFACE : HEADER
  }

  /** Nothing of a frame is in. */
  get isBetweenFrames(): boolean {
    return this.#state === HEADER && this.#have === 0
  }

  /** No byte is looked at any more. */
  stop(): void {
    this.#state = STOPPED
    this.#carry = EMPTY
  }

  /** What comes after the frame that is being handed over is left where it stands. */
  pause(): void {
    this.#paused = true
  }

  /** Returns how far it came: `end`, but where a sink paused it. */
  // hot
  read(buf: Buffer, start: number, end: number): number {
    const sink = this.#sink
    this.#paused = false
    let at = start
    while (at < end || this.#left === 0) {
      switch (this.#state) {
        case HEADER:
          if (this.#have === 0 && end - at >= FRAME_HEADER_BYTES) {
            this.#begin(buf, at)
            at += FRAME_HEADER_BYTES
            break
          }
          if (at === end) return at
          this.#header[this.#have++] = buf[at++]!
          if (this.#have < FRAME_HEADER_BYTES) break
          this.#have = 0
          this.#begin(this.#header, 0)
          break
        case WHOLE: {
          const missing = this.#left
          if (this.#have === 0 && end - at >= missing) {
            this.#state = HEADER
            this.#left = 0
            at += missing
            sink.onFrame(buf, at - missing, at)
            if (this.#paused) return at
            break
          }
          at = this.#fill(buf, at, end)
          if (this.#paused) return at
          break
        }
        case BODY: {
          const stop = Math.min(end, at + this.#left)
          const from = at
          this.#left -= stop - at
          at = stop
          if (stop > from) sink.onDataBytes(buf, from, stop)
          if (this.#state === BODY && this.#left === 0) this.#pad()
          break
        }
        case PADDING:
        case SKIP: {
          const stop = Math.min(end, at + this.#left)
          this.#left -= stop - at
          at = stop
          if (this.#left > 0) return at
          const wasData = this.#state === PADDING
          this.#state = HEADER
          if (wasData) sink.onDataEnd()
          break
        }
        case PAD: {
          if (at === end) return at
          const padBytes = buf[at++]!
          this.#padding = padBytes
          this.#left = this.length - 1 - padBytes
          this.#state = BODY
          sink.onDataBegin(this.#left)
          if (this.#state === BODY && this.#left <= 0) this.#pad()
          break
        }
        case PREFACE:
          if (at === end) return at
          if (buf[at++] !== CLIENT_PREFACE[this.#have++]) {
            this.stop()
            sink.onBadPreface()
          } else if (this.#have === CLIENT_PREFACE.length) {
            this.#have = 0
            this.#state = HEADER
          }
          break
        default:
          return end
      }
    }
    return end
  }

  #begin(buf: Buffer, at: number): void {
    this.length = (buf[at]! << 16) | (buf[at + 1]! << 8) | buf[at + 2]!
    this.type = buf[at + 3]!
    this.flags = buf[at + 4]!
    this.streamId = readUint31(buf, at + 5)
    const wish = this.#sink.onFrameHeader()
    if (this.#state === STOPPED) return
    this.#left = this.length
    if (wish === TAKE_WHOLE) this.#state = WHOLE
    else if (wish === TAKE_NOTHING) this.#state = SKIP
    else if ((this.flags & PADDED) !== 0) this.#state = PAD
    else {
      this.#padding = 0
      this.#state = BODY
      this.#sink.onDataBegin(this.length)
    }
  }

  /** The data of a DATA frame is over. */
  #pad(): void {
    if (this.#padding > 0) {
      this.#left = this.#padding
      this.#state = PADDING
      return
    }
    this.#left = 0
    this.#state = HEADER
    this.#sink.onDataEnd()
  }

  #fill(buf: Buffer, at: number, end: number): number {
    if (this.#carry.length < this.length) this.#carry = Buffer.allocUnsafe(this.length)
    const stop = Math.min(end, at + this.#left)
    buf.copy(this.#carry, this.#have, at, stop)
    this.#have += stop - at
    this.#left -= stop - at
    if (this.#left > 0) return stop
    this.#have = 0
    this.#state = HEADER
    const carry = this.#carry
    this.#sink.onFrame(carry, 0, this.length)
    if (carry.length > KEPT_CARRY_BYTES) this.#carry = EMPTY
    return stop
  }
}
