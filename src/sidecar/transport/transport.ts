/**
 * The bytes of one connection, below the codecs and above the socket.
 * In: buffers to write. Out: what comes, and how it ends, to one handler at a time. Owns the socket's events.
 */
import type { Socket } from 'node:net'
import type { DirectInput } from './direct-input.ts'

/** What a connection was accepted or dialled as. */
export interface TransportSide {
  /** Where bytes go in and out. */
  socket: Socket
  /** The socket below TLS, or the same one: only this can be reset. */
  raw: Socket
  /** How bytes come in where they do not come as `data` events. */
  input?: DirectInput | null
}

/** Whose connection it is for now. */
export interface TransportHandler {
  /** `buf[0, end)` has come. The bytes are the handler's only until it returns: what is kept is copied. */
  onBytes(buf: Buffer, end: number): void
  /** The peer has sent its last (FIN, close_notify); told also while paused. */
  onEnd(): void
  /** Bytes can be taken again after `write` said no. */
  onDrain(): void
  /** Gone, by an error or by being closed; told once, nothing comes after it. */
  onClose(detail: string): void
}

export interface Transport {
  readonly socket: Socket
  /** As of its side. */
  readonly raw: Socket
  /** Bytes given to it that the kernel has not taken. */
  readonly bufferedBytes: number
  /** What the kernel has taken so far, as far as it tells: grows while a large write goes out. */
  readonly takenBytes: number
  /** Of those, the ones that it still refers to: buffers given must stay as they are until this is 0. */
  readonly heldBytes: number
  /** Events go to `handler` from here on; what comes is read from the first `resume`. */
  attach(handler: TransportHandler): void
  /** No more events: the socket is somebody else's. It is left paused. */
  detach(): void
  pause(): void
  resume(): void
  /** Several writes become one. */
  cork(): void
  uncork(): void
  /** False: it has enough, `onDrain` follows. `buf` must stay as it is until `heldBytes` is 0. */
  write(buf: Buffer): boolean
  /** It takes more without an `onDrain`. */
  readonly takesMore: boolean
  /** Calls `done` when the kernel has taken all that was written. */
  afterWrites(done: () => void): void
  /** Half-closes after what was written. */
  end(): void
  /** Closes so that the peer can tell it from an end. */
  reset(): void
  destroy(): void
}
