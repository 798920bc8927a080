/**
 * The end of a connection that has said its last: half-close, read on for a moment, then close. A reset at once would
 * eat the answer on its way. A slow reader may take its time, as long as it takes something.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import type { Transport } from '../transport/transport.ts'

const LINGER_MS = 1000
/** A client that takes nothing for so long after the last answer is given up. */
const WRITE_STALL_MS = 60_000

export class Linger {
  readonly #transport: Transport
  readonly #wheel: TimerWheel
  readonly #timer = new TimerEntry(() => this.#onTimer())
  #bytesWritten = -1

  constructor(transport: Transport, wheel: TimerWheel) {
    this.#transport = transport
    this.#wheel = wheel
  }

  start(): void {
    this.#transport.end()
    this.#wheel.schedule(this.#timer, LINGER_MS)
  }

  cancel(): void {
    this.#wheel.cancel(this.#timer)
  }

  #onTimer(): void {
    const { raw } = this.#transport
    if (this.#transport.bufferedBytes > 0 && raw.bytesWritten !== this.#bytesWritten) {
      this.#bytesWritten = raw.bytesWritten
      this.#wheel.schedule(this.#timer, WRITE_STALL_MS)
    } else this.#transport.destroy()
  }
}
