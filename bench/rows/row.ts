/** What a row is: a function of what stands ready to a table; its figures go into the results as they come. */
import type { JobReport, LatencyReport } from '../load/job.ts'
import type { LoadResult } from '../tools/load-tool.ts'
import type { SharedMesh } from '../mesh/shared.ts'
import type { Mode, Plan } from '../options.ts'
import type { Busy, Sample } from '../sampler.ts'
import { sample } from '../sampler.ts'
import type { Stage } from '../stage.ts'
import type { Metric, Results } from '../stats/results.ts'
import type { RowReport } from '../stats/table.ts'
import type { Subject } from '../subject.ts'

export interface RowContext {
  stage: Stage
  plan: Plan
  results: Results
  /** How busy everything was in each run, for the verdict. */
  busy: { row: string; subject: string; busy: Busy }[]
  /** How late our own generator was. */
  lags: { cell: string; lagP99Ms: number; waitedShare: number }[]
  /** Requests per second that our own generator can do at most; NaN until it is known. */
  generatorLimit: number
  /** `CELL|SUBJECT`: the latencies of the last repetition, for the chart. */
  curves: Map<string, LatencyReport['curve']>
  mesh: SharedMesh
  /** No repetition begins after this. */
  isOver: () => boolean
}

export type Row = (context: RowContext) => Promise<RowReport>

export interface Size {
  reps: number
  seconds: number
}

/** The row's own sizes, unless the command line says something else. */
export function sizeOf(plan: Plan, sizes: Readonly<Record<Mode, Size>>): Size {
  const { reps, seconds } = sizes[plan.mode]
  return { reps: plan.reps ?? reps, seconds: plan.seconds ?? seconds }
}

/** Runs load through a subject and keeps the figures that all rows have in common. */
export async function record<R extends { requests: number; requestsPerSecond: number; errors: number }>(
  { stage, results, busy }: RowContext,
  { row, subject, cell }: { row: string; subject: Subject; cell: string },
  load: () => Promise<R & { loadCpuMs: number }>,
): Promise<Sample<R>> {
  const taken = await sample({ subject, appPids: stage.setting.app.pids(), load })
  stage.tidy(subject)
  busy.push({ row, subject: subject.name, busy: taken.busy })
  const { requests, requestsPerSecond, errors } = taken.result
  if (requests === 0 || errors > requests / 100)
    throw new Error(`${subject.name}, ${row} ${cell}: ${errors} errors in ${requests} requests`)
  const add = (metric: Metric, value: number): void => results.add({ row, subject: subject.name, cell, metric }, value)
  if (subject.children.length > 0) add('cpuUs', (taken.proxyCpuMs * 1000) / requests)
  add('requestsPerSecond', requestsPerSecond)
  return taken
}

/** A job of our own generator as the result of a load tool. A few wrong answers are told by the caller, with the reasons. */
export async function fromJob(job: Promise<JobReport>): Promise<LoadResult> {
  const { requests, errors, reasons, requestsPerSecond, latency, loadCpuMs } = await job
  if (errors > requests / 100) throw new Error(`${errors} errors in ${requests} requests: ${reasons.join(', ')}`)
  const { p50Ms, p99Ms } = latency
  return { tool: 'own generator', requests, errors, requestsPerSecond, p50Ms, p99Ms, loadCpuMs }
}
