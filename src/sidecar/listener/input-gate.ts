/**
 * Whether a connection is read: not while bytes are held back, nor while the upstream has enough.
 * In: who stops it and why. Out: pause and resume of the transport, only on a change. Owns: the bytes held.
 */
import type { Transport } from '../transport/transport.ts'

export class InputGate {
  readonly #transport: Transport
  #held: Buffer | null = null
  #blocked = false
  #paused = false

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get heldBytes(): number {
    return this.#held?.length ?? 0
  }

  get holds(): boolean {
    return this.#held !== null
  }

  /** Starts reading, unless something stops it already. */
  open(): void {
    if (!this.#paused) this.#transport.resume()
  }

  /** Keeps `chunk[at, end)` for later, after what is kept already. */
  hold(chunk: Buffer, at: number, end: number): void {
    const rest = chunk.subarray(at, end)
    // a copy: the bytes of a read are its reader's only until it returns
    this.#held = this.#held === null ? Buffer.from(rest) : Buffer.concat([this.#held, rest])
    this.update()
  }

  /** Keeps `first` while reading goes on: there is not enough of it. */
  keep(first: Buffer): void {
    this.#held = Buffer.from(first)
  }

  /** What was held, once. The transport stays as it is until `update`. */
  take(): Buffer | null {
    const held = this.#held
    this.#held = null
    return held
  }

  block(): void {
    this.#blocked = true
    this.update()
  }

  /** Takes effect with the next `update`. */
  unblock(): void {
    this.#blocked = false
  }

  update(): void {
    const wanted = this.#held !== null || this.#blocked
    if (wanted === this.#paused) return
    this.#paused = wanted
    if (wanted) this.#transport.pause()
    else this.#transport.resume()
  }
}
