/** What was sent of a request's body, bounded, until it is clear that it need not be sent again. */
import type { BodySink } from '../codec/body.ts'

/** Bodies that are longer are not sent again. */
const MAX_REPLAY_BYTES = 64 * 1024

export class Replay {
  readonly #bufs: Buffer[] = []
  #bytes = 0
  #complete = true

  get isEmpty(): boolean {
    return this.#bufs.length === 0
  }

  /** All that was sent is still here. */
  get isComplete(): boolean {
    return this.#complete
  }

  keep(buf: Buffer, start: number, end: number): void {
    if (!this.#complete) return
    this.#bytes += end - start
    if (this.#bytes > MAX_REPLAY_BYTES) {
      this.drop()
      return
    }
    this.#bufs.push(Buffer.from(buf.subarray(start, end)))
  }

  sendAgain(sink: BodySink): void {
    for (const buf of this.#bufs) sink.onBody(buf, 0, buf.length)
  }

  /** No retry from here on. */
  drop(): void {
    this.#complete = false
    this.#clear()
  }

  reset(): void {
    this.#complete = true
    this.#bytes = 0
    this.#clear()
  }

  #clear(): void {
    if (this.#bufs.length === 0) return // setting a length costs, even to what it is
    this.#bufs.length = 0
  }
}
