/**
 * Whether a request's body comes as fast as it must: a client that drips bytes holds a place for nothing. In: how many
 * have come, when nobody wanted any. Out: one call. Owns one timer, which stays armed from one request to the next.
 * Time in which the proxy itself did not read does not count (the upstream is slow then, not the client).
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'

/** Nobody is asked for anything before this is over; afterwards each byte buys time. */
const GRACE_MS = 10_000
const MIN_BYTES_PER_SECOND = 100
const SECOND_MS = 1000

export interface PaceClock {
  wheel: TimerWheel
  nowMs: () => number
}

export class Pace {
  readonly #clock: PaceClock
  readonly #numBytes: () => number
  readonly #onSlow: () => void
  #timer: TimerEntry | null = null
  #startMs = 0
  #pausedMs = 0
  #pausedAtMs = -1
  #isRunning = false

  /** `numBytes`: of the body so far. */
  constructor(clock: PaceClock, numBytes: () => number, onSlow: () => void) {
    this.#clock = clock
    this.#numBytes = numBytes
    this.#onSlow = onSlow
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  begin(): void {
    this.#isRunning = true
    this.#startMs = this.#clock.nowMs()
    this.#pausedMs = 0
    this.#pausedAtMs = -1
    this.#timer ??= new TimerEntry(() => this.#onTimer())
    // the last body may have bought it more time
    if (!this.#timer.isDueBy(this.#startMs + GRACE_MS)) this.#clock.wheel.schedule(this.#timer, GRACE_MS)
  }

  pause(): void {
    if (this.#isRunning && this.#pausedAtMs < 0) this.#pausedAtMs = this.#clock.nowMs()
  }

  resume(): void {
    if (this.#pausedAtMs < 0) return
    this.#pausedMs += this.#clock.nowMs() - this.#pausedAtMs
    this.#pausedAtMs = -1
  }

  /** All has come, or nobody waits for the rest. */
  end(): void {
    this.#isRunning = false
  }

  /** The connection is over. */
  close(): void {
    this.end()
    this.#clock.wheel.cancel(this.#timer)
  }

  #onTimer(): void {
    if (!this.#isRunning || this.#timer === null) return
    const { wheel, nowMs } = this.#clock
    const boughtMs = (this.#numBytes() * SECOND_MS) / MIN_BYTES_PER_SECOND
    const leftMs = this.#startMs + this.#pausedMs + GRACE_MS + boughtMs - nowMs()
    if (this.#pausedAtMs >= 0) wheel.schedule(this.#timer, GRACE_MS)
    else if (leftMs > 0) wheel.schedule(this.#timer, Math.max(SECOND_MS, leftMs))
    else {
      this.#isRunning = false
      this.#onSlow()
    }
  }
}
