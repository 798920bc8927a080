/** Row `plain`: one hop without TLS, and two sidecars without TLS between them. */
import { HAPROXY_HOP } from '../names.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad } from '../tools/closed-loop.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'

const NAMES: readonly SubjectName[] = [
  'direct',
  'one-bare',
  'two-plain',
  'haproxy-plain',
  'nginx-plain',
  'caddy-plain',
  'envoy-plain',
]
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 2 }, full: { reps: 7, seconds: 4 } }
const CONNECTIONS = { quick: [32], default: [32], full: [1, 8, 32, 64] }

export const plain: Row = (context) =>
  closedRow(context, {
    row: 'plain',
    title: 'No TLS, HTTP/1.1, 1 KiB',
    subjects: { quick: NAMES.slice(0, 5), default: NAMES, full: NAMES },
    cells: (context.plan.connections ?? CONNECTIONS[context.plan.mode]).map((connections) => ({
      cell: `c=${connections}`,
      connections,
    })),
    sizes: SIZES,
    anchor: HAPROXY_HOP,
    load: ({ ports }, { connections }, seconds) => applyLoad({ port: ports.http, path: '/1k', connections, seconds }),
  })
