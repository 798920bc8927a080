/**
 * How long a connection may last: as long as the configuration says, and no longer than the peer's certificate is good.
 * In: both times. Out: `onAged`, once, for an orderly end; `onExpired` when the certificate is. Owns two timers.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'

/** Whoever is asked to end before its certificate does has this long. */
const NOTICE_MS = 10_000

export interface LifeHandler {
  /** Nothing new; what is under way finishes. */
  onAged(): void
  /** Nobody may speak in that name any more. */
  onExpired(): void
}

export class Life {
  readonly #wheel: TimerWheel
  readonly #aged: TimerEntry
  readonly #expired: TimerEntry

  /** `null` where there is no bound. `maxMs` 0: any; `certificateMs` Infinity: none was shown. */
  static of(wheel: TimerWheel, maxMs: number, certificateMs: number, handler: LifeHandler): Life | null {
    return maxMs > 0 || certificateMs !== Infinity ? new Life(wheel, maxMs, certificateMs, handler) : null
  }

  constructor(wheel: TimerWheel, maxMs: number, certificateMs: number, handler: LifeHandler) {
    this.#wheel = wheel
    this.#aged = new TimerEntry(() => handler.onAged())
    this.#expired = new TimerEntry(() => handler.onExpired())
    wheel.schedule(this.#aged, Math.min(maxMs > 0 ? maxMs : Infinity, Math.max(0, certificateMs - NOTICE_MS)))
    if (certificateMs !== Infinity) wheel.schedule(this.#expired, certificateMs)
  }

  /** The connection is gone. */
  cancel(): void {
    this.#wheel.cancel(this.#aged)
    this.#wheel.cancel(this.#expired)
  }
}
