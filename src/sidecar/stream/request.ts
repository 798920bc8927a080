/** What both halves of a stream know of the request under way: how far it is, its head, what becomes of it. */
import type { BodyFraming } from '../codec/body.ts'
import type { Head } from '../codec/head.ts'
import { Exchange } from '../exchange.ts'
import type { ForwardAction } from '../route/action.ts'

export const IDLE = 0
/** For a route, a connection, or the end of a pause. */
export const WAITING = 1
export const SENT = 2
export const RESPONDING = 3
export const TUNNEL = 4

export class Request {
  readonly x = new Exchange()
  phase = IDLE
  head: Head | null = null
  framing: BodyFraming | null = null
  /** What it asks its connection to become, '' for nothing. */
  upgrade = ''
  action: ForwardAction | null = null
  /** The virtual host wants attempts to be told. */
  countsAttempts = false
  /** All of it has come; of a tunnel: no more bytes this way. */
  isDone = false
  /** The downstream is handing over what it read; it flushes when it is through. */
  inRead = false

  begin(head: Head, framing: BodyFraming, upgrade: string, isDone: boolean): void {
    this.phase = WAITING
    this.head = head
    this.framing = framing
    this.upgrade = upgrade
    this.action = null
    this.countsAttempts = false
    this.isDone = isDone
  }

  end(): void {
    this.phase = IDLE
    this.head = null
  }

  /** An answer has begun to go out: nothing can be taken back. */
  get isAnswered(): boolean {
    return this.phase === RESPONDING || this.phase === TUNNEL
  }

  /** Time that the whole exchange may take, 0: any. A gRPC caller's deadline counts where it is the shorter. */
  limitMs(): number {
    const routeMs = this.action?.timeoutMs ?? 0
    const { grpcTimeoutMs } = this.x
    if (grpcTimeoutMs < 0) return routeMs
    return routeMs > 0 ? Math.min(routeMs, grpcTimeoutMs) : grpcTimeoutMs
  }
}
