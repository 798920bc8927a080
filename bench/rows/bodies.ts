/** Row `bodies`: responses of no, 64 KiB and 1 MiB, and uploads of 64 KiB; CPU by MB where there is a body. */
import { HAPROXY_H2 } from '../names.ts'
import { BODY_BYTES, KIB, UPLOAD_BYTES, UPLOAD_PATH } from '../app/sizes.ts'
import type { SubjectName } from '../subjects.ts'
import { applyLoad } from '../tools/closed-loop.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'

const CONNECTIONS = 4
const NAMES: readonly SubjectName[] = ['bare', 'all', 'haproxy-h2', 'nginx', 'caddy', 'envoy']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 1 }, full: { reps: 7, seconds: 4 } }
const CELLS = [
  { cell: 'no body', path: '/0' },
  { cell: '64 KiB', path: '/64k', bodyBytes: 64 * KIB },
  { cell: '1 MiB', path: '/1m', bodyBytes: BODY_BYTES['/1m'] ?? 0 },
  { cell: '64 KiB upload', path: UPLOAD_PATH, bodyBytes: UPLOAD_BYTES, uploadBytes: UPLOAD_BYTES },
]

export const bodies: Row = (context) =>
  closedRow<(typeof CELLS)[number]>(context, {
    row: 'bodies',
    title: `Two proxies, mutual TLS, bodies, c=${CONNECTIONS}`,
    subjects: { quick: ['bare', 'haproxy-h2'], default: NAMES, full: NAMES },
    cells: context.plan.mode === 'quick' ? CELLS.slice(1) : CELLS,
    sizes: SIZES,
    anchor: HAPROXY_H2,
    load: ({ ports }, { path, uploadBytes = 0 }, seconds) =>
      applyLoad({ port: ports.http, path, connections: CONNECTIONS, seconds, uploadBytes }),
    withMemory: true,
    notes: ['RSS: of the largest process, after all bodies'],
  })
