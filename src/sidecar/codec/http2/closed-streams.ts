/**
 * How streams of late have ended, RFC 9113 section 5.1 (closed): a peer that has not yet heard of our RST_STREAM may
 * still send; one that has ended its own side may not. Newest id per slot wins: ids rise, so the last ones stay.
 */

export const NOT_KNOWN = 0
/** Both sides sent END_STREAM, or the peer sent RST_STREAM: nothing may follow. */
export const PEER_DONE = 1
/** We sent RST_STREAM: what the peer had under way is discarded. */
export const OWN_RESET = 2
export type Ending = number

const SLOTS = 512

export class ClosedStreams {
  readonly #ids = new Int32Array(SLOTS)
  readonly #endings = new Uint8Array(SLOTS)

  add(id: number, ending: Ending): void {
    const slot = (id >>> 1) & (SLOTS - 1)
    this.#ids[slot] = id
    this.#endings[slot] = ending
  }

  find(id: number): Ending {
    const slot = (id >>> 1) & (SLOTS - 1)
    return this.#ids[slot] === id ? this.#endings[slot]! : NOT_KNOWN
  }
}
