/**
 * Rows `connections` and `handshakes`: new connections, each for one request of 1 KiB. CPU of the accepting process per
 * connection; with mutual TLS that process is the second of a pair, reached by itself.
 */
import { HAPROXY_HOP, BARE_TLS } from '../names.ts'
import type { SubjectName } from '../subjects.ts'
import { closedRow } from './closed-row.ts'
import type { Row } from './row.ts'
import { fromJob } from './row.ts'

const PLAIN: readonly SubjectName[] = ['direct', 'one-bare', 'haproxy-plain', 'nginx-plain', 'caddy-plain']
const MTLS: readonly SubjectName[] = ['bare-http1', 'bare-tls', 'haproxy-h1', 'nginx']
const SIZES = { quick: { reps: 1, seconds: 1 }, default: { reps: 5, seconds: 1 }, full: { reps: 7, seconds: 4 } }
const CONCURRENCY = 4
const JOB = { kind: 'connections', path: '/1k', concurrency: CONCURRENCY, expectedBytes: 1024 } as const
// some 600 a second: V8 has compiled what a connection takes after a few thousand
const WARM_ROUNDS = { quick: 2, default: 8, full: 12 }
const CELLS = [{ cell: `${CONCURRENCY} at once` }]

export const connections: Row = (context) =>
  closedRow(context, {
    row: 'connections',
    title: 'New plain connections, one request each',
    subjects: { quick: PLAIN.slice(1, 4), default: PLAIN, full: PLAIN },
    cells: CELLS,
    sizes: SIZES,
    anchor: HAPROXY_HOP,
    per: 'connection',
    load: ({ ports: { http: port } }, _cell, seconds) =>
      fromJob(context.stage.load.run({ ...JOB, port, seconds, certificates: undefined })),
  })

export const handshakes: Row = (context) =>
  closedRow(context, {
    row: 'handshakes',
    title: 'New mutual TLS connections (full handshakes), one request each, accepting side',
    subjects: { quick: MTLS, default: MTLS, full: MTLS },
    cells: CELLS,
    sizes: SIZES,
    anchor: BARE_TLS,
    per: 'handshake',
    warmRounds: WARM_ROUNDS,
    load: ({ name, ports: { tls: port } }, _cell, seconds) =>
      port === undefined
        ? Promise.reject(new Error(`${name} accepts no TLS`))
        : fromJob(context.stage.load.run({ ...JOB, port, seconds, certificates: context.stage.setting.certificates })),
    notes: ['the bare server answers by itself; the others pass the request on to the application'],
  })
