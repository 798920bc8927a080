/**
 * Bytes both ways between two sockets, as TCP has them: each direction ends by itself, a reset goes through as a reset.
 * In: two connected links and what was read from each before. Out: one call at the end. Owns both sockets.
 * A truncated stream must look truncated: whatever ends without a FIN is passed on as a reset, below TLS too.
 */
import type { Socket } from 'node:net'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { resetSide, wasReset } from '../transport/reset.ts'

export interface TunnelSide {
  socket: Socket
  /** Below TLS. */
  raw: Socket
}

export type TunnelEnd = 'ended' | 'downstream_reset' | 'upstream_reset' | 'idle' | 'destroyed'

/** Half-closed and silent: the other side has probably forgotten (else sockets would gather). */
const HALF_CLOSED_IDLE_MS = 5 * 60 * 1000

export class Tunnel {
  bytesFromDownstream = 0
  bytesFromUpstream = 0
  readonly #down: TunnelSide
  readonly #up: TunnelSide
  readonly #wheel: TimerWheel
  readonly #idleMs: number
  readonly #nowMs: () => number
  readonly #onEnd: (why: TunnelEnd) => void
  readonly #idle = new TimerEntry(() => this.#onIdle())
  #lastMs: number
  #halves = 0
  #over = false

  constructor(
    down: TunnelSide,
    up: TunnelSide,
    { wheel, nowMs }: { wheel: TimerWheel; nowMs: () => number },
    idleMs: number,
    onEnd: (why: TunnelEnd) => void,
  ) {
    this.#down = down
    this.#up = up
    this.#wheel = wheel
    this.#idleMs = idleMs
    this.#nowMs = nowMs
    this.#onEnd = onEnd
    this.#lastMs = nowMs()
  }

  get bufferedBytes(): number {
    const [down, up] = [this.#down.socket, this.#up.socket]
    return down.writableLength + down.readableLength + up.writableLength + up.readableLength
  }

  /** Sends on what was read already, then everything. */
  start(fromDown: Buffer | null, fromUp: Buffer | null): void {
    this.#join(this.#down, this.#up, true)
    this.#join(this.#up, this.#down, false)
    if (fromDown !== null && fromDown.length > 0) this.#pass(this.#down, this.#up, fromDown, true)
    if (fromUp !== null && fromUp.length > 0) this.#pass(this.#up, this.#down, fromUp, false)
    if (this.#idleMs > 0) this.#wheel.schedule(this.#idle, this.#idleMs)
    this.#down.socket.resume()
    this.#up.socket.resume()
    // an end that came while nobody listened is not told again
    if (this.#down.socket.readableEnded) this.#onHalfEnd(this.#up)
    if (this.#up.socket.readableEnded) this.#onHalfEnd(this.#down)
  }

  destroy(): void {
    this.#finish('destroyed', null)
  }

  #join(from: TunnelSide, to: TunnelSide, fromDown: boolean): void {
    const gone: TunnelEnd = fromDown ? 'downstream_reset' : 'upstream_reset'
    from.socket.on('data', (chunk: Buffer) => this.#pass(from, to, chunk, fromDown))
    from.socket.on('end', () => (wasReset(from) ? this.#onLateReset(from, to, gone) : this.#onHalfEnd(to)))
    from.socket.on('error', () => this.#finish(gone, from))
    from.socket.on('close', () => this.#finish(gone, from))
    to.socket.on('drain', () => from.socket.resume())
    if (from.raw !== from.socket) from.raw.on('error', () => {})
  }

  // hot
  #pass(from: TunnelSide, to: TunnelSide, chunk: Buffer, fromDown: boolean): void {
    this.#lastMs = this.#nowMs()
    if (fromDown) this.bytesFromDownstream += chunk.length
    else this.bytesFromUpstream += chunk.length
    if (!to.socket.write(chunk)) from.socket.pause()
  }

  #onHalfEnd(to: TunnelSide): void {
    to.socket.end()
    if (++this.#halves === 2) this.#finish('ended', null)
  }

  /** What came before it goes on first: the peer may have ended in order, and been reset by what we sent then. */
  #onLateReset(from: TunnelSide, to: TunnelSide, why: TunnelEnd): void {
    if (to.socket.writableLength === 0) this.#finish(why, from)
    else to.socket.write('', () => this.#finish(why, from))
  }

  #onIdle(): void {
    const limitMs = this.#halves === 0 ? this.#idleMs : Math.min(this.#idleMs, HALF_CLOSED_IDLE_MS)
    const leftMs = limitMs - (this.#nowMs() - this.#lastMs)
    if (leftMs > 0) this.#wheel.schedule(this.#idle, Math.min(leftMs, HALF_CLOSED_IDLE_MS))
    else this.#finish('idle', null)
  }

  /** `by`: the side that is gone already. */
  #finish(why: TunnelEnd, by: TunnelSide | null): void {
    if (this.#over) return
    this.#over = true
    this.#wheel.cancel(this.#idle)
    if (why !== 'ended') {
      for (const side of [this.#down, this.#up]) if (side !== by) resetSide(side)
      if (by !== null) by.raw.destroy()
    }
    this.#onEnd(why)
  }
}
