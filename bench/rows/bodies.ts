/** Row `bodies`: responses of no, 64 KiB and 1 MiB, and uploads of 64 KiB; CPU by MB where there is a body. */
import { HAPROXY_H2 } from '../names.ts'
import { BODY_BYTES, KIB, UPLOAD_BYTES, UPLOAD_PATH } from '../app/sizes.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad } from '../tools/closed-loop.ts'
import type { Mode } from '../options.ts'
import { closedRow } from './closed-row.ts'
import type { Cell } from './closed-row.ts'
import type { Row } from './row.ts'

interface BodyCell extends Cell {
  path: string
  uploadBytes?: number
  connections?: number
}

/** Of the cells without a number in their name: the figures to reach are theirs. */
const CONNECTIONS = 4
const MORE_CONNECTIONS = [1, 8, 32, 64]
const NAMES: readonly SubjectName[] = ['bare', 'all', 'haproxy-h2', 'nginx', 'caddy', 'envoy']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 1 }, full: { reps: 7, seconds: 2 } }
const CELLS: readonly BodyCell[] = [
  { cell: 'no body', path: '/0' },
  { cell: '64 KiB', path: '/64k', bodyBytes: 64 * KIB },
  { cell: '1 MiB', path: '/1m', bodyBytes: BODY_BYTES['/1m'] ?? 0 },
  { cell: '64 KiB upload', path: UPLOAD_PATH, bodyBytes: UPLOAD_BYTES, uploadBytes: UPLOAD_BYTES },
]

function cellsOf(mode: Mode): readonly BodyCell[] {
  if (mode === 'quick') return CELLS.slice(1)
  if (mode === 'default') return CELLS
  const more = MORE_CONNECTIONS.flatMap((connections) =>
    CELLS.map((one) => ({ ...one, cell: `${one.cell}, c=${connections}`, connections })),
  )
  return [...CELLS, ...more]
}

export const bodies: Row = (context) =>
  closedRow<BodyCell>(context, {
    row: 'bodies',
    title: `Two proxies, mutual TLS, bodies, c=${CONNECTIONS}`,
    subjects: { quick: ['bare', 'haproxy-h2'], default: NAMES, full: NAMES },
    cells: cellsOf(context.plan.mode),
    sizes: SIZES,
    anchor: HAPROXY_H2,
    load: ({ ports }, { path, uploadBytes = 0, connections = CONNECTIONS }, seconds) =>
      applyLoad({ port: ports.http, path, connections, seconds, uploadBytes }),
    withMemory: true,
    warmsEachCell: true,
    notes: ['RSS: of the largest process, after all bodies'],
  })
