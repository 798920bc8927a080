/**
 * What a session has to say, onto its transport: all of a turn of the event loop in one write.
 * In: that there is output, that the transport has room. Out: writes. Owns neither; for both ends of HTTP/2.
 */
import { atTurnEnd, type TurnEndHandler } from '../../lib/turn-end.ts'
import type { Session } from '../codec/http2/session.ts'
import type { Transport } from './transport.ts'

export class TurnWriter implements TurnEndHandler {
  readonly #transport: Transport
  readonly #session: Session
  readonly #write = (buf: Buffer): boolean => this.#transport.write(buf)
  readonly #onFlushed: () => void
  #isWaiting = false
  #isOver = false

  /** `onFlushed`: after each write, that the owner may look at what the transport has not taken. */
  constructor(transport: Transport, session: Session, onFlushed: () => void = () => {}) {
    this.#transport = transport
    this.#session = session
    this.#onFlushed = onFlushed
  }

  /** There is something: it leaves at the end of the turn, if `flush` does not come before. */
  wake(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    atTurnEnd(this)
  }

  onTurnEnd(): void {
    this.#isWaiting = false
    this.flush()
  }

  /** The transport has room again. */
  drain(): void {
    this.#session.onSocketDrain()
    this.flush()
  }

  /** The connection is gone: nothing is written any more. */
  stop(): void {
    this.#isOver = true
  }

  // hot
  flush(): void {
    if (this.#isOver) return
    const transport = this.#transport
    const { output } = this.#session
    transport.cork()
    output.take(this.#write)
    transport.uncork()
    if (transport.heldBytes === 0) output.reuse()
    this.#onFlushed()
  }
}
