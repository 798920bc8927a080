/**
 * Requests at their scheduled times (or, without a rate, as fast as the slots are free) and how long each took from
 * its intended start. In: a job and a wire. Out: a report. Owns no socket.
 */
import type { JobReport, RequestsJob } from './job.ts'
import { Recorder } from './recorder.ts'
import { Schedule } from './schedule.ts'
import { Ticker } from './ticker.ts'
import type { Slot, WireMaker } from './wire.ts'

/** The rest of the time to a request that is due so soon is waited out: a sleep could not be so short. */
const SPIN_MS = 0.25
const LEAD_MS = 50
/** Answers that do not come within this after the end are errors. */
const LAST_WITHIN_MS = 5000
const MAX_REASONS = 3

export async function generate(job: RequestsJob, makeWire: WireMaker): Promise<JobReport> {
  const run = new Run(job)
  const wire = await makeWire(job, (slot, wrong) => run.onDone(slot, wrong))
  try {
    return await run.go(wire.slots)
  } finally {
    wire.close()
  }
}

class Run {
  readonly #job: RequestsJob
  readonly #latency = new Recorder()
  readonly #lag = new Recorder()
  readonly #reasons: string[] = []
  readonly #intendedMs = new Map<Slot, number>()
  #free: Slot[] = []
  #schedule: Schedule | undefined
  #startMs = 0
  #measureFromMs = 0
  #endMs = 0
  #errors = 0
  #waited = 0
  /** Answers within the time that counts: what the rate is made of. */
  #answered = 0
  #onIdle: (() => void) | undefined

  constructor(job: RequestsJob) {
    this.#job = job
  }

  async go(slots: readonly Slot[]): Promise<JobReport> {
    const { ratePerSecond, warmUpSeconds, seconds } = this.#job
    this.#startMs = performance.now() + LEAD_MS
    this.#measureFromMs = this.#startMs + warmUpSeconds * 1000
    this.#endMs = this.#measureFromMs + seconds * 1000
    this.#free = [...slots]
    const cpu = process.cpuUsage()
    const ticker = ratePerSecond === undefined ? undefined : this.#openLoop(ratePerSecond)
    if (ticker === undefined) for (const slot of slots) this.#send(slot, performance.now())
    await sleep(this.#endMs - performance.now())
    await this.#settled(slots.length)
    await ticker?.stop()
    const { user, system } = process.cpuUsage(cpu)
    return {
      requests: this.#answered,
      errors: this.#errors,
      reasons: this.#reasons,
      seconds,
      requestsPerSecond: this.#answered / seconds,
      latency: this.#latency.report(),
      lagP99Ms: ratePerSecond === undefined ? 0 : this.#lag.report().p99Ms,
      waited: this.#waited,
      loadCpuMs: (user + system) / 1000,
    }
  }

  // hot
  onDone(slot: Slot, wrong: string | undefined): void {
    const nowMs = performance.now()
    const intendedMs = this.#intendedMs.get(slot)
    if (intendedMs === undefined) return
    this.#intendedMs.delete(slot)
    if (wrong !== undefined) this.#fail(wrong)
    else if (intendedMs >= this.#measureFromMs && intendedMs < this.#endMs) {
      this.#latency.record(nowMs - intendedMs)
      this.#answered++
    }
    if (this.#schedule === undefined && nowMs < this.#endMs) this.#send(slot, nowMs)
    else {
      const wasFree = this.#free.length > 0
      this.#free.push(slot)
      this.#pump(nowMs, wasFree)
    }
    if (this.#intendedMs.size === 0) this.#onIdle?.()
  }

  #openLoop(ratePerSecond: number): Ticker {
    const seconds = this.#job.warmUpSeconds + this.#job.seconds
    const schedule = new Schedule({ startMs: this.#startMs, ratePerSecond, seconds })
    this.#schedule = schedule
    return new Ticker(this.#startMs, ratePerSecond, () => {
      let nowMs = performance.now()
      if (schedule.nextDueMs - nowMs < SPIN_MS) while (nowMs < schedule.nextDueMs) nowMs = performance.now()
      this.#pump(nowMs, this.#free.length > 0)
    })
  }

  /** Sends what is due while a slot is free. If one was free before, then the delay is the generator's own. */
  #pump(nowMs: number, wasFree: boolean): void {
    const schedule = this.#schedule
    if (schedule === undefined) return
    while (this.#free.length > 0) {
      const dueMs = schedule.take(nowMs)
      if (dueMs < 0) return
      if (wasFree) this.#lag.record(nowMs - dueMs)
      else this.#waited++
      this.#send(this.#free.pop()!, dueMs)
    }
  }

  #send(slot: Slot, intendedMs: number): void {
    this.#intendedMs.set(slot, intendedMs)
    slot.send()
  }

  #fail(reason: string): void {
    this.#errors++
    if (this.#reasons.length < MAX_REASONS && !this.#reasons.includes(reason)) this.#reasons.push(reason)
  }

  /** Waits for what is under way; what was due and never sent, or never came back, is an error. */
  async #settled(slots: number): Promise<void> {
    const deadlineMs = performance.now() + LAST_WITHIN_MS
    const isDone = (): boolean => this.#intendedMs.size === 0 && (this.#schedule?.isOver ?? true)
    while (!isDone() && performance.now() < deadlineMs) {
      await Promise.race([new Promise<void>((done) => (this.#onIdle = done)), sleep(50)])
      this.#pump(performance.now(), false)
    }
    this.#onIdle = undefined
    for (let i = this.#free.length; i < slots; i++) this.#fail('no answer')
    if (this.#schedule !== undefined) while (this.#schedule.take(Infinity) >= 0) this.#fail('never sent')
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, Math.max(0, ms)))
}
