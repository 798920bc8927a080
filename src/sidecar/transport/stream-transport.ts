/** A transport over the public API of node:net and node:tls, which serves every socket on every version of Node. */
import type { Socket } from 'node:net'
import type { DirectInput } from './direct-input.ts'
import { resetSide } from './reset.ts'
import type { Transport, TransportHandler, TransportSide } from './transport.ts'

export class StreamTransport implements Transport {
  readonly socket: Socket
  readonly raw: Socket
  readonly #input: DirectInput | null
  readonly #limitBytes: number
  #givenBytes = 0
  #handler: TransportHandler | null = null
  #closed = false
  readonly #events: readonly (readonly [string, (arg: unknown) => void])[] = [
    ['data', (chunk) => this.#handler?.onBytes(chunk as Buffer, (chunk as Buffer).length)],
    ['end', () => this.#handler?.onEnd()],
    ['drain', () => this.#handler?.onDrain()],
    ['error', (error) => this.#onClose((error as Error).message)],
    ['close', () => this.#onClose('closed')],
  ]

  /** `limitBytes`: of what may wait; the socket's own limit holds where that is the higher one. */
  constructor({ socket, raw, input = null }: TransportSide, limitBytes: number | null) {
    this.#limitBytes = limitBytes ?? 0
    this.socket = socket
    this.raw = raw
    this.#input = input
    if (raw !== socket) raw.on('error', ignore)
  }

  get bufferedBytes(): number {
    return this.socket.writableLength
  }
  get heldBytes(): number {
    return this.socket.writableLength
  }
  get takenBytes(): number {
    return this.#givenBytes - this.socket.writableLength
  }
  get takesMore(): boolean {
    return !this.socket.writableNeedDrain || this.socket.writableLength <= this.#limitBytes
  }

  attach(handler: TransportHandler): void {
    this.#handler = handler
    for (const [event, listener] of this.#events)
      if (event !== 'data' || this.#input === null) this.socket.on(event, listener)
    this.#input?.listen((buf, end) => this.#handler?.onBytes(buf, end))
  }

  detach(): void {
    this.#handler = null
    this.socket.pause()
    for (const [event, listener] of this.#events) this.socket.off(event, listener)
    this.#input?.listen(null)
    this.socket.on('error', ignore) // between two owners it must not end the process
  }

  pause(): void {
    this.socket.pause()
  }
  resume(): void {
    this.socket.resume()
  }
  cork(): void {
    this.socket.cork()
  }
  uncork(): void {
    this.socket.uncork()
  }
  write(buf: Buffer): boolean {
    this.#givenBytes += buf.length
    return this.socket.write(buf) || this.socket.writableLength <= this.#limitBytes
  }
  afterWrites(done: () => void): void {
    if (this.socket.writableLength === 0) done()
    else this.socket.write('', () => done())
  }
  end(): void {
    this.socket.end()
  }
  reset(): void {
    resetSide(this)
  }
  destroy(): void {
    this.socket.destroy()
    this.raw.destroy()
  }

  #onClose(detail: string): void {
    if (this.#closed) return
    this.#closed = true
    this.destroy()
    this.#handler?.onClose(detail)
  }
}

function ignore(): void {
  // whoever owns the socket hears of it by its close
}
