/**
 * Body bytes that wait, in either direction, as copies: small pieces are joined, so that a peer's one-byte frames cost
 * one byte each. In: ranges. Out: ranges, in order. Owns its chunks.
 */
import type { BodySink } from './body.ts'
import { giveSlab, SLAB_BYTES, takeSlab } from './slabs.ts'

const FIRST_CHUNK_BYTES = 1024
/** More than this in a first piece is the beginning of more. */
const SMALL_BYTES = 4096

export class ByteQueue {
  bytes = 0
  /** Where the first chunk goes on. */
  at = 0
  readonly #chunks: Buffer[] = []
  readonly #ends: number[] = []
  /** What the last chunk can still take. */
  #room = 0

  /** The first chunk; there is one while `bytes` > 0. */
  get first(): Buffer {
    return this.#chunks[0]!
  }
  get end(): number {
    return this.#ends[0]!
  }

  copy(buf: Buffer, start: number, end: number): void {
    this.bytes += end - start
    let from = start
    while (from < end) {
      if (this.#room === 0) {
        const isSmall = this.#chunks.length === 0 && end - from <= SMALL_BYTES
        const size = isSmall ? Math.max(FIRST_CHUNK_BYTES, end - from) : SLAB_BYTES
        this.#chunks.push(isSmall ? Buffer.allocUnsafe(size) : takeSlab(size))
        this.#ends.push(0)
        this.#room = size
      }
      const last = this.#chunks.length - 1
      const part = Math.min(end - from, this.#room)
      const used = this.#ends[last]!
      buf.copy(this.#chunks[last]!, used, from, from + part)
      this.#ends[last] = used + part
      this.#room -= part
      from += part
    }
  }

  /**
   * The next `bytes` of the first chunk are done with. Returns the chunk if that was all of it: to be given back
   * (`giveSlab`) when nobody reads it any more.
   */
  skip(bytes: number): Buffer | null {
    this.bytes -= bytes
    this.at += bytes
    if (this.at < this.#ends[0]!) return null
    this.#ends.shift()
    this.at = 0
    if (this.#chunks.length === 1) this.#room = 0
    return this.#chunks.shift()!
  }

  /** All of it, which stays. */
  show(sink: BodySink): void {
    for (let i = 0; i < this.#chunks.length; i++) sink.onBody(this.#chunks[i]!, i === 0 ? this.at : 0, this.#ends[i]!)
  }

  /** Nobody reads its chunks any more: others may have them. */
  clear(): void {
    this.bytes = 0
    this.at = 0
    if (this.#chunks.length === 0) return // setting a length costs, even to what it is
    for (let i = 0; i < this.#chunks.length; i++) giveSlab(this.#chunks[i]!)
    this.#chunks.length = 0
    this.#ends.length = 0
    this.#room = 0
  }
}
