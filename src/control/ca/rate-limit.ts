/** Signatures per pod: one a second on the long run, a few at once (a lost answer is asked for again soon). */
import type { Clock } from '../../lib/clock.ts'

const BURST = 5
const PER_SECOND = 1
const MAX_KEYS = 10_000

export class RateLimit {
  readonly #clock: Clock
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes one, or says that there is none. */
  allows(key: string): boolean {
    const now = this.#clock.nowMs()
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_KEYS) this.#buckets.clear()
      bucket = { tokens: BURST, atMs: now }
      this.#buckets.set(key, bucket)
    }
    bucket.tokens = Math.min(BURST, bucket.tokens + ((now - bucket.atMs) / 1000) * PER_SECOND)
    bucket.atMs = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}
