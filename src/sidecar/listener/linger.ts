/**
 * The end of a connection that has said its last: half-close, read on for a moment, then close. A reset at once would
 * eat the answer on its way. A slow reader may take its time, as long as it takes something.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import type { Transport } from '../transport/transport.ts'
import { WRITE_STALL_MS } from './stall.ts'

export class Linger {
  readonly #transport: Transport
  readonly #wheel: TimerWheel
  readonly #lingerMs: number
  #timer: TimerEntry | null = null
  #takenBytes = -1

  /** `lingerMs`: Envoy's delayed_close_timeout; 0 waits for nothing but our own bytes. */
  constructor(transport: Transport, wheel: TimerWheel, lingerMs: number) {
    this.#transport = transport
    this.#wheel = wheel
    this.#lingerMs = lingerMs
  }

  start(): void {
    this.#transport.end()
    this.#arm(this.#lingerMs)
  }

  cancel(): void {
    this.#wheel.cancel(this.#timer)
  }

  #arm(ms: number): void {
    this.#timer ??= new TimerEntry(() => this.#onTimer())
    this.#wheel.schedule(this.#timer, ms)
  }

  #onTimer(): void {
    const { bufferedBytes, takenBytes } = this.#transport
    if (bufferedBytes > 0 && takenBytes !== this.#takenBytes) {
      this.#takenBytes = takenBytes
      this.#arm(WRITE_STALL_MS)
    } else this.#transport.destroy()
  }
}
