/** Time as an argument, so that a year of rotation runs in a test's milliseconds. */
export interface Clock {
  /** Wall clock, ms since the epoch. */
  nowEpochMs(): number
  /** Monotonic, ms. */
  nowMs(): number
  /** Calls back once; returns the function that cancels. */
  after(delayMs: number, run: () => void): () => void
}

/** setTimeout fires at once for more than this (2^31-1 ms): longer waits are cut, callers look at the clock again. */
const MAX_DELAY_MS = 2_147_483_647

export const systemClock: Clock = {
  nowEpochMs: () => Date.now(),
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS))
    return () => clearTimeout(timer)
  },
}
