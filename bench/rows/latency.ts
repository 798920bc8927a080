/**
 * Row `latency`: an open loop at a rate well below what anyone can do, latency from the intended start, and what each
 * subject adds to it: its percentile less that of the direct way in the same repetition, with a 95 % interval.
 */
import { DIRECT } from '../names.ts'
import type { Protocol } from '../load/job.ts'
import { interleave } from '../sampler.ts'
import { digits } from '../stats/results.ts'
import type { Metric } from '../stats/results.ts'
import { median, medianInterval, pairwise } from '../stats/summary.ts'
import type { Line } from '../stats/table.ts'
import type { Subject } from '../subject.ts'
import type { SubjectName } from '../subjects.ts'
import type { Row, RowContext } from './row.ts'
import { record, sizeOf } from './row.ts'

const CONNECTIONS = 32
/** Fewer repetitions have no interval worth the name. */
const MIN_FOR_INTERVAL = 3
const NAMES: readonly SubjectName[] = ['direct', 'bare', 'all', 'haproxy-h2', 'haproxy-h1', 'nginx']
const SUBJECTS = {
  quick: ['direct', 'all', 'haproxy-h2', 'nginx'],
  default: NAMES,
  full: [...NAMES, 'two-plain', 'with-log', 'with-tracing', 'with-policy', 'caddy', 'envoy'],
} satisfies Record<string, readonly SubjectName[]>
const SIZES = { quick: { reps: 3, seconds: 1 }, default: { reps: 5, seconds: 3 }, full: { reps: 7, seconds: 5 } }

interface LatencyCell {
  cell: string
  protocol: Protocol
  ratePerSecond: number
  connections: number
  streams: number
}

const cellOf = (protocol: Protocol, ratePerSecond: number): LatencyCell => ({
  cell: `${protocol} ${ratePerSecond}/s`,
  protocol,
  ratePerSecond,
  // as many under way at most, whatever the protocol
  ...(protocol === 'http2' ? { connections: 4, streams: CONNECTIONS / 4 } : { connections: CONNECTIONS, streams: 1 }),
})
const CELLS = {
  quick: [cellOf('http1', 1000)],
  default: [cellOf('http1', 1000)],
  full: [...[1000, 2000, 4000].map((rate) => cellOf('http1', rate)), cellOf('http2', 1000), cellOf('tcp', 1000)],
}
const PERCENTILES = ['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'maxMs'] as const

export const latency: Row = async (context) => {
  const { stage, plan, results, isOver } = context
  const { reps, seconds } = sizeOf(plan, SIZES)
  const notes: string[] = []
  const subjects = await stage.subjects(SUBJECTS[plan.mode], notes)
  const cells = CELLS[plan.mode]
  context.generatorLimit = await generatorLimit(context)
  const run = async (subject: Subject, cell: LatencyCell): Promise<void> => {
    const job = { ...cell, port: portFor(subject, cell.protocol), seconds, warmUpSeconds: 0.3 }
    const { result } = await record(context, { row: 'latency', subject, cell: cell.cell }, () =>
      stage.load.requests(job),
    )
    const key = { row: 'latency', subject: subject.name, cell: cell.cell }
    for (const metric of PERCENTILES) results.add({ ...key, metric }, result.latency[metric])
    context.lags.push({ cell: cell.cell, lagP99Ms: result.lagP99Ms, waitedShare: result.waited / result.requests })
    context.curves.set(`${cell.cell}|${subject.name}`, result.latency.curve)
  }
  const { done, left } = await interleave({
    reps,
    subjects,
    cells,
    isOver,
    notes,
    warmUp: async ({ ports }) => void (await stage.load.requests({ port: ports.http, connections: 32, seconds: 0.5 })),
    run,
  })
  const lines = cells.flatMap(({ cell, ratePerSecond }) =>
    left.map((subject) => lineOf(context, cell, ratePerSecond, subject.name)),
  )
  return {
    title: `Latency from the intended start, 1 KiB, at most ${CONNECTIONS} at once: ${done} x ${seconds} s each, interleaved`,
    lines,
    notes: [
      `added: less the direct way of the same repetition, [95 % interval of the median]`,
      `the generator's own limit, direct: ${digits(context.generatorLimit)} requests/s`,
      ...notes,
    ],
  }
}

/** What our own generator can do at most with no proxy between: a rate near it would measure the generator. */
async function generatorLimit({ stage }: RowContext): Promise<number> {
  const port = stage.setting.app.ports.http
  const { requestsPerSecond } = await stage.load.requests({ port, connections: CONNECTIONS, seconds: 1 })
  return requestsPerSecond
}

function portFor({ name, ports }: Subject, protocol: Protocol): number {
  const port = protocol === 'tcp' ? ports.tcp : protocol === 'http1' ? ports.http : ports.http2
  if (port === undefined) throw new Error(`${name} does not take ${protocol}`)
  return port
}

function lineOf({ results }: RowContext, cell: string, asked: number, subject: string): Line {
  const key = { row: 'latency', subject, cell }
  const shown = (metric: Metric): string => digits(results.median({ ...key, metric }))
  const added = (metric: Metric): string => {
    const direct = results.samples({ ...key, subject: DIRECT, metric })
    const differences = pairwise(results.samples({ ...key, metric }), direct, (a, b) => a - b)
    if (subject === DIRECT || differences.length === 0) return '-'
    if (differences.length < MIN_FOR_INTERVAL) return digits(median(differences))
    const { low, high } = medianInterval(differences)
    return `${digits(median(differences))} [${digits(low)}, ${digits(high)}]`
  }
  return {
    cell,
    subject,
    asked,
    got: digits(results.median({ ...key, metric: 'requestsPerSecond' })),
    'p50 ms': shown('p50Ms'),
    p90: shown('p90Ms'),
    p99: shown('p99Ms'),
    'p99.9': shown('p999Ms'),
    max: shown('maxMs'),
    'added p50': added('p50Ms'),
    'added p99': added('p99Ms'),
    'CPU us/request': shown('cpuUs'),
  }
}
