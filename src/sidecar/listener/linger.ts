/**
 * The end of a connection that has said its last: half-close, read on for a moment, then close. A reset at once would
 * eat the answer on its way. A slow reader may take its time, as long as it takes something.
 */
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import type { Downlink } from './connection.ts'

const LINGER_MS = 1000
/** A client that takes nothing for so long after the last answer is given up. */
const WRITE_STALL_MS = 60_000

export class Linger {
  readonly #link: Downlink
  readonly #wheel: TimerWheel
  readonly #timer = new TimerEntry(() => this.#onTimer())
  #bytesWritten = -1

  constructor(link: Downlink, wheel: TimerWheel) {
    this.#link = link
    this.#wheel = wheel
  }

  start(): void {
    this.#link.socket.end()
    this.#wheel.schedule(this.#timer, LINGER_MS)
  }

  cancel(): void {
    this.#wheel.cancel(this.#timer)
  }

  #onTimer(): void {
    const { socket, raw } = this.#link
    if (socket.writableLength > 0 && raw.bytesWritten !== this.#bytesWritten) {
      this.#bytesWritten = raw.bytesWritten
      this.#wheel.schedule(this.#timer, WRITE_STALL_MS)
    } else socket.destroy()
  }
}
