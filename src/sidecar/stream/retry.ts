/**
 * What may be sent again, and when: the attempts of one request under its route's policy.
 * In: the policy, faults. Out: yes or no, a delay. Owns: what was sent of the body, the endpoints tried.
 * Source: Envoy, "x-envoy-retry-on", RetryBackOff; RFC 9110 section 9.2.2 for idempotent methods.
 */
import type { Endpoint } from '../cluster/endpoint.ts'
import type { UpstreamBody } from '../pool/upstream.ts'
import type { RetryPolicy } from '../route/action.ts'
import type { Fault } from './local-reply.ts'
import { Replay } from './replay.ts'

/** Servers that leave (GOAWAY) may do so again before a request's turn has come: it was not looked at, however often. */
const MAX_REFUSALS = 5
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

export class Attempts {
  readonly replay = new Replay()
  readonly tried: Endpoint[] = []
  /** Made so far. */
  num = 0
  /** A stale pooled connection was replaced already. */
  replaced = false
  #refusals = 0
  #policy: RetryPolicy | null = null

  /** A new request; its policy comes with its route. */
  begin(): void {
    this.#policy = null
    this.num = 0
    this.replaced = false
    this.#refusals = 0
    if (this.tried.length > 0) this.tried.length = 0 // setting a length costs, even to what it is
    this.replay.reset()
  }

  use(policy: RetryPolicy | null): void {
    this.#policy = policy
  }

  get hostAttempts(): number {
    return this.#policy?.hostAttempts ?? 0
  }
  get perTryTimeoutMs(): number {
    return this.#policy?.perTryTimeoutMs ?? 0
  }
  /** The policy's retries are used up (flag URX). */
  get exhausted(): boolean {
    return this.#policy !== null && this.#policy.numRetries > 0 && this.num > this.#policy.numRetries
  }

  /** Whether the policy asks for another attempt after `fault`, and all that was sent can be sent again. */
  wants(fault: Fault): boolean {
    const policy = this.#policy
    if (policy === null) return false
    if (fault === 'connect_failure' || fault === 'connect_timeout') return policy.onConnectFailure
    const wanted =
      fault === 'connection_termination' ||
      fault === 'protocol_error' ||
      fault === 'per_try_timeout' ||
      fault === 'remote_reset'
    return wanted && policy.onReset && this.replay.isComplete
  }

  wantsAfterStatus(status: number): boolean {
    return this.#policy !== null && this.#policy.onStatus(status) && this.replay.isComplete
  }

  /** Whether what is sent to `upstream` may have to be sent again, by this policy or by `mayReplace`. */
  mayRepeat({ canRefuse, reused }: UpstreamBody, method: string): boolean {
    return this.#policy !== null || canRefuse || (reused && IDEMPOTENT.has(method))
  }

  /**
   * A connection that ended without an answer may have been closed before our request came. Once, for idempotent
   * methods: for others nobody knows whether the server acted. Where it says that it did not, for all, a few times.
   */
  mayReplace(fault: Fault, reused: boolean, method: string): boolean {
    if (!this.replay.isComplete) return false
    if (fault === 'refused_stream') return this.#refusals++ < MAX_REFUSALS
    if (this.replaced || !reused || fault !== 'connection_termination' || !IDEMPOTENT.has(method)) return false
    this.replaced = true
    return true
  }

  /** Full jitter: retry n waits anything below (2^n - 1) times the base, at most the maximum. -1: none is left. */
  delayMs(random: () => number): number {
    const policy = this.#policy
    if (policy === null || this.num > policy.numRetries) return -1
    return random() * Math.min((2 ** this.num - 1) * policy.backOffBaseMs, policy.backOffMaxMs)
  }
}
