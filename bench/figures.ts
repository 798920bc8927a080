/** The figures that the sidecars are to reach, and whether this run's do. In: results. Out: a line each. */
import {
  BARE_HOP,
  BARE_PAIR,
  BARE_TLS,
  CADDY_PAIR,
  EVERYTHING_ON,
  FRESH,
  GRPC_ENDS,
  HAPROXY_H2,
  HAPROXY_HOP,
  HTTP1_PAIR,
  NGINX_HOP,
  NGINX_PAIR,
} from './names.ts'
import { digits } from './stats/results.ts'
import type { Key, Metric, Results } from './stats/results.ts'
import { median, pairwise } from './stats/summary.ts'

interface Figure {
  what: string
  atMost: number
  value: (results: Results) => number
}

export interface FigureLine {
  what: string
  atMost: number
  value: number
  reached: boolean
}

/** The middle of the ratios within each repetition. */
const ratio =
  (row: string, cell: string, metric: Metric, ours: string, theirs: string) =>
  (results: Results): number =>
    results.ratio({ row, cell, metric, subject: ours }, theirs)

const of =
  (row: string, cell: string, metric: Metric, subject: string) =>
  (results: Results): number =>
    results.median({ row, cell, metric, subject })

/** The middle of the differences within each repetition. */
const difference =
  (ours: Key, theirs: Key) =>
  (results: Results): number =>
    median(pairwise(results.samples(ours), results.samples(theirs), (a, b) => a - b))

const hop = (c: number, ours: string, theirs: string, metric: Metric = 'cpuUs') =>
  ratio('hop', `c=${c}`, metric, ours, theirs)
const memoryOf = (subject: string, cell: string, metric: Metric) => of('memory', cell, metric, subject)
const BUSY = [8, 32, 64]
const BODIES = ['64 KiB', '1 MiB', '64 KiB upload']
const IDLE_10000 = { row: 'memory', subject: FRESH, cell: 'with 10000 idle connections', metric: 'rssMiB' } as const

const FIGURES: readonly Figure[] = [
  ...BUSY.map((c) => ({
    what: `everything on, c=${c}: CPU to HAProxy's HTTP/2 hop`,
    atMost: 1.1,
    value: hop(c, EVERYTHING_ON, HAPROXY_H2),
  })),
  { what: "everything on, c=1: CPU to HAProxy's HTTP/2 hop", atMost: 0.85, value: hop(1, EVERYTHING_ON, HAPROXY_H2) },
  ...BUSY.map((c) => ({
    what: `bare, c=${c}: CPU to HAProxy's HTTP/2 hop`,
    atMost: 0.95,
    value: hop(c, BARE_PAIR, HAPROXY_H2),
  })),
  ...BUSY.map((c) => ({
    what: `everything on, c=${c}: CPU to nginx`,
    atMost: c === 8 ? 0.85 : 0.7,
    value: hop(c, EVERYTHING_ON, NGINX_PAIR),
  })),
  ...BUSY.map((c) => ({
    what: `everything on, c=${c}: CPU to Caddy`,
    atMost: 0.25,
    value: hop(c, EVERYTHING_ON, CADDY_PAIR),
  })),
  ...[8, 32].flatMap((c) =>
    (['p50Ms', 'p99Ms'] as const).map((metric) => ({
      what: `bare, c=${c}: ${metric === 'p50Ms' ? 'p50' : 'p99'} to HAProxy's HTTP/2 hop`,
      atMost: 1,
      value: hop(c, BARE_PAIR, HAPROXY_H2, metric),
    })),
  ),
  {
    what: 'all features together, c=32: us CPU/request of the pair',
    atMost: 10,
    value: difference(
      { row: 'features', subject: EVERYTHING_ON, cell: 'c=32', metric: 'cpuUs' },
      { row: 'features', subject: BARE_PAIR, cell: 'c=32', metric: 'cpuUs' },
    ),
  },
  ...BODIES.map((body) => ({
    what: `bare, ${body}: CPU/MB to HAProxy's HTTP/2 hop`,
    atMost: 0.9,
    value: ratio('bodies', body, 'cpuUsPerMb', BARE_PAIR, HAPROXY_H2),
  })),
  { what: 'bare, after bulk: MiB RSS', atMost: 90, value: of('bodies', 'after', 'rssMiB', BARE_PAIR) },
  {
    what: 'one plain hop, c=32: CPU to HAProxy',
    atMost: 1.3,
    value: ratio('plain', 'c=32', 'cpuUs', BARE_HOP, HAPROXY_HOP),
  },
  {
    what: 'one plain hop, c=32: CPU to nginx',
    atMost: 1.3,
    value: ratio('plain', 'c=32', 'cpuUs', BARE_HOP, NGINX_HOP),
  },
  {
    what: 'gRPC unary, everything on: CPU/call to grpc-js client and server',
    atMost: 0.5,
    value: ratio('grpc', '32 at once', 'cpuUs', `${EVERYTHING_ON}, gRPC`, GRPC_ENDS),
  },
  {
    what: 'new mTLS connection: CPU to a bare tls server (0.9 of its rate)',
    atMost: 1 / 0.9,
    value: ratio('handshakes', '4 at once', 'cpuUs', HTTP1_PAIR, BARE_TLS),
  },
  { what: 'RSS idle, MiB (Node 20: 60)', atMost: 70, value: memoryOf(FRESH, 'idle', 'rssMiB') },
  {
    what: 'private memory of each of 8, MiB',
    atMost: 25,
    value: memoryOf('Pocketmesh', 'idle, 8 at once', 'privateMiB'),
  },
  {
    what: '10,000 idle connections add, MiB',
    atMost: 120,
    value: difference(IDLE_10000, { ...IDLE_10000, cell: 'idle' }),
  },
  {
    what: 'RSS after 600 s at c=64, MiB',
    atMost: 110,
    value: memoryOf(EVERYTHING_ON, 'after 600 s at c=64', 'rssMiB'),
  },
  {
    what: 'first listening socket, ms (Node 24)',
    atMost: 100,
    value: of('start', 'first socket', 'startMs', 'sidecar, standing alone'),
  },
  {
    what: "everything on, 1000/s open loop: p50 to HAProxy's HTTP/2 hop",
    atMost: 1,
    value: ratio('latency', 'http1 1000/s', 'p50Ms', EVERYTHING_ON, HAPROXY_H2),
  },
]

/** Those that this run has measured. */
export function reachedFigures(results: Results): FigureLine[] {
  return FIGURES.map(({ what, atMost, value }) => ({ what, atMost, value: value(results) }))
    .filter(({ value }) => Number.isFinite(value))
    .map((line) => ({ ...line, reached: line.value <= line.atMost }))
}

export function shownFigure({ what, atMost, value, reached }: FigureLine): Record<string, string> {
  return { figure: what, 'at most': digits(atMost), measured: digits(value), '': reached ? 'reached' : 'NOT REACHED' }
}
