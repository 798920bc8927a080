/**
 * What may be sent again, and when: a policy's attempts and its backoff.
 * In: the policy, how often it was tried. Out: yes or no, a delay. Source: Envoy, "x-envoy-retry-on", RetryBackOff.
 */
import type { RetryPolicy } from '../route/action.ts'

/** Methods whose repetition changes nothing (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/** Request bodies up to this are kept until the response begins, in case they are sent again. */
export const MAX_REPLAY_BYTES = 64 * 1024

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}

/** Full jitter: retry n waits anything below (2^n - 1) times the base, at most the maximum. */
export function backOffMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const ceilingMs = Math.min((2 ** attempt - 1) * policy.backOffBaseMs, policy.backOffMaxMs)
  return random() * ceilingMs
}
