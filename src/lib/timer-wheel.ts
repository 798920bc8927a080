/**
 * Coarse deadlines without a timer each: a deadline is a field of an object that lives anyway, linked into a wheel.
 * Accuracy: up to one tick late (20 ms up to 10 s ahead, 1 s beyond), never early. Not for shorter waits.
 * Costs nothing while nothing is due: each level ticks only while it holds something.
 * In: TimerEntry objects. Owns: their links, one clock callback per level. Source: Varghese & Lauck, hashed wheels.
 */
import type { Clock } from './clock.ts'

const CANCELLED = -1

/** Extend or own one; `onDeadline` runs once per `schedule`. */
export class TimerEntry {
  /** Clock.nowMs() at which it is due. */
  deadlineMs = 0
  /** @internal */ prev: TimerEntry | null = null
  /** @internal */ next: TimerEntry | null = null
  readonly onDeadline: () => void
  constructor(onDeadline: () => void) {
    this.onDeadline = onDeadline
  }
  get armed(): boolean {
    return this.prev !== null
  }
  /** It is due at `atMs` at the latest: there is no need to arm it anew, which costs. */
  isDueBy(atMs: number): boolean {
    return this.armed && this.deadlineMs <= atMs
  }
}

class Level {
  readonly tickMs: number
  /** Heads of rings, each made when it is first used. */
  readonly slots: (TimerEntry | undefined)[]
  count = 0
  /** The tick that runs next. */
  tick = 0
  stop: (() => void) | null = null
  constructor(tickMs: number, numSlots: number) {
    this.tickMs = tickMs
    this.slots = Array.from({ length: numSlots }, () => undefined)
  }

  ring(index: number): TimerEntry {
    const known = this.slots[index]
    if (known !== undefined) return known
    const head = new TimerEntry(nothing)
    head.prev = head.next = head
    return (this.slots[index] = head)
  }
}

export class TimerWheel {
  readonly #clock: Clock
  readonly #fine = new Level(20, 512)
  readonly #coarse = new Level(1000, 4096)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Arms `entry` anew, `delayMs` from now. */
  schedule(entry: TimerEntry, delayMs: number): void {
    this.cancel(entry)
    const nowMs = this.#clock.nowMs()
    entry.deadlineMs = nowMs + delayMs
    this.#place(entry, nowMs)
  }

  /** `null`: one that has never been made. */
  cancel(entry: TimerEntry | null): void {
    if (entry === null) return
    entry.deadlineMs = CANCELLED // also one that a running tick has taken out already
    if (entry.prev === null || entry.next === null) return
    entry.prev.next = entry.next
    entry.next.prev = entry.prev
    entry.prev = entry.next = null
    // counts stay upper bounds: a tick that finds its level empty corrects them
  }

  close(): void {
    for (const level of [this.#fine, this.#coarse]) {
      level.stop?.()
      level.stop = null
    }
  }

  #place(entry: TimerEntry, nowMs: number): void {
    const leftMs = entry.deadlineMs - nowMs
    const level = leftMs < this.#fine.tickMs * (this.#fine.slots.length - 2) ? this.#fine : this.#coarse
    if (level.stop === null) {
      level.tick = Math.floor(nowMs / level.tickMs)
      this.#arm(level, nowMs)
    }
    // the coarse level hands on to the fine one, so it may round down; the fine one never fires early
    const exact = entry.deadlineMs / level.tickMs
    const wanted = level === this.#fine ? Math.ceil(exact) : Math.floor(exact)
    const furthest = level.tick + level.slots.length - 1
    const head = level.ring(Math.min(Math.max(wanted, level.tick + 1), furthest) % level.slots.length)
    entry.prev = head.prev
    entry.next = head
    head.prev!.next = entry
    head.prev = entry
    level.count++
  }

  #arm(level: Level, nowMs: number): void {
    const atMs = (level.tick + 1) * level.tickMs
    level.stop = this.#clock.after(atMs - nowMs, () => this.#run(level))
  }

  #run(level: Level): void {
    const nowMs = this.#clock.nowMs()
    const last = Math.floor(nowMs / level.tickMs)
    // a process that slept need not visit a slot twice
    if (last - level.tick > level.slots.length) level.tick = last - level.slots.length
    while (level.tick < last) {
      level.tick++
      const head = level.slots[level.tick % level.slots.length]
      if (head === undefined || head.next === head) continue
      let entry = head.next!
      // taken out as a whole, so that a callback may schedule into this very slot
      head.prev!.next = null
      head.prev = head.next = head
      const due: TimerEntry[] = []
      for (let e: TimerEntry | null = entry; e !== null; e = e.next) due.push(e)
      for (const e of due) e.prev = e.next = null
      for (entry of due) {
        if (entry.armed || entry.deadlineMs === CANCELLED) continue
        if (entry.deadlineMs <= nowMs) entry.onDeadline()
        else this.#place(entry, nowMs)
      }
    }
    level.stop = null
    level.count = 0
    for (const head of level.slots) if (head !== undefined && head.next !== head) level.count++
    if (level.count > 0) this.#arm(level, this.#clock.nowMs())
  }
}

function nothing(): void {
  // heads of rings are never due
}
