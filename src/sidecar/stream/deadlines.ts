/**
 * The deadlines of one exchange: the whole of it (route timeout, a gRPC caller's deadline), one try, the pause before
 * the next try, and silence. In: settings, marks of activity. Out: one call each. Owns the timers.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'

export interface DeadlineHandler {
  onRouteTimeout(): void
  onTryTimeout(): void
  onBackOffOver(): void
  onIdleTimeout(): void
}

/** A tunnel half closed and silent: the other side has probably forgotten (else connections would gather). */
const HALF_CLOSED_IDLE_MS = 5 * 60 * 1000

/** Silence is noticed up to a part of itself late: looking at the clock for every byte costs more. */
const LOOKS = 8
const MIN_LOOK_MS = 100

export class Deadlines {
  readonly #wheel: TimerWheel
  readonly #nowMs: () => number
  readonly #route: TimerEntry
  readonly #try: TimerEntry
  readonly #backOff: TimerEntry
  readonly #idle: TimerEntry
  readonly #onIdle: () => void
  #idleMs = 0
  #activeMs = 0
  /** Something has moved since `#activeMs`: when, is only asked for by the timer. */
  #moved = false
  #running = false

  constructor(wheel: TimerWheel, nowMs: () => number, handler: DeadlineHandler) {
    this.#wheel = wheel
    this.#nowMs = nowMs
    this.#route = new TimerEntry(() => handler.onRouteTimeout())
    this.#try = new TimerEntry(() => handler.onTryTimeout())
    this.#backOff = new TimerEntry(() => handler.onBackOffOver())
    this.#onIdle = () => handler.onIdleTimeout()
    this.#idle = new TimerEntry(() => this.#checkIdle())
  }

  /** An exchange begins. `idleMs` 0: silence has no end. The timer of the last one may still run: it looks at the clock. */
  begin(nowMs: number, idleMs: number): void {
    this.#running = true
    this.#moved = false
    this.#activeMs = nowMs
    this.#idleMs = idleMs
    if (idleMs > 0 && !this.#idle.armed) this.#wheel.schedule(this.#idle, idleMs)
  }

  /** A tunnel may be silent for other times than a request. */
  setIdle(idleMs: number): void {
    this.#idleMs = idleMs
    this.#wheel.cancel(this.#idle)
    if (idleMs > 0) this.#wheel.schedule(this.#idle, Math.min(idleMs, HALF_CLOSED_IDLE_MS))
  }

  halfClosed(): void {
    if (this.#idleMs === 0 || this.#idleMs > HALF_CLOSED_IDLE_MS) this.setIdle(HALF_CLOSED_IDLE_MS)
  }

  // hot: no clock
  active(): void {
    this.#moved = true
  }

  armRoute(ms: number): void {
    this.#wheel.schedule(this.#route, ms)
  }
  armTry(ms: number): void {
    this.#wheel.schedule(this.#try, ms)
  }
  armBackOff(ms: number): void {
    this.#wheel.schedule(this.#backOff, ms)
  }
  cancelRoute(): void {
    this.#wheel.cancel(this.#route)
  }
  cancelTry(): void {
    this.#wheel.cancel(this.#try)
  }

  /** The exchange is over. */
  end(): void {
    this.#running = false
    this.#wheel.cancel(this.#route)
    this.#wheel.cancel(this.#try)
    this.#wheel.cancel(this.#backOff)
  }

  /** The connection is over. */
  close(): void {
    this.end()
    this.#wheel.cancel(this.#idle)
  }

  #checkIdle(): void {
    if (!this.#running) return
    const nowMs = this.#nowMs()
    if (this.#moved) this.#activeMs = nowMs // at the latest now: silence is counted from the last look
    this.#moved = false
    const leftMs = this.#idleMs - (nowMs - this.#activeMs)
    if (leftMs <= 0) this.#onIdle()
    else this.#wheel.schedule(this.#idle, Math.min(leftMs, Math.max(MIN_LOOK_MS, this.#idleMs / LOOKS)))
  }
}
