/**
 * What goes out on a connection, in order, for one write per turn: frames joined in a slab.
 * In: frames. Out: buffers for `take`. Owns slabs; the transport refers to them until `reuse`. No socket.
 *
 * While a header block is open (`openFrame` to `closeFrame`) an encoder writes at `at`; then nothing else may.
 */
import { copyBytes } from '../bytes.ts'
import { giveSlab, SLAB_BYTES, takeSlab, TURN_SLAB_BYTES } from '../slabs.ts'
import {
  ACK,
  CLIENT_PREFACE,
  DATA,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHeader,
  writeUint32,
} from './frame.ts'
import type { ErrorCode } from './errors.ts'

const EMPTY = Buffer.alloc(0)

export interface OutputOwner {
  /** From empty to not empty. */
  onOutput(): void
  /** More frames for an output that has been taken. False: there are none. */
  refill(): boolean
}

export class Output {
  /** The slab, and where the next byte goes: what an encoder of header blocks writes at. */
  buf: Buffer = EMPTY
  at = 0
  /** Bytes that wait. */
  pending = 0
  /** The transport has enough, until it drains: DATA waits in its streams. */
  blocked = false
  /** Control frames since the transport last took everything. */
  queuedControlFrames = 0
  /** Changes when frames leave or move: a frame's header may be changed as long as this stays. */
  epoch = 0
  readonly #owner: OutputOwner
  #start = 0
  #openAt = -1
  #taking = false
  #list: Buffer[] = []
  /** Full, but not gone yet. */
  #full: Buffer[] = []
  /** What the last slab held: the next turn will need as much. */
  #turnBytes = 0

  constructor(owner: OutputOwner) {
    this.#owner = owner
  }

  /**
   * Gives all that waits to `write`, in order, and then what streams still have, as long as it says yes. False: the
   * transport has enough; tell `Session.onSocketDrain` when it has not.
   */
  take(write: (buf: Buffer) => boolean): boolean {
    let more = true
    this.#taking = true
    do {
      this.#cut()
      const list = this.#list
      this.pending = 0
      this.epoch++
      for (let i = 0; i < list.length; i++) if (!write(list[i]!)) more = false
      while (list.length > 0) list.pop() // setting a length costs
    } while (more && this.#owner.refill())
    this.#taking = false
    if (!more) this.blocked = true
    else if (!this.blocked) this.queuedControlFrames = 0
    return more
  }

  /** The transport holds nothing any more: the slab may be used from its start again, by others if it is a large one. */
  reuse(): void {
    if (this.pending > 0 || this.#openAt >= 0) return
    this.#turnBytes = this.at
    this.#start = this.at = 0
    while (this.#full.length > 0) giveSlab(this.#full.pop()!)
    if (this.buf.length <= SLAB_BYTES) return
    giveSlab(this.buf)
    this.buf = EMPTY
  }

  /** Room for `bytes` from `at` on; `buf` may be another one then. An open frame stays in one piece. */
  reserve(bytes: number): void {
    if (this.at + bytes > this.buf.length) this.#grow(bytes)
  }

  // ---- frames

  /** Leaves room for a frame header; its payload is written next. */
  openFrame(): void {
    this.reserve(FRAME_HEADER_BYTES)
    this.#openAt = this.at
    this.at += FRAME_HEADER_BYTES
  }

  /** Payload bytes of the open frame so far. */
  get openBytes(): number {
    return this.at - this.#openAt - FRAME_HEADER_BYTES
  }

  /** Writes the open frame's header; returns where it stands. */
  closeFrame(type: number, flags: number, id: number): number {
    const headerAt = this.#openAt
    const length = this.openBytes
    writeFrameHeader(this.buf, headerAt, length, type, flags, id)
    this.#openAt = -1
    this.#added(FRAME_HEADER_BYTES + length)
    return headerAt
  }

  /** Instead of `closeFrame`, for a payload over the limit: the first `keep` bytes stay, the rest is returned as a copy. */
  splitFrame(keep: number): Buffer {
    const from = this.#openAt + FRAME_HEADER_BYTES + keep
    const rest = Buffer.from(this.buf.subarray(from, this.at))
    this.at = from
    return rest
  }

  /** A frame whose payload is at hand. */
  frame(type: number, flags: number, id: number, payload: Buffer): void {
    const { length } = payload
    this.reserve(FRAME_HEADER_BYTES + length)
    writeFrameHeader(this.buf, this.at, length, type, flags, id)
    payload.copy(this.buf, this.at + FRAME_HEADER_BYTES)
    this.at += FRAME_HEADER_BYTES + length
    this.#added(FRAME_HEADER_BYTES + length)
  }

  /** DATA; returns where its header stands in `buf`. */
  // hot
  data(id: number, flags: number, source: Buffer, start: number, end: number): number {
    const length = end - start
    this.reserve(FRAME_HEADER_BYTES + length)
    const { buf, at: headerAt } = this
    writeFrameHeader(buf, headerAt, length, DATA, flags, id)
    this.at = copyBytes(source, start, end, buf, headerAt + FRAME_HEADER_BYTES)
    this.#added(FRAME_HEADER_BYTES + length)
    return headerAt
  }

  /** Sets END_STREAM on a frame that has not left yet: `slab`, `headerAt` and `epoch` as they were when it was written. */
  markEnd(slab: Buffer, headerAt: number, epoch: number): boolean {
    if (epoch !== this.epoch) return false
    slab[headerAt + 4] = slab[headerAt + 4]! | END_STREAM
    return true
  }

  /** A client's first bytes. */
  preface(): void {
    const { length } = CLIENT_PREFACE
    this.reserve(length)
    CLIENT_PREFACE.copy(this.buf, this.at)
    this.at += length
    this.#added(length)
  }

  resetStream(id: number, code: ErrorCode): void {
    this.#uint32(RST_STREAM, id, code)
  }

  windowUpdate(id: number, increment: number): void {
    this.#uint32(WINDOW_UPDATE, id, increment)
  }

  settings(payload: Buffer): void {
    this.frame(SETTINGS, 0, 0, payload)
  }

  settingsAck(): void {
    this.queuedControlFrames++
    this.frame(SETTINGS, ACK, 0, EMPTY)
  }

  /** Eight opaque bytes. */
  ping(flags: number, buf: Buffer, start: number): void {
    this.queuedControlFrames++
    this.reserve(FRAME_HEADER_BYTES + 8)
    writeFrameHeader(this.buf, this.at, 8, PING, flags, 0)
    buf.copy(this.buf, this.at + FRAME_HEADER_BYTES, start, start + 8)
    this.at += FRAME_HEADER_BYTES + 8
    this.#added(FRAME_HEADER_BYTES + 8)
  }

  goaway(lastStreamId: number, code: ErrorCode, reason: string): void {
    const payload = Buffer.alloc(8 + reason.length)
    writeUint32(payload, 0, lastStreamId)
    writeUint32(payload, 4, code)
    payload.write(reason, 8, 'latin1')
    this.frame(GOAWAY, 0, 0, payload)
  }

  #uint32(type: number, id: number, value: number): void {
    this.queuedControlFrames++
    this.reserve(FRAME_HEADER_BYTES + 4)
    writeFrameHeader(this.buf, this.at, 4, type, 0, id)
    writeUint32(this.buf, this.at + FRAME_HEADER_BYTES, value)
    this.at += FRAME_HEADER_BYTES + 4
    this.#added(FRAME_HEADER_BYTES + 4)
  }

  #added(bytes: number): void {
    const wasEmpty = this.pending === 0
    this.pending += bytes
    if (wasEmpty && !this.#taking) this.#owner.onOutput()
  }

  /** What stands in the slab becomes a buffer of its own. */
  #cut(): void {
    if (this.at === this.#start) return
    this.#list.push(this.buf.subarray(this.#start, this.at))
    this.#start = this.at
  }

  /** A larger slab for all that waits; or, where that would be much, another one for what comes. */
  #grow(bytes: number): void {
    const { buf, at } = this
    const openAt = this.#openAt
    const whole = at - this.#start + bytes
    const keepFrom = whole <= TURN_SLAB_BYTES ? this.#start : openAt >= 0 ? openAt : at
    if (keepFrom > this.#start) this.#list.push(buf.subarray(this.#start, keepFrom))
    const kept = at - keepFrom
    const slab = takeSlab(Math.max(kept + bytes, this.#turnBytes))
    if (kept > 0) buf.copy(slab, 0, keepFrom, at)
    if (buf.length > 0) this.#full.push(buf)
    if (keepFrom === this.#start) this.epoch++ // headers that stood in the old one have moved
    this.buf = slab
    this.at = kept
    this.#start = 0
    if (openAt >= 0) this.#openAt = openAt - keepFrom
  }
}
