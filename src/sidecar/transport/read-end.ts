/**
 * When those who got something of a read are told that it is over: at once, or, where more of the same is likely to
 * follow (a whole record of TLS), at the end of the turn, so that they write all of it at once.
 * In: reads. Out: one call for each, or for all of a turn.
 */
import { atTurnEnd, type TurnEndHandler } from '../../lib/turn-end.ts'

/** As much in one read is rarely the last of a turn. */
const FULL_READ_BYTES = 16 * 1024

export class ReadEnd implements TurnEndHandler {
  readonly #onReadEnd: () => void
  #isWaiting = false

  constructor(onReadEnd: () => void) {
    this.#onReadEnd = onReadEnd
  }

  /** A read of `bytes` has been handed over. */
  // hot
  after(bytes: number): void {
    if (bytes < FULL_READ_BYTES) this.now()
    else if (!this.#isWaiting) {
      this.#isWaiting = true
      atTurnEnd(this)
    }
  }

  now(): void {
    this.#isWaiting = false
    this.#onReadEnd()
  }

  onTurnEnd(): void {
    this.now()
  }
}
