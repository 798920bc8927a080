/** Row `features`: what each thing that a sidecar does adds to a request in the pair. */
import { BARE_PAIR } from '../names.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad } from '../tools/closed-loop.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'

const NAMES: readonly SubjectName[] = ['bare', 'with-routes', 'with-log', 'with-tracing', 'with-policy', 'all']
const SIZES = { quick: { reps: 2, seconds: 1 }, default: { reps: 5, seconds: 2 }, full: { reps: 9, seconds: 4 } }
const CONNECTIONS = { quick: [32], default: [32], full: [1, 8, 32, 64] }

export const features: Row = (context) =>
  closedRow(context, {
    row: 'features',
    title: 'Two sidecars, mutual TLS, 1 KiB: each feature by itself, and all together',
    subjects: { quick: NAMES, default: NAMES, full: NAMES },
    cells: (context.plan.connections ?? CONNECTIONS[context.plan.mode]).map((connections) => ({
      cell: `c=${connections}`,
      connections,
    })),
    sizes: SIZES,
    anchor: BARE_PAIR,
    load: ({ ports }, { connections }, seconds) => applyLoad({ port: ports.http, path: '/1k', connections, seconds }),
  })
