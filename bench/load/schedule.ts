/**
 * When each request is due: evenly, from a start, whatever the answers do. A late answer therefore counts against all
 * that had to wait for it (no coordinated omission). Pure arithmetic; times are of the caller's clock.
 */
export class Schedule {
  readonly #startMs: number
  readonly #intervalMs: number
  /** How many there are in all. */
  readonly count: number
  #next = 0

  constructor({ startMs, ratePerSecond, seconds }: { startMs: number; ratePerSecond: number; seconds: number }) {
    this.#startMs = startMs
    this.#intervalMs = 1000 / ratePerSecond
    this.count = Math.round(ratePerSecond * seconds)
  }

  get isOver(): boolean {
    return this.#next >= this.count
  }

  /** When the next one is due; Infinity when there is none. */
  get nextDueMs(): number {
    return this.isOver ? Infinity : this.#startMs + this.#next * this.#intervalMs
  }

  /** Takes the next one: its intended start, or -1 when none is due yet. */
  take(nowMs: number): number {
    const dueMs = this.nextDueMs
    if (this.isOver || dueMs > nowMs) return -1
    this.#next++
    return dueMs
  }
}
