/** A row of closed-loop runs: subjects by cells (connections, bodies), interleaved. Most rows are one of these. */
import type { Mode } from '../options.ts'
import { interleave } from '../sampler.ts'
import { digits } from '../stats/results.ts'
import { median } from '../stats/summary.ts'
import type { Line, RowReport } from '../stats/table.ts'
import type { Subject } from '../subject.ts'
import type { SubjectName } from '../subjects.ts'
import { memoryOf } from '../system/processes.ts'
import type { LoadResult } from '../tools/load-tool.ts'
import type { RowContext, Size } from './row.ts'
import { record, sizeOf } from './row.ts'

const WARM_REQUESTS = 20_000
const WARM_SECONDS = 1
const WARM_ROUNDS = { quick: 1, default: 6, full: 10 }

export interface Cell {
  cell: string
  /** Bytes of body in a request and its answer: figures by MB (10^6) are kept beside those by request. */
  bodyBytes?: number
}

export interface ClosedRow<C extends Cell> {
  row: string
  title: string
  subjects: Readonly<Record<Mode, readonly SubjectName[]>>
  cells: readonly C[]
  sizes: Readonly<Record<Mode, Size>>
  /** Whose cost the ratios are to. */
  anchor: string
  load: (subject: Subject, cell: C, seconds: number) => Promise<LoadResult>
  notes?: readonly string[]
  /** Seconds at most, where the number of requests that warms a proxy is never reached. */
  warmRounds?: Readonly<Record<Mode, number>>
  /** Cells take other ways through a proxy: each is warmed. */
  warmsEachCell?: boolean
  /** What one of the things counted is called, if not a request. */
  per?: string
  /** Memory after all of it, per process of each subject. */
  withMemory?: boolean
}

export async function closedRow<C extends Cell>(context: RowContext, spec: ClosedRow<C>): Promise<RowReport> {
  const { stage, plan, results, isOver } = context
  const { reps, seconds } = sizeOf(plan, spec.sizes)
  const { row, cells } = spec
  const notes: string[] = []
  const subjects = await stage.subjects(spec.subjects[plan.mode], notes)
  const first = cells[Math.floor(cells.length / 2)]
  const { done, left } = await interleave({
    reps,
    subjects,
    cells,
    isOver,
    notes,
    warmUp: async (subject) => {
      if (first === undefined) return
      // what V8 has not compiled yet costs several times as much
      let requests = 0
      const rounds = (spec.warmRounds ?? WARM_ROUNDS)[plan.mode]
      for (let round = 0; round < rounds && requests < WARM_REQUESTS; round++)
        requests += (await spec.load(subject, first, Math.min(seconds, WARM_SECONDS))).requests
      if (spec.warmsEachCell !== true) return
      for (const cell of cells) if (cell !== first) await spec.load(subject, cell, Math.min(seconds, WARM_SECONDS))
    },
    run: async (subject, cell) => {
      const key = { row, subject: subject.name, cell: cell.cell }
      const { result, proxyCpuMs } = await record(context, { ...key, subject }, () => spec.load(subject, cell, seconds))
      if (cell.bodyBytes !== undefined && subject.children.length > 0)
        results.add({ ...key, metric: 'cpuUsPerMb' }, (proxyCpuMs * 1e9) / (result.requests * cell.bodyBytes))
      for (const metric of ['p50Ms', 'p99Ms'] as const)
        if (Number.isFinite(result[metric])) results.add({ ...key, metric }, result[metric])
    },
  })
  if (spec.withMemory === true) for (const subject of left) keepMemory(context, row, subject)
  return {
    title: `${spec.title}: ${done} x ${seconds} s each, interleaved`,
    lines: cells.flatMap(({ cell, bodyBytes }) =>
      left.map(({ name }) => lineOf(context, spec, { cell, subject: name, byMb: bodyBytes !== undefined })),
    ),
    notes: [...(spec.notes ?? []), ...notes],
  }
}

function keepMemory({ results }: RowContext, row: string, { name, children }: Subject): void {
  if (children.length === 0) return
  const sizes = children.map(({ pid }) => memoryOf(pid).rssMiB)
  results.add({ row, subject: name, cell: 'after', metric: 'rssMiB' }, Math.max(...sizes))
}

function lineOf<C extends Cell>(
  { results }: RowContext,
  { row, anchor, withMemory = false, per = 'request' }: ClosedRow<C>,
  { cell, subject, byMb }: { cell: string; subject: string; byMb: boolean },
): Line {
  const key = { row, subject, cell }
  const cost = { ...key, metric: byMb ? 'cpuUsPerMb' : 'cpuUs' } as const
  const ratios = results.ratios(cost, anchor)
  const latency = (metric: 'p50Ms' | 'p99Ms'): string => digits(results.median({ ...key, metric }))
  return {
    cell,
    subject,
    [byMb ? 'CPU us/MB' : `CPU us/${per}`]: results.shown(cost),
    [`to ${anchor}`]: ratios.length === 0 ? '-' : digits(median(ratios)),
    [`${per}s/s`]: digits(results.median({ ...key, metric: 'requestsPerSecond' })),
    'p50 ms': latency('p50Ms'),
    'p99 ms': latency('p99Ms'),
    ...(withMemory ? { 'RSS MiB': digits(results.median({ ...key, cell: 'after', metric: 'rssMiB' })) } : {}),
  }
}
