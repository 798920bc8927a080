/**
 * A transport on the stream handle itself: without Readable, Writable, an event and a tick for each read and write,
 * which cost more than the codecs. Reads go into one buffer that all connections share.
 * The socket stays the handle's owner: it ends, resets and closes it, and tells of errors.
 *
 * Writes: a plain socket mostly takes all at once. TLS never does, and takes one write at a time; what comes meanwhile
 * waits and goes out as one. TLS has copied a write's bytes when the call returns.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getSystemErrorName } from 'node:util'
import { READ_BUFFER } from './read-buffer.ts'
import { resetSide } from './reset.ts'
import {
  END_OF_STREAM,
  newWriteRequest,
  readResult,
  type StreamHandle,
  wasAsync,
  type WriteRequest,
} from './stream-handle.ts'
import type { Transport, TransportHandler, TransportSide } from './transport.ts'

/** More than this may not wait, where the configuration says nothing. */
const HIGH_WATER_BYTES = 64 * 1024

export class HandleTransport implements Transport {
  readonly socket: Socket
  readonly raw: Socket
  bufferedBytes = 0
  heldBytes = 0
  readonly #handle: StreamHandle
  readonly #copies: boolean
  #handler: TransportHandler | null = null
  /** Used again for every write that is done at once. */
  #request: WriteRequest | null = null
  #queue: Buffer[] = []
  #givenBytes = 0
  #inFlightBytes = 0
  #isWriting = false
  #corked = false
  #reading = false
  #isFull = false
  #readEnded = false
  /** Nothing has been asked of the socket itself yet. */
  #isFresh = true
  #ending = false
  #closed = false
  readonly #afterWrites: (() => void)[] = []

  readonly #highWaterBytes: number

  constructor({ socket, raw }: TransportSide, handle: StreamHandle, bufferLimitBytes: number | null) {
    this.#highWaterBytes = bufferLimitBytes ?? HIGH_WATER_BYTES
    this.socket = socket
    this.raw = raw
    this.#handle = handle
    this.#copies = socket instanceof TLSSocket
    if (raw !== socket) raw.on('error', ignore)
  }

  get takenBytes(): number {
    const settled = this.#givenBytes - this.bufferedBytes
    const { writeQueueSize } = this.#handle
    return this.#isWriting && writeQueueSize !== undefined
      ? settled + Math.max(0, this.#inFlightBytes - writeQueueSize)
      : settled
  }

  get takesMore(): boolean {
    return !this.#isFull || this.bufferedBytes === 0
  }

  attach(handler: TransportHandler): void {
    this.#handler = handler
    const { socket } = this
    socket.pause()
    this.#handle.readStop()
    this.#handle.useUserBuffer(READ_BUFFER)
    this.#handle.onread = this.#onRead
    socket.on('error', this.#onError).on('close', this.#onSocketClose).on('end', this.#onSocketEnd)
    // an end that was read before is not told again
    if (socket.readableEnded) this.#readEnded = true
  }

  /** The next owner reads through the socket's own events, to which the handle now gives copies. */
  detach(): void {
    const { socket } = this
    const handle = this.#handle
    this.#handler = null
    this.pause()
    const stop = (): void => {
      handle.reading = false
      handle.readStop()
    }
    stop()
    handle.onread = () => {
      const bytes = readResult()
      if (bytes > 0) {
        if (!socket.push(Buffer.from(READ_BUFFER.subarray(0, bytes)))) stop()
      } else if (bytes === END_OF_STREAM) socket.push(null)
      else if (bytes < 0) socket.destroy(systemError('read', bytes))
    }
    socket
      .off('error', this.#onError)
      .off('close', this.#onSocketClose)
      .off('end', this.#onSocketEnd)
      .on('error', ignore)
  }

  resume(): void {
    if (this.#reading || this.#closed || this.#handler === null) return
    this.#reading = true
    if (this.#isFresh) this.#deliverEarly()
    if (this.#closed) return
    if (this.#reading) this.#handle.readStart()
    else this.#handle.readStop()
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    if (!this.#closed) this.#handle.readStop()
  }

  /** What the socket had read before it was ours, its end too, which it then tells as an event. */
  #deliverEarly(): void {
    while (this.#reading && !this.#closed) {
      const chunk = this.socket.read() as Buffer | null
      if (chunk === null) {
        this.#isFresh = false
        return
      }
      this.#handler?.onBytes(chunk, chunk.length)
    }
  }

  // hot
  readonly #onRead = (): void => {
    const bytes = readResult()
    if (bytes > 0) this.#handler?.onBytes(READ_BUFFER, bytes)
    else if (bytes === END_OF_STREAM) this.#onEndOfStream()
    else if (bytes < 0) this.socket.destroy(systemError('read', bytes))
  }

  #onEndOfStream(): void {
    if (this.#readEnded || this.#closed) return
    this.#readEnded = true
    this.pause()
    this.#handler?.onEnd()
    this.#closeIfOver()
  }

  // ---- bytes out

  cork(): void {
    this.#corked = true
  }

  uncork(): void {
    this.#corked = false
    if (!this.#isWriting) this.#writeQueue()
  }

  // hot
  write(buf: Buffer): boolean {
    if (this.#closed) return true
    this.bufferedBytes += buf.length
    this.#givenBytes += buf.length
    if (this.#isWriting || this.#corked) {
      this.heldBytes += buf.length
      this.#queue.push(buf)
    } else this.#writeNow(buf, null)
    if (this.bufferedBytes > this.#highWaterBytes) this.#isFull = true
    return !this.#isFull
  }

  #writeQueue(): void {
    const queue = this.#queue
    if (queue.length === 0 || this.#closed) return
    this.heldBytes = 0
    if (queue.length === 1) {
      const only = queue[0]!
      queue.length = 0
      this.#writeNow(only, null)
    } else {
      this.#queue = []
      this.#writeNow(null, queue)
    }
  }

  /** All that waits, `one` buffer or `many`. */
  // hot
  #writeNow(one: Buffer | null, many: Buffer[] | null): void {
    const request = this.#request ?? newWriteRequest()
    this.#request = null
    const error = one === null ? this.#handle.writev(request, many!, true) : this.#handle.writeBuffer(request, one)
    if (error !== 0) {
      this.socket.destroy(systemError('write', error))
      return
    }
    if (!wasAsync()) {
      this.#request = request
      this.bufferedBytes = 0
      if (this.#isFull) process.nextTick(this.#onRoom) // somebody was told to wait while it was corked
      return
    }
    this.#isWriting = true
    this.#inFlightBytes = this.bufferedBytes
    if (!this.#copies) this.heldBytes = this.bufferedBytes
    request.oncomplete = this.#onWritten
  }

  readonly #onWritten = (status: number): void => {
    this.#isWriting = false
    if (this.#closed) return
    if (status < 0) {
      this.socket.destroy(systemError('write', status))
      return
    }
    this.bufferedBytes -= this.#inFlightBytes
    if (!this.#copies) this.heldBytes -= this.#inFlightBytes
    if (!this.#corked) this.#writeQueue()
    this.#onRoom()
    if (this.bufferedBytes > 0) return
    if (this.#ending) this.socket.end()
    if (this.#afterWrites.length > 0) for (const done of this.#afterWrites.splice(0)) done()
  }

  readonly #onRoom = (): void => {
    if (!this.#isFull || this.#closed || this.bufferedBytes > this.#highWaterBytes / 2) return
    this.#isFull = false
    this.#handler?.onDrain()
  }

  // ---- ends

  afterWrites(done: () => void): void {
    if (this.bufferedBytes === 0) done()
    else this.#afterWrites.push(done)
  }

  end(): void {
    if (this.#ending || this.#closed) return
    this.#ending = true
    this.socket.once('finish', () => this.#closeIfOver())
    if (this.bufferedBytes === 0) this.socket.end()
  }

  /** The socket does not see the end of what it has not read. */
  #closeIfOver(): void {
    if (this.#readEnded && this.socket.writableFinished) this.socket.destroy()
  }

  reset(): void {
    resetSide(this)
  }

  destroy(): void {
    this.socket.destroy()
    this.raw.destroy()
  }

  readonly #onError = (error: Error): void => this.#onGone(error.message)
  readonly #onSocketEnd = (): void => this.#onEndOfStream()
  readonly #onSocketClose = (): void => this.#onGone('closed')

  #onGone(detail: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#reading = false
    this.#queue = []
    this.destroy()
    this.#handler?.onClose(detail)
  }
}

/** As node:net makes them. */
function systemError(call: 'read' | 'write', errno: number): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${call} ${code}`), { code })
}

function ignore(): void {
  // whoever owns the socket hears of it by its close
}
