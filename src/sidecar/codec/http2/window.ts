/**
 * What a receiver lets its peer send, RFC 9113 sections 5.2 and 6.9: grows for those who keep it full, and is given back
 * in halves, for bytes that went on to somebody. Used for each stream and for the connection. No I/O.
 */
export class ReceiveWindow {
  /** What the peer may still send. */
  leftBytes = 0
  #sizeBytes = 0
  #maxBytes = 0
  #pendingBytes = 0
  /** Passed on since the window last grew. */
  #passedBytes = 0

  reset(sizeBytes: number, maxBytes: number): void {
    this.leftBytes = sizeBytes
    this.#sizeBytes = sizeBytes
    this.#maxBytes = maxBytes
    this.#pendingBytes = 0
    this.#passedBytes = 0
  }

  /** A frame's flow-controlled bytes have come. False: more than was allowed. */
  take(bytes: number): boolean {
    this.leftBytes -= bytes
    return this.leftBytes >= 0
  }

  /**
   * These bytes have been passed on. Returns the increment to announce, 0 for not yet. `mayGrow`: the reader kept up, so
   * that a larger window would have been used.
   */
  credit(bytes: number, mayGrow: boolean): number {
    this.#pendingBytes += bytes
    this.#passedBytes += bytes
    if (this.#pendingBytes * 2 < this.#sizeBytes) return 0
    let increment = this.#pendingBytes
    if (mayGrow && this.#passedBytes >= this.#sizeBytes && this.#sizeBytes < this.#maxBytes) {
      const grown = Math.min(this.#sizeBytes * 2, this.#maxBytes)
      increment += grown - this.#sizeBytes
      this.#sizeBytes = grown
      this.#passedBytes = 0
    }
    this.#pendingBytes = 0
    this.leftBytes += increment
    return increment
  }
}
