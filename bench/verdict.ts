/**
 * What the figures of a run are worth: whether the generator was the limit, what was saturated, whether other work took
 * the machine. In: what was noted in each run of load. Out: sentences. Pure.
 */
import type { Busy } from './sampler.ts'
import { digits } from './stats/results.ts'
import { median, percentile } from './stats/summary.ts'

export interface Finding {
  ok: boolean
  text: string
}

export interface Observed {
  busy: readonly { row: string; subject: string; busy: Busy }[]
  lags: readonly { cell: string; lagP99Ms: number; waitedShare: number }[]
  /** Requests per second; NaN: no row has asked. */
  generatorLimit: number
  askedPerSecond: number
  pinned: boolean
  clock: string
  /** Smallest step of `performance.now()`. */
  clockStepMs: number
}

/** A core that is busy for this share of the time is what limits. */
const SATURATED = 0.9
/** A rate above this share of what the generator can do at most, measures the generator. */
const GENERATOR_SHARE = 0.5
const GENERATOR_LATE_MS = 1
const OTHER_CORES = 0.15
const STOLEN_CORES = 0.05
const CLOCK_STEP_MS = 0.005

export function judge(observed: Observed): Finding[] {
  return [
    ...generator(observed),
    ...[...new Set(observed.busy.map(({ row }) => row))].map((row) => saturation(row, observed.busy)),
    ...machine(observed),
  ]
}

function generator({ generatorLimit, askedPerSecond, lags }: Observed): Finding[] {
  if (Number.isNaN(generatorLimit)) return []
  const share = askedPerSecond / generatorLimit
  const late = median(lags.map(({ lagP99Ms }) => lagP99Ms))
  const worst = Math.max(...lags.map(({ lagP99Ms }) => lagP99Ms))
  return [
    {
      ok: share <= GENERATOR_SHARE,
      text: `open loop: ${askedPerSecond} requests/s asked at most; the generator can do ${digits(generatorLimit)} (${percent(share)})`,
    },
    {
      ok: late <= GENERATOR_LATE_MS,
      text: `the generator was late by ${digits(late)} ms at its p99 (median of the runs; worst ${digits(worst)} ms), which is in its latencies`,
    },
  ]
}

function saturation(row: string, all: Observed['busy']): Finding {
  const runs = all.filter((run) => run.row === row && run.busy.proxy > 0)
  const share = (test: (busy: Busy) => boolean): number => runs.filter(({ busy }) => test(busy)).length / runs.length
  const proxies = share(({ proxy }) => proxy >= SATURATED)
  const load = share((busy) => busy.proxy < SATURATED && busy.load + busy.app >= SATURATED)
  const neither = 1 - proxies - load
  const mean = (of: (busy: Busy) => number): string => digits(median(runs.map(({ busy }) => of(busy))))
  return {
    ok: true,
    text:
      `${row}: saturated were the proxies in ${percent(proxies)} of the runs, load and application in ${percent(load)}, neither in ${percent(neither)} ` +
      `(cores, median: proxies ${mean(({ proxy }) => proxy)}, load ${mean((busy) => busy.load)}, application ${mean(({ app }) => app)})`,
  }
}

function machine({ busy, pinned, clock, clockStepMs }: Observed): Finding[] {
  const others = busy.map((run) => run.busy.other)
  const stolen = busy.map((run) => run.busy.stolen)
  return [
    {
      ok: pinned,
      text: pinned
        ? 'proxies had core 0, load and application core 1'
        : 'nothing was pinned to a core (no taskset, or one core): proxies and load took time from each other',
    },
    ...(busy.length === 0
      ? []
      : [
          {
            ok: median(others) <= OTHER_CORES,
            text: `other work took ${digits(median(others))} cores (median; ${digits(percentile(others, 0.9))} at its p90): trust ratios more than figures`,
          },
          { ok: median(stolen) <= STOLEN_CORES, text: `other machines took ${digits(median(stolen))} cores (median)` },
        ]),
    {
      ok: clock === 'tsc' || clock === 'kvm-clock',
      text: `the kernel tells the time by ${clock}`,
    },
    { ok: clockStepMs <= CLOCK_STEP_MS, text: `the clock's smallest step was ${digits(clockStepMs * 1000)} us` },
  ]
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '-'
}

/** As seen by asking again and again. */
export function clockStepMs(): number {
  let smallest = Infinity
  for (let i = 0, last = performance.now(); i < 10_000; i++) {
    const now = performance.now()
    if (now > last && now - last < smallest) smallest = now - last
    last = now
  }
  return smallest
}
