/**
 * The bytes of an accepted HTTP/1.1 connection, cut into requests: one at a time, however many have come.
 * In: bytes, calls that say when they are wanted. Out: heads, bodies and ends to its handler. Owns: readers, the gate.
 *
 *   HEAD --whole head--> BODY or WAIT (the handler says)     BODY --its end--> WAIT --`next`--> HEAD
 *   BODY --answered before its end, short--> DISCARD --its end--> HEAD
 *
 * Bytes of the next request (pipelining) are held and the socket is paused, so a client that sends ahead costs one read
 * buffer and cannot pile up answers.
 */
import type { BodySink } from '../codec/body.ts'
import type { Head } from '../codec/head.ts'
import { BodyReader } from '../codec/http1/framing.ts'
import { type HeadLimits, HeadReader } from '../codec/http1/head.ts'
import { DONE, MORE, type Verdict } from '../codec/verdict.ts'
import type { Transport } from '../transport/transport.ts'
import { InputGate } from './input-gate.ts'
import { looksLikeHttp2, MORE_NEEDED } from './preface.ts'

export const HEAD = 0
export const BODY = 1
export const WAIT = 2
export const DISCARD = 3
/** What comes is thrown away. */
export const CLOSING = 4
export const CLOSED = 5
/** Somebody else reads it. */
export const DETACHED = 6

export interface InputHandler extends BodySink {
  /** Body bytes can be taken now. */
  readonly wantsBody: boolean
  /** The first bytes are HTTP/2's. */
  onPreface(first: Buffer): void
  /** A head has begun, and the rest of it is still to come. */
  onHeadBegun(): void
  /** A request's head; `rest[at, end)` was read behind it. */
  onHead(head: Head, rest: Buffer, at: number, end: number): void
  onBodyEnd(): void
  /** What nobody wanted has gone by. */
  onDiscarded(): void
  onFault(verdict: Verdict): void
  /** All that was read is handed over. */
  onReadEnd(): void
}

export class Http1Input {
  state = HEAD
  /** Bytes are being handed over. */
  isReading = false
  readonly reader: HeadReader
  readonly body = new BodyReader('request')
  readonly gate: InputGate
  readonly #handler: InputHandler
  /** The first bytes may be those of HTTP/2. */
  #sniffs: boolean

  constructor(transport: Transport, limits: HeadLimits, sniffs: boolean, handler: InputHandler) {
    this.reader = new HeadReader('request', limits)
    this.gate = new InputGate(transport)
    this.#sniffs = sniffs
    this.#handler = handler
  }

  /** Between requests, and nothing of the next one has come. */
  get isIdle(): boolean {
    return this.state === HEAD && this.reader.isIdle && !this.gate.holds
  }

  // hot
  onBytes(chunk: Buffer, end: number): void {
    if (this.state >= CLOSING) return
    if (this.#sniffs && this.#isHttp2(chunk, end)) return
    if (this.gate.holds) this.gate.hold(chunk, 0, end)
    else this.process(chunk, end)
  }

  /** Whether the first bytes are not HTTP/1.1's to look at. */
  #isHttp2(chunk: Buffer, end: number): boolean {
    const held = this.gate.holds ? this.gate.take() : null
    const first = held === null ? chunk.subarray(0, end) : Buffer.concat([held, chunk.subarray(0, end)])
    const verdict = looksLikeHttp2(first)
    if (verdict === MORE_NEEDED) {
      this.gate.keep(first)
      this.#handler.onHeadBegun()
      return true
    }
    this.#sniffs = false
    if (verdict) this.#handler.onPreface(Buffer.from(first))
    else if (held !== null) this.process(first, first.length)
    return verdict || held !== null
  }

  /** Nothing more comes: what might have become HTTP/2's preface is a request that was cut short. */
  endSniffing(): void {
    if (!this.#sniffs) return
    this.#sniffs = false
    this.release()
  }

  // hot
  process(chunk: Buffer, end: number): void {
    const handler = this.#handler
    let at = 0
    this.isReading = true
    while (at < end) {
      if (this.state === HEAD) {
        const verdict = this.reader.read(chunk, at, end)
        if (verdict === MORE) {
          handler.onHeadBegun()
          break
        }
        if (verdict !== DONE) {
          handler.onFault(verdict)
          break
        }
        at = this.reader.next
        handler.onHead(this.reader.head, chunk, at, end)
      } else if (this.state === BODY || this.state === DISCARD) {
        if (this.state === BODY && !handler.wantsBody) {
          this.gate.hold(chunk, at, end)
          break
        }
        const verdict = this.body.read(chunk, at, end, handler)
        if (verdict === MORE) break
        if (verdict !== DONE) {
          handler.onFault(verdict)
          break
        }
        at = this.body.next
        if (this.state === DISCARD) handler.onDiscarded()
        else {
          this.state = WAIT
          handler.onBodyEnd()
        }
      } else if (this.state === WAIT) {
        this.gate.hold(chunk, at, end)
        break
      } else break
    }
    this.isReading = false
    handler.onReadEnd()
  }

  /** What was held comes now; false: nothing was. */
  release(): boolean {
    const held = this.gate.take()
    if (held === null) return false
    this.process(held, held.length)
    return true
  }

  /** The next request may come. */
  next(): void {
    this.state = HEAD
    this.reader.reset()
  }

  /** What comes from here on is thrown away. */
  close(): void {
    this.state = CLOSING
    this.gate.take()
    this.gate.unblock()
    this.gate.update()
  }
}
