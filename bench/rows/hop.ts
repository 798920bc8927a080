/**
 * Row `hop`: what a request costs in two proxies with mutual TLS between them, 1 KiB, keep-alive, by the number of
 * connections; closed loop. The core of the benchmark: ratios of one run to the best peer's.
 */
import { median } from '../stats/summary.ts'
import { digits } from '../stats/results.ts'
import type { Line, RowReport } from '../stats/table.ts'
import { interleave } from '../sampler.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad, http1Tool } from '../tools/closed-loop.ts'
import type { RowContext } from './row.ts'
import { record, sizeOf } from './row.ts'

export const HOP_SUBJECTS: readonly SubjectName[] = [
  'bare',
  'all',
  'haproxy-h2',
  'haproxy-h1',
  'nginx',
  'caddy',
  'envoy',
]
const QUICK_SUBJECTS: readonly SubjectName[] = ['bare', 'all', 'haproxy-h2', 'haproxy-h1', 'nginx']
export const ANCHOR = 'HAProxy, HTTP/2 mTLS'
const SIZES = {
  quick: { reps: 3, seconds: 1 },
  default: { reps: 5, seconds: 2 },
  full: { reps: 7, seconds: 5 },
}
const CONNECTIONS = { quick: [32], default: [1, 8, 32, 64], full: [1, 8, 32, 64] }
const WARM_UP_SECONDS = 2

export async function hop(context: RowContext): Promise<RowReport> {
  const { stage, plan, results } = context
  const { reps, seconds } = sizeOf(plan, SIZES)
  const cells = plan.connections ?? CONNECTIONS[plan.mode]
  const notes: string[] = []
  const names = plan.mode === 'quick' ? QUICK_SUBJECTS : HOP_SUBJECTS
  const subjects = await stage.subjects(names, notes)
  const load = (port: number, connections: number, forSeconds: number) =>
    applyLoad({ port, path: '/1k', connections, seconds: forSeconds })
  for (const { ports } of subjects) await load(ports.http, 32, plan.mode === 'quick' ? 1 : WARM_UP_SECONDS)
  const done = await interleave({
    ...{ reps, subjects, cells, isOver: context.isOver },
    run: async (subject, connections) => {
      const key = { row: 'hop', subject, cell: `c=${connections}` }
      const { result } = await record(context, key, () => load(subject.ports.http, connections, seconds))
      results.add({ ...key, subject: subject.name, metric: 'p50Ms' }, result.p50Ms)
      results.add({ ...key, subject: subject.name, metric: 'p99Ms' }, result.p99Ms)
    },
  })
  const lines = cells.flatMap((connections) =>
    subjects.map(({ name }): Line => {
      const key = { row: 'hop', subject: name, cell: `c=${connections}` } as const
      const cpu = { ...key, metric: 'cpuUs' } as const
      const ratios = results.ratios(cpu, ANCHOR)
      return {
        connections,
        subject: name,
        'CPU us/request': results.shown(cpu),
        'to HAProxy h2': ratios.length === 0 ? '-' : digits(median(ratios)),
        'requests/s': digits(results.median({ ...key, metric: 'requestsPerSecond' })),
        'p50 ms': digits(results.median({ ...key, metric: 'p50Ms' })),
        'p99 ms': digits(results.median({ ...key, metric: 'p99Ms' })),
      }
    }),
  )
  return {
    title: `Two proxies, mutual TLS between them, 1 KiB, keep-alive: ${done} x ${seconds} s each, interleaved, ${http1Tool.name}`,
    lines,
    notes: ['CPU: median (lowest-highest); ratio: median of the ratios within each repetition', ...notes],
  }
}
