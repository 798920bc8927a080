/**
 * Whether a client takes what is sent to it: one that reads nothing holds our memory and the upstream's connection.
 * In: whether something waits, how much was taken so far. Out: one call. Owns one timer, armed only while something waits.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'

/** Not one byte in this time. */
export const WRITE_STALL_MS = 60_000

export class StallGuard {
  readonly #wheel: TimerWheel
  readonly #isWaiting: () => boolean
  readonly #takenBytes: () => number
  readonly #onStall: () => void
  #timer: TimerEntry | null = null
  #lastBytes = 0

  /** `takenBytes` only grows. */
  constructor(wheel: TimerWheel, isWaiting: () => boolean, takenBytes: () => number, onStall: () => void) {
    this.#wheel = wheel
    this.#isWaiting = isWaiting
    this.#takenBytes = takenBytes
    this.#onStall = onStall
  }

  /** Something waits: looks from now on, until nothing does. */
  watch(): void {
    if (this.#timer?.armed === true) return
    this.#lastBytes = this.#takenBytes()
    this.#arm()
  }

  stop(): void {
    this.#wheel.cancel(this.#timer)
  }

  #onTimer(): void {
    if (!this.#isWaiting()) return
    const bytes = this.#takenBytes()
    if (bytes === this.#lastBytes) {
      this.#onStall()
      return
    }
    this.#lastBytes = bytes
    this.#arm()
  }

  #arm(): void {
    this.#timer ??= new TimerEntry(() => this.#onTimer())
    this.#wheel.schedule(this.#timer, WRITE_STALL_MS)
  }
}
