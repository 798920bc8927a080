/**
 * What comes in on a pool's socket. Plain ones read into one buffer that all of them share (net.connect's `onread`):
 * no buffer, event and tick for each read, which is a good part of what a small answer costs.
 * In: reads. Out: `onBytes`. Invariant: the bytes are the reader's only until it returns, unless there are so many
 * that it would keep them by reference (JOIN_BYTES): those are a copy of their own.
 */
import type { OnReadOpts, Socket } from 'node:net'
import { JOIN_BYTES } from './writer.ts'

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
      if (end > JOIN_BYTES) this.#onBytes?.(Buffer.from(shared.subarray(0, end)), end)
      else this.#onBytes?.(shared, end)
      return true
    },
  }

  listen(onBytes: BytesHandler | null): void {
    this.#onBytes = onBytes
  }
}

/** The bytes of a read, to keep. */
export function ownBytes(buf: Buffer, end: number): Buffer {
  return buf === shared || end < buf.length ? Buffer.from(buf.subarray(0, end)) : buf
}

/** Hands what comes on a link's socket to `onBytes`; `null`: to nobody for now (the socket should be paused). */
export function listenTo(link: { socket: Socket; input?: DirectInput | null }, onBytes: BytesHandler | null): void {
  if (link.input) {
    link.input.listen(onBytes)
    return
  }
  link.socket.removeAllListeners('data')
  if (onBytes !== null) link.socket.on('data', (chunk: Buffer) => onBytes(chunk, chunk.length))
}
