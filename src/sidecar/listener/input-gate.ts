/**
 * Whether a connection's socket is read: not while bytes are held back, nor while the upstream has enough.
 * In: who stops it and why. Out: pause and resume of the socket, only on a change. Owns: the bytes held.
 */
import type { Socket } from 'node:net'

export class InputGate {
  readonly #socket: Socket
  #held: Buffer | null = null
  #blocked = false
  #paused = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get holds(): boolean {
    return this.#held !== null
  }

  /** Starts reading, unless something stops it already. */
  open(): void {
    if (!this.#paused) this.#socket.resume()
  }

  /** Keeps `chunk` from `at` on for later, after what is kept already. */
  hold(chunk: Buffer, at: number): void {
    const rest = at === 0 ? chunk : chunk.subarray(at)
    this.#held = this.#held === null ? rest : Buffer.concat([this.#held, rest])
    this.update()
  }

  /** What was held, once. The socket stays as it is until `update`. */
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
    if (wanted) this.#socket.pause()
    else this.#socket.resume()
  }
}
