/**
 * When a change goes out. In: changes. Out: calls of `push`, each for all changes so far; holds none of them.
 *
 *   alone --> push at once          not alone --> 100 ms without another change, or 10 s after the first --> push
 * "Alone": nothing was pushed in the last 100 ms and no proxy owes an answer. Source: Istio's PILOT_DEBOUNCE_AFTER,
 * PILOT_DEBOUNCE_MAX; the shortcut for a lone change is ours.
 */
import type { Clock } from '../../lib/clock.ts'

const QUIET_MS = 100
const MAX_HELD_MS = 10_000

export interface PushQueueOptions {
  clock: Clock
  /** Some proxy has not answered its last push. */
  busy: () => boolean
  push: () => void
}

export class PushQueue {
  readonly #clock: Clock
  readonly #busy: () => boolean
  readonly #push: () => void
  #lastPushMs = Number.NEGATIVE_INFINITY
  /** When the oldest change that is held came; `undefined`: none is held. */
  #heldSinceMs: number | undefined
  #cancel: (() => void) | undefined

  constructor(options: PushQueueOptions) {
    this.#clock = options.clock
    this.#busy = options.busy
    this.#push = options.push
  }

  /** A change waits to go out. */
  get holding(): boolean {
    return this.#heldSinceMs !== undefined
  }

  /** Something has changed. */
  change(): void {
    const nowMs = this.#clock.nowMs()
    if (this.#heldSinceMs === undefined) {
      if (nowMs - this.#lastPushMs >= QUIET_MS && !this.#busy()) {
        this.#run(nowMs)
        return
      }
      this.#heldSinceMs = nowMs
    }
    this.#cancel?.()
    const waitMs = Math.min(QUIET_MS, this.#heldSinceMs + MAX_HELD_MS - nowMs)
    this.#cancel = this.#clock.after(waitMs, () => this.#run(this.#clock.nowMs()))
  }

  #run(nowMs: number): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#heldSinceMs = undefined
    this.#lastPushMs = nowMs
    this.#push()
  }

  /** Nothing is pushed any more. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
