/**
 * What a receiver lets its peer send, RFC 9113 sections 5.2 and 6.9: grows for those who keep it full, is given back
 * in halves, for bytes that went on to somebody, and shrinks again by not giving back. Used for each stream and for the
 * connection. No I/O.
 */
export class ReceiveWindow {
  /** What the peer may still send. */
  leftBytes = 0
  /** What may be with us, and not passed on, at once. */
  sizeBytes = 0
  #firstBytes = 0
  #maxBytes = 0
  /** Announced when the window was larger: not given back. */
  #surplusBytes = 0
  #pendingBytes = 0
  /** Passed on since the window last grew. */
  #passedBytes = 0

  reset(sizeBytes: number, maxBytes: number): void {
    this.leftBytes = sizeBytes
    this.sizeBytes = sizeBytes
    this.#firstBytes = sizeBytes
    this.#maxBytes = maxBytes
    this.#surplusBytes = 0
    this.#pendingBytes = 0
    this.#passedBytes = 0
  }

  /** A frame's flow-controlled bytes have come. False: more than was allowed. */
  take(bytes: number): boolean {
    this.leftBytes -= bytes
    return this.leftBytes >= 0
  }

  /** By how much it grew since its beginning. */
  get grownBytes(): number {
    return this.sizeBytes - this.#firstBytes
  }

  /**
   * These bytes have been passed on. Returns the increment to announce, 0 for not yet. `spareBytes`: by how much it may
   * grow, 0 where the reader did not keep up, so that a larger window would not have been used.
   */
  // hot
  credit(bytes: number, spareBytes: number): number {
    this.#pendingBytes += bytes
    this.#passedBytes = spareBytes > 0 ? this.#passedBytes + bytes : 0
    if (this.#surplusBytes > 0) this.#payBack()
    if (this.#pendingBytes * 2 < this.sizeBytes) return 0
    let increment = this.#pendingBytes
    if (this.#passedBytes >= this.sizeBytes && this.sizeBytes < this.#maxBytes) {
      const more = Math.min(this.sizeBytes, this.#maxBytes - this.sizeBytes, spareBytes)
      increment += more
      this.sizeBytes += more
      this.#passedBytes = 0
    }
    this.#pendingBytes = 0
    this.leftBytes += increment
    return increment
  }

  /** The reader is slower than the peer: half of it is enough. What was announced cannot be taken back. */
  shrink(): void {
    const size = Math.max(this.#firstBytes, this.sizeBytes >> 1)
    this.#surplusBytes += this.sizeBytes - size
    this.sizeBytes = size
    this.#passedBytes = 0
  }

  #payBack(): void {
    const paid = Math.min(this.#surplusBytes, this.#pendingBytes)
    this.#surplusBytes -= paid
    this.#pendingBytes -= paid
  }
}
