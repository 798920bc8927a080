/**
 * A connection to an upstream without HTTP on it: where a CONNECT ends, its payload goes on as TCP.
 * In: a handler that wants one. Out: `onConnected` with it, then bytes and ends as of any exchange. Owns: the socket.
 * A truncated stream must look truncated: whatever ends without a FIN is a reset.
 */
import type { Life, LifeHandler } from '../transport/life.ts'
import { openTransport } from '../transport/open.ts'
import { wasReset } from '../transport/reset.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { Writer } from '../transport/writer.ts'
import { localLabel } from './address.ts'
import type { Link } from './dial.ts'
import type { UpstreamBody, UpstreamHandler } from './upstream.ts'

export class RawConnection implements UpstreamBody, TransportHandler, LifeHandler {
  readonly peerId: string
  readonly localAddress: string
  readonly reused = false
  readonly canRefuse = false
  life: Life | null = null
  readonly #transport: Transport
  readonly #writer: Writer
  readonly #onClosed: () => void
  #handler: UpstreamHandler | null
  #requestEnded = false
  #responseEnded = false
  #closed = false

  /** `onClosed`: it counts no more. */
  constructor(link: Link, handler: UpstreamHandler, bufferLimitBytes: number | null, onClosed: () => void) {
    this.peerId = link.peerId
    this.localAddress = localLabel(link.raw)
    this.#transport = openTransport(link, bufferLimitBytes)
    this.#writer = new Writer(this.#transport)
    this.#onClosed = onClosed
    this.#handler = handler
    this.#transport.attach(this)
  }

  start(): void {
    this.#handler?.onConnected(this)
    if (!this.#closed) this.#transport.resume()
  }

  // ---- bytes out

  sendBody(buf: Buffer, start: number, end: number): void {
    this.#writer.body(buf, start, end)
  }

  /** A tunnel has none. */
  sendTrailers(): void {}

  sendEnd(): void {
    this.#requestEnded = true
    this.#writer.flush()
    this.#transport.end()
    if (this.#responseEnded) this.#release()
  }

  flush(): boolean {
    return this.#writer.flush()
  }
  pause(): void {
    this.#transport.pause()
  }
  resume(): void {
    this.#transport.resume()
  }

  cancel(): void {
    this.#release()
    this.#transport.reset()
  }

  // ---- bytes in

  // hot
  onBytes(buf: Buffer, end: number): void {
    this.#handler?.onBody(buf, 0, end)
    this.#handler?.onReadEnd()
  }

  onDrain(): void {
    this.#handler?.onUpstreamDrain()
  }

  onEnd(): void {
    const handler = this.#handler
    if (wasReset(this.#transport)) {
      this.onClose('closed')
      this.#transport.destroy()
      return
    }
    this.#responseEnded = true
    if (this.#requestEnded) this.#release()
    handler?.onEnd()
  }

  onClose(detail: string): void {
    const handler = this.#handler
    this.#release()
    handler?.onReset('connection_termination', detail)
  }

  /** A tunnel cannot be told to end in order. */
  onAged(): void {}
  onExpired(): void {
    const handler = this.#handler
    this.cancel()
    handler?.onReset('connection_termination', 'certificate_expired')
  }

  /** Both ways are over, or nobody is interested: the socket closes by itself. */
  #release(): void {
    this.#handler = null
    if (this.#closed) return
    this.#closed = true
    this.life?.cancel()
    this.#onClosed()
  }
}
