/** A clock whose two hands move apart: timers follow the monotonic one, and the wall may jump. */
import type { Clock } from '../../src/lib/clock.ts'

export class JumpClock implements Clock {
  #nowMs = 0
  #wallEpochMs: number
  readonly #timers = new Set<{ atMs: number; run: () => void }>()
  /** Timers fired so far: a loop that never sleeps shows here. */
  fired = 0

  constructor(startEpochMs = Date.now()) {
    this.#wallEpochMs = startEpochMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  nowEpochMs(): number {
    return this.#wallEpochMs + this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** The wall clock is set; no timer moves. */
  jumpWall(ms: number): void {
    this.#wallEpochMs += ms
  }

  /** Runs what falls due on the way, and lets `settle` finish what each timer began. */
  async advance(ms: number, settle: () => Promise<void> | undefined): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      let next: { atMs: number; run: () => void } | undefined
      for (const timer of this.#timers)
        if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      this.fired++
      next.run()
      const settling = settle()
      if (settling !== undefined) await settling
    }
    this.#nowMs = endMs
  }
}
