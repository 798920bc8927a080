/**
 * Whether the peer of an HTTP/2 connection is still there: a PING now and then, and a time for its answer (Envoy:
 * connection_keepalive). In: the session, settings. Out: a call when no answer comes. Owns one timer.
 */
import { TimerEntry, type TimerWheel } from '../../../lib/timer-wheel.ts'
import type { Http2Settings } from '../protocol.ts'

/** What it asks of its session. */
export interface Pinged {
  readonly isPingPending: boolean
  ping(): void
}

export class Keepalive {
  readonly #session: Pinged
  readonly #wheel: TimerWheel
  readonly #settings: NonNullable<Http2Settings['keepalive']>
  readonly #onDead: () => void
  readonly #timer = new TimerEntry(() => this.#onTimer())
  #isWaiting = false

  constructor(
    session: Pinged,
    wheel: TimerWheel,
    settings: NonNullable<Http2Settings['keepalive']>,
    onDead: () => void,
  ) {
    this.#session = session
    this.#wheel = wheel
    this.#settings = settings
    this.#onDead = onDead
    if (settings.intervalMs > 0) wheel.schedule(this.#timer, settings.intervalMs)
  }

  stop(): void {
    this.#wheel.cancel(this.#timer)
  }

  #onTimer(): void {
    const { intervalMs, timeoutMs } = this.#settings
    if (!this.#isWaiting) {
      this.#isWaiting = true
      this.#session.ping()
      this.#wheel.schedule(this.#timer, timeoutMs)
    } else if (this.#session.isPingPending) this.#onDead()
    else {
      this.#isWaiting = false
      this.#wheel.schedule(this.#timer, intervalMs)
    }
  }
}
