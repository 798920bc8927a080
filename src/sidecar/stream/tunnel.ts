/**
 * Bytes both ways between two sockets, as TCP has them: each direction ends by itself, a reset goes through as a reset.
 * In: two connected links and what was read from each before. Out: one call at the end. Owns both sockets.
 * A truncated stream must look truncated: whatever ends without a FIN is passed on as a reset, below TLS too.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { openTransport } from '../transport/open.ts'
import { ReadEnd } from '../transport/read-end.ts'
import { wasReset } from '../transport/reset.ts'
import type { Transport, TransportHandler, TransportSide } from '../transport/transport.ts'
import { Writer } from '../transport/writer.ts'
import { HALF_CLOSED_IDLE_MS } from './deadlines.ts'

export type TunnelEnd = 'ended' | 'downstream_reset' | 'upstream_reset' | 'idle' | 'destroyed'

/** What its sides tell a tunnel. */
interface TunnelOwner {
  onActive(): void
  /** Nothing more comes from one side; the other has been told. */
  onHalfEnd(): void
  onGone(by: Half): void
}

/** One of the two sockets: what it reads, the other one writes. */
class Half implements TransportHandler {
  readonly transport: Transport
  bytesRead = 0
  readonly #writer: Writer
  readonly #owner: TunnelOwner
  #other: Half | null = null
  #paused = false
  readonly #readEnd = new ReadEnd(() => this.#pass())

  constructor(side: TransportSide, owner: TunnelOwner) {
    this.transport = openTransport(side, null)
    this.#writer = new Writer(this.transport)
    this.#owner = owner
  }

  get bufferedBytes(): number {
    const { socket, bufferedBytes } = this.transport
    return bufferedBytes + this.#writer.pendingBytes + socket.readableLength
  }

  get isFlushed(): boolean {
    return this.transport.bufferedBytes === 0 || this.transport.socket.destroyed
  }

  join(other: Half): void {
    this.#other = other
    this.transport.attach(this)
  }

  /** Begins with what was read before; an end that came while nobody listened is not told again. */
  start(head: Buffer | null): void {
    if (head !== null && head.length > 0) this.onBytes(head, head.length)
    this.transport.resume()
    if (this.transport.socket.readableEnded) this.onEnd()
  }

  // hot
  onBytes(buf: Buffer, end: number): void {
    this.bytesRead += end
    this.#owner.onActive()
    const other = this.#other!
    other.#writer.body(buf, 0, end)
    if (other.transport.takesMore) this.#readEnd.after(end)
    else this.#readEnd.now()
  }

  /** What was read goes out. */
  #pass(): void {
    if (this.#other!.#writer.flush() || this.#paused) return
    this.#paused = true
    this.transport.pause()
  }

  onDrain(): void {
    this.#owner.onActive()
    this.#other!.#resume()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.transport.resume()
  }

  onEnd(): void {
    const other = this.#other!
    other.#writer.flush()
    if (!wasReset(this.transport)) {
      other.transport.end()
      this.#owner.onHalfEnd()
    } else other.transport.afterWrites(() => this.#owner.onGone(this)) // what came before it goes on first
  }

  onClose(): void {
    this.#owner.onGone(this)
  }
}

export class Tunnel implements TunnelOwner {
  readonly #down: Half
  readonly #up: Half
  readonly #wheel: TimerWheel
  readonly #idleMs: number
  readonly #nowMs: () => number
  readonly #onEnd: (why: TunnelEnd) => void
  readonly #idle = new TimerEntry(() => this.#onIdle())
  #lastMs: number
  #halves = 0
  #over = false

  constructor(
    down: TransportSide,
    up: TransportSide,
    { wheel, nowMs }: { wheel: TimerWheel; nowMs: () => number },
    idleMs: number,
    onEnd: (why: TunnelEnd) => void,
  ) {
    this.#down = new Half(down, this)
    this.#up = new Half(up, this)
    this.#wheel = wheel
    this.#idleMs = idleMs
    this.#nowMs = nowMs
    this.#onEnd = onEnd
    this.#lastMs = nowMs()
  }

  get bytesFromDownstream(): number {
    return this.#down.bytesRead
  }
  get bytesFromUpstream(): number {
    return this.#up.bytesRead
  }
  get bufferedBytes(): number {
    return this.#down.bufferedBytes + this.#up.bufferedBytes
  }

  /** Sends on what was read already, then everything. */
  start(fromDown: Buffer | null, fromUp: Buffer | null): void {
    this.#down.join(this.#up)
    this.#up.join(this.#down)
    if (this.#idleMs > 0) this.#wheel.schedule(this.#idle, Math.min(this.#idleMs, HALF_CLOSED_IDLE_MS))
    this.#down.start(fromDown)
    this.#up.start(fromUp)
  }

  destroy(): void {
    this.#finish('destroyed', null)
  }

  onActive(): void {
    this.#lastMs = this.#nowMs()
  }

  onHalfEnd(): void {
    if (++this.#halves === 2) this.#onEnded()
  }

  onGone(by: Half): void {
    if (this.#halves === 2) this.#onEnded()
    else this.#finish(by === this.#down ? 'downstream_reset' : 'upstream_reset', by)
  }

  /** Both ways; what is still to be taken has until the deadline, and its socket then closes by itself. */
  #onEnded(): void {
    if (this.#down.isFlushed && this.#up.isFlushed) this.#finish('ended', null)
    else if (!this.#over && !this.#idle.armed) this.#wheel.schedule(this.#idle, HALF_CLOSED_IDLE_MS) // silence had no end
  }

  #onIdle(): void {
    const idleMs = this.#idleMs || HALF_CLOSED_IDLE_MS
    const limitMs = this.#halves === 0 ? idleMs : Math.min(idleMs, HALF_CLOSED_IDLE_MS)
    const leftMs = limitMs - (this.#nowMs() - this.#lastMs)
    if (leftMs > 0) this.#wheel.schedule(this.#idle, Math.min(leftMs, HALF_CLOSED_IDLE_MS))
    else this.#finish('idle', null)
  }

  /** `by`: the side that is gone already. */
  #finish(why: TunnelEnd, by: Half | null): void {
    if (this.#over) return
    this.#over = true
    this.#wheel.cancel(this.#idle)
    if (why !== 'ended') {
      for (const half of [this.#down, this.#up]) if (half !== by) half.transport.reset()
      by?.transport.destroy()
    }
    this.#onEnd(why)
  }
}
