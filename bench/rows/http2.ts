/** Row `http2`: HTTP/2 (prior knowledge) from the client, mutual TLS between the proxies; h2load, else our own generator. */
import { HAPROXY_H2 } from '../names.ts'
import type { Subject } from '../subject.ts'
import type { SubjectName } from '../subjects.ts'
import type { LoadResult } from '../tools/load-tool.ts'
import { applyLoad, http2Tool } from '../tools/closed-loop.ts'
import { closedRow } from './closed-row.ts'
import type { Row, RowContext } from './row.ts'
import { fromJob } from './row.ts'

const NAMES: readonly SubjectName[] = ['bare', 'all', 'haproxy-h2', 'nginx', 'caddy', 'envoy']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 1 }, full: { reps: 7, seconds: 4 } }
const CELLS = [
  { cell: '1x1', connections: 1, streams: 1 },
  { cell: '4x8', connections: 4, streams: 8 },
]

export const http2: Row = (context) =>
  closedRow<(typeof CELLS)[number]>(context, {
    row: 'http2',
    title: `HTTP/2 from the client, 1 KiB, connections x streams, ${http2Tool?.name ?? 'own generator'}`,
    subjects: { quick: ['bare', 'haproxy-h2'], default: NAMES, full: [...NAMES, 'direct'] },
    cells: context.plan.mode === 'quick' ? CELLS.slice(1) : CELLS,
    sizes: SIZES,
    anchor: HAPROXY_H2,
    load: (subject, cell, seconds) => load(context, subject, { ...cell, seconds }),
  })

function load(
  { stage }: RowContext,
  { name, ports: { http2: port } }: Subject,
  spec: { connections: number; streams: number; seconds: number },
): Promise<LoadResult> {
  if (port === undefined) return Promise.reject(new Error(`${name} has no HTTP/2 port`))
  if (http2Tool !== undefined) return applyLoad({ port, path: '/1k', ...spec }, http2Tool)
  return fromJob(stage.load.requests({ protocol: 'http2', port, ...spec }))
}
