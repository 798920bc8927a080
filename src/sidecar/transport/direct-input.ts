/**
 * What comes in on a dialled plain socket, where it is not driven by its handle: read into the buffer that all share
 * (net.connect's `onread`), without a buffer, event and tick for each read, a good part of what a small answer costs.
 * In: reads. Out: `onBytes`.
 */
import type { OnReadOpts } from 'node:net'
import { READ_BUFFER } from './read-buffer.ts'

/** `buf[0, end)` has come. */
export type BytesHandler = (buf: Buffer, end: number) => void

export class DirectInput {
  #onBytes: BytesHandler | null = null

  /** For net.connect. */
  readonly onread: OnReadOpts = {
    buffer: READ_BUFFER,
    callback: (end) => {
      this.#onBytes?.(READ_BUFFER, end)
      return true
    },
  }

  listen(onBytes: BytesHandler | null): void {
    this.#onBytes = onBytes
  }
}
