/**
 * The deadlines of one exchange: its answer (route timeout, a gRPC caller's deadline), one try, the pause before the
 * next try, silence, and where they are set the request's arrival and the whole of it. In: settings, marks of activity.
 * Out: one call each. Owns the timers.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import type { Fault } from './local-reply.ts'

export interface DeadlineHandler {
  onBackOffOver(): void
  /** Any other: which it was. */
  onDeadline(fault: Fault): void
}

/** A tunnel half closed and silent: the other side has probably forgotten (else connections would gather). */
export const HALF_CLOSED_IDLE_MS = 5 * 60 * 1000

/** Silence is noticed up to a part of itself late: looking at the clock for every byte costs more. */
const LOOKS = 8
const MIN_LOOK_MS = 100

export class Deadlines {
  readonly #wheel: TimerWheel
  readonly #nowMs: () => number
  readonly #handler: DeadlineHandler
  // each is made when it is first set: most exchanges need one or two
  #route: TimerEntry | null = null
  #try: TimerEntry | null = null
  #backOff: TimerEntry | null = null
  #idle: TimerEntry | null = null
  #request: TimerEntry | null = null
  #duration: TimerEntry | null = null
  #durationFault: Fault = 'max_duration'
  #idleMs = 0
  #activeMs = 0
  /** Something has moved since `#activeMs`: when, is only asked for by the timer. */
  #moved = false
  #running = false
  /** The request's body waits with us, for a connection; how long it did. */
  #holdsBody = false
  #heldMs = 0

  constructor(wheel: TimerWheel, nowMs: () => number, handler: DeadlineHandler) {
    this.#wheel = wheel
    this.#nowMs = nowMs
    this.#handler = handler
  }

  /** An exchange begins. `idleMs` 0: silence has no end. The timer of the last one may still run: it looks at the clock. */
  begin(nowMs: number, idleMs: number): void {
    this.#running = true
    this.#moved = false
    this.#holdsBody = false
    this.#heldMs = 0
    this.#activeMs = nowMs
    this.#idleMs = idleMs
    // the last exchange may have had more time
    if (idleMs > 0 && this.#idle?.isDueBy(nowMs + idleMs) !== true) this.#armIdle(lookMs(idleMs))
  }

  /** A tunnel, or a route, may be silent for other times than a request. */
  setIdle(idleMs: number): void {
    this.#idleMs = idleMs
    this.#wheel.cancel(this.#idle)
    if (idleMs > 0) this.#armIdle(Math.min(lookMs(idleMs), HALF_CLOSED_IDLE_MS))
  }

  halfClosed(): void {
    if (this.#idleMs === 0 || this.#idleMs > HALF_CLOSED_IDLE_MS) this.setIdle(HALF_CLOSED_IDLE_MS)
  }

  // hot: no clock
  active(): void {
    this.#moved = true
  }

  /** From the request's end on. */
  armRoute(ms: number): void {
    this.#setRoute(Math.max(1, ms - this.#heldMs))
  }
  /** The same limit where nobody can know the request's end, because we do not take its body yet. */
  armHeld(ms: number): void {
    this.#holdsBody = true
    this.#setRoute(ms)
  }
  /** The body goes on: the client has its own time for it, the upstream what is left. */
  releaseBody(heldMs: number): void {
    if (!this.#holdsBody) return
    this.#holdsBody = false
    this.#heldMs = heldMs
    this.#wheel.cancel(this.#route)
  }
  armTry(ms: number): void {
    this.#try ??= new TimerEntry(() => this.#handler.onDeadline('per_try_timeout'))
    this.#wheel.schedule(this.#try, ms)
  }
  armBackOff(ms: number): void {
    this.#backOff ??= new TimerEntry(() => this.#handler.onBackOffOver())
    this.#wheel.schedule(this.#backOff, ms)
  }
  /** All of the request has to come by then. */
  armRequest(ms: number): void {
    this.#request ??= new TimerEntry(() => this.#handler.onDeadline('request_timeout'))
    this.#wheel.schedule(this.#request, ms)
  }
  /** All of the exchange: what the listener and what the cluster allows, 0: any time. */
  armDuration(ownMs: number, upstreamMs: number): void {
    const isOwn = ownMs > 0 && (upstreamMs === 0 || ownMs <= upstreamMs)
    this.#durationFault = isOwn ? 'max_duration' : 'upstream_max_duration'
    this.#duration ??= new TimerEntry(() => this.#handler.onDeadline(this.#durationFault))
    this.#wheel.schedule(this.#duration, isOwn ? ownMs : upstreamMs)
  }
  cancelRequest(): void {
    this.#wheel.cancel(this.#request)
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
    this.#wheel.cancel(this.#request)
    this.#wheel.cancel(this.#duration)
  }

  /** The connection is over. */
  close(): void {
    this.end()
    this.#wheel.cancel(this.#idle)
  }

  #setRoute(ms: number): void {
    this.#route ??= new TimerEntry(() => this.#handler.onDeadline('route_timeout'))
    this.#wheel.schedule(this.#route, ms)
  }

  #armIdle(ms: number): void {
    this.#idle ??= new TimerEntry(() => this.#checkIdle())
    this.#wheel.schedule(this.#idle, ms)
  }

  #checkIdle(): void {
    if (!this.#running) return
    const nowMs = this.#nowMs()
    if (this.#moved) this.#activeMs = nowMs // at the latest now: silence is counted from the last look
    this.#moved = false
    const leftMs = this.#idleMs - (nowMs - this.#activeMs)
    if (leftMs <= 0) this.#handler.onDeadline('idle_timeout')
    else this.#armIdle(Math.min(leftMs, lookMs(this.#idleMs)))
  }
}

function lookMs(idleMs: number): number {
  return Math.min(idleMs, Math.max(MIN_LOOK_MS, idleMs / LOOKS))
}
