/** When to renew: pure decisions from dates, attempts and a random number. All waiting is credential.ts's. */
import { BACKDATE_MS } from '../../identity/chain.ts'

const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
const RETRY_MIN_MS = 20

/** Start of a certificate's life: it is dated back against clocks that differ. */
export function issuedAtEpochMs(notBeforeEpochMs: number, notAfterEpochMs: number): number {
  const start = notBeforeEpochMs + BACKDATE_MS
  return start < notAfterEpochMs ? start : notBeforeEpochMs
}

/** Half of its life, give or take a tenth, so that the sidecars of a mesh do not all ask at once. */
export function renewAtEpochMs(notBeforeEpochMs: number, notAfterEpochMs: number, random: number): number {
  const start = issuedAtEpochMs(notBeforeEpochMs, notAfterEpochMs)
  return start + (notAfterEpochMs - start) * 0.5 * (0.9 + 0.2 * random)
}

/**
 * Wait before attempt `attempt` (1 is the first retry): doubling from 1 s to 60 s, any part of that (full jitter), and
 * no more than a sixteenth of a life, so that a short one leaves room for several.
 */
export function retryDelayMs(attempt: number, lifeMs: number, random: number): number {
  const ceilingMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 10), RETRY_MAX_MS, lifeMs / 16)
  return Math.max(RETRY_MIN_MS, ceilingMs * random)
}
