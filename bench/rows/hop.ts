/**
 * Row `hop`: what a request costs in two proxies with mutual TLS between them, 1 KiB, keep-alive, by the number of
 * connections. The core of the benchmark: its ratios are to the best peer's of the same repetition.
 */
import { HAPROXY_H2 } from '../names.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad, http1Tool } from '../tools/closed-loop.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'

const BEST: readonly SubjectName[] = ['bare', 'all', 'haproxy-h2', 'haproxy-h1', 'nginx']
const SUBJECTS = {
  quick: BEST,
  default: [...BEST, 'caddy', 'envoy'],
  full: [...BEST, 'bare-http1', 'two-plain', 'caddy', 'envoy', 'direct'],
} satisfies Record<string, SubjectName[] | typeof BEST>
const SIZES = { quick: { reps: 3, seconds: 1 }, default: { reps: 5, seconds: 2 }, full: { reps: 7, seconds: 5 } }
const CONNECTIONS = { quick: [32], default: [1, 8, 32, 64], full: [1, 8, 32, 64] }

export const hop: Row = (context) =>
  closedRow(context, {
    row: 'hop',
    title: `Two proxies, mutual TLS between them, HTTP/1.1, 1 KiB, ${http1Tool.name}`,
    subjects: SUBJECTS,
    cells: (context.plan.connections ?? CONNECTIONS[context.plan.mode]).map((connections) => ({
      cell: `c=${connections}`,
      connections,
    })),
    sizes: SIZES,
    anchor: HAPROXY_H2,
    withMemory: true,
    load: ({ ports }, { connections }, seconds) => applyLoad({ port: ports.http, path: '/1k', connections, seconds }),
    notes: [
      'CPU: median (lowest-highest) of all proxies; ratio: the median of the ratios within each repetition',
      'RSS: of the largest process, after all of it',
    ],
  })
