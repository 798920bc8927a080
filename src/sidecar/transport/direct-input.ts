/**
 * What comes in on a dialled plain socket: all of them read into one buffer that all of them share (net.connect's `onread`):
 * no buffer, event and tick for each read, which is a good part of what a small answer costs.
 * In: reads. Out: `onBytes`. Invariant: the bytes are the reader's only until it returns.
 */
import type { OnReadOpts } from 'node:net'

const READ_BYTES = 64 * 1024
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** `buf[0, end)` has come. */
export type BytesHandler = (buf: Buffer, end: number) => void

export class DirectInput {
  #onBytes: BytesHandler | null = null

  /** For net.connect. */
  readonly onread: OnReadOpts = {
    buffer: shared,
    callback: (end) => {
      this.#onBytes?.(shared, end)
      return true
    },
  }

  listen(onBytes: BytesHandler | null): void {
    this.#onBytes = onBytes
  }
}
