/**
 * What goes out on one connection: pieces are joined and leave in one write.
 * In: text, ranges of bytes. Out: as few writes as there are messages. Owns: a slab while something of it waits; as soon
 * as the kernel has taken all, it is another connection's to use, so that idle ones have none.
 */
import { copyBytes, writeLatin1 } from '../codec/bytes.ts'
import type { ByteSink } from '../codec/http1/encode.ts'
import { giveSlab, READ_SLAB_BYTES, takeSlab } from '../codec/slabs.ts'
import type { Transport } from './transport.ts'

/** Of a reader so slow that more would gather, the rest is garbage. */
const MAX_LENT = 8
/** Up to here a loop is cheaper than a call of Node's. */
const LOOP_TEXT_BYTES = 40
/** Up to here numbers are written without a text. */
const MAX_SMALL = 999_999_999
const ZERO = 0x30
const EMPTY = Buffer.alloc(0)

export class Writer implements ByteSink {
  /** All that was given to the socket. */
  bytesWritten = 0
  readonly #transport: Transport
  #slab: Buffer = EMPTY
  #start = 0
  #at = 0
  /** `#onTaken` follows. */
  #isAwaited = false
  /** Full, and not all of it taken by the kernel yet. */
  readonly #lent: Buffer[] = []
  /** The last one from the slab's start. */
  #view: Buffer = EMPTY

  constructor(transport: Transport) {
    this.#transport = transport
  }

  // hot
  text(text: string): void {
    const { length } = text
    this.#reserve(length)
    const slab = this.#slab
    const at = this.#at
    if (length > LOOP_TEXT_BYTES) writeLatin1(slab, text, at)
    else for (let i = 0; i < length; i++) slab[at + i] = text.charCodeAt(i)
    this.#at = at + length
  }

  /** A whole number >= 0, below 2^53. */
  // hot
  decimal(value: number): void {
    if (value > MAX_SMALL) {
      this.text(String(value))
      return
    }
    let digits = 1
    for (let scale = 10; scale <= value; scale *= 10) digits++
    this.#reserve(digits)
    let at = (this.#at += digits)
    let rest = value
    do {
      const tenth = (rest / 10) | 0
      this.#slab[--at] = ZERO + rest - tenth * 10
      rest = tenth
    } while (rest > 0)
  }

  // hot
  bytes(buf: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    this.#at = copyBytes(buf, start, end, this.#slab, this.#at)
  }

  /** Body bytes. They leave with `flush`; what would be more than one slab leaves before. */
  body(buf: Buffer, start: number, end: number): void {
    if (this.pendingBytes + end - start > READ_SLAB_BYTES) this.#writePending()
    this.bytes(buf, start, end)
  }

  /** Body bytes as one chunk. */
  chunk(buf: Buffer, start: number, end: number): void {
    this.text(`${(end - start).toString(16)}\r\n`)
    this.body(buf, start, end)
    this.text('\r\n')
  }

  /** What waits for `flush`. */
  get pendingBytes(): number {
    return this.#at - this.#start
  }

  /** Gives what waits to the socket. False: the socket has enough, wait for its `drain`. */
  flush(): boolean {
    if (this.#at !== this.#start) this.#writePending()
    if (this.#transport.heldBytes > 0) {
      if (!this.#isAwaited) {
        this.#isAwaited = true
        this.#transport.afterWrites(this.#onTaken)
      }
      return this.#transport.takesMore
    }
    this.#release()
    return true
  }

  readonly #onTaken = (): void => {
    this.#isAwaited = false
    if (this.#at === this.#start) this.#release()
  }

  /** The kernel has it all. */
  #release(): void {
    while (this.#lent.length > 0) giveSlab(this.#lent.pop()!)
    const slab = this.#slab
    this.#slab = EMPTY
    this.#start = this.#at = 0
    if (!giveSlab(slab)) this.#view = EMPTY // it would keep a slab that nobody uses again
  }

  #writePending(): void {
    if (this.#at === this.#start) return
    this.bytesWritten += this.#at - this.#start
    this.#transport.write(this.#pending())
    this.#start = this.#at
  }

  /** Messages of the same length from the slab's start are the same view. */
  // hot
  #pending(): Buffer {
    if (this.#start !== 0) return this.#slab.subarray(this.#start, this.#at)
    const view = this.#view
    if (view.length === this.#at && view.buffer === this.#slab.buffer) return view
    return (this.#view = this.#slab.subarray(0, this.#at))
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return
    const pending = this.#at - this.#start
    if (pending + bytes <= this.#slab.length && this.#transport.heldBytes === 0) {
      // the socket has taken all before it (on TLS that is known only later than in `flush`)
      this.#slab.copyWithin(0, this.#start, this.#at)
      this.#start = 0
      this.#at = pending
      return
    }
    const slab = takeSlab(pending + bytes)
    if (pending > 0) this.#slab.copy(slab, 0, this.#start, this.#at)
    if (this.#transport.heldBytes === 0) giveSlab(this.#slab)
    else if (this.#lent.length < MAX_LENT) this.#lent.push(this.#slab)
    this.#slab = slab
    this.#start = 0
    this.#at = pending
  }
}
