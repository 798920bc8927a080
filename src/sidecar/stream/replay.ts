/** What was sent of a request's body, bounded, until it is clear that it need not be sent again. */
import type { BodySink } from '../codec/body.ts'
import { ByteQueue } from '../codec/byte-queue.ts'

/** Bodies that are longer are not sent again. */
const MAX_REPLAY_BYTES = 64 * 1024

export class Replay {
  readonly #sent = new ByteQueue()
  #complete = true

  get isEmpty(): boolean {
    return this.#sent.bytes === 0
  }

  /** All that was sent is still here. */
  get isComplete(): boolean {
    return this.#complete
  }

  keep(buf: Buffer, start: number, end: number): void {
    if (!this.#complete) return
    if (this.#sent.bytes + end - start > MAX_REPLAY_BYTES) this.drop()
    else this.#sent.copy(buf, start, end)
  }

  sendAgain(sink: BodySink): void {
    this.#sent.show(sink)
  }

  /** No retry from here on. */
  drop(): void {
    this.#complete = false
    this.#sent.clear()
  }

  reset(): void {
    this.#complete = true
    this.#sent.clear()
  }
}
