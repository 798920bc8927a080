import t from 'tap'
import { pageOf } from '../../bench/html/page.ts'
import { ResponseReader } from '../../bench/load/http1.ts'
import { HAPROXY_H2, NGINX_PAIR } from '../../bench/names.ts'
import { closedRow } from '../../bench/rows/closed-row.ts'
import type { RowContext } from '../../bench/rows/row.ts'
import { fromJob } from '../../bench/rows/row.ts'
import type { RunRecord } from '../../bench/run.ts'
import { parseRecord } from '../../bench/run.ts'
import { SharedMesh } from '../../bench/mesh/shared.ts'
import { Stage } from '../../bench/stage.ts'
import { Results } from '../../bench/stats/results.ts'
import { cpuMs, hasProc, machineTimes, memoryOf } from '../../bench/system/processes.ts'
import { machineFacts } from '../../bench/system/machine.ts'
import { requireTool } from '../helpers/tools.ts'

void t.test("the generator's reader takes a whole answer in any pieces, and tells what is wrong", async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 5\r\n\r\nhello'
  const read = (text: string, at: number): string => {
    const reader = new ResponseReader(5)
    reader.begin()
    const first = reader.read(Buffer.from(text.slice(0, at)))
    return first === 'more' ? reader.read(Buffer.from(text.slice(at))) : first
  }
  for (let at = 1; at < answer.length; at++) t.equal(read(answer, at), 'done', `split at ${at}`)
  for (const [text, wrong] of [
    ['HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nhello', 'status 503'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell', 'a body of 4 bytes'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'a body of -1 bytes'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world', 'more bytes than its Content-Length'],
  ] as const)
    t.equal(read(text, text.length), wrong)
})

void t.test('a process has CPU time and memory', { skip: hasProc ? false : 'needs /proc' }, async (t) => {
  t.ok(cpuMs([process.pid]) > 0)
  const { rssMiB, pssMiB, privateMiB } = memoryOf(process.pid)
  t.ok(rssMiB > 20 && rssMiB < 4000 && pssMiB <= rssMiB && privateMiB <= pssMiB, `${rssMiB} ${pssMiB} ${privateMiB}`)
  t.ok(machineTimes().busyMs > 0)
  t.throws(() => cpuMs([2 ** 30]))
})

void t.test('a stage: application, peers, own generator, one row, the page', { skip: !hasProc }, async (t) => {
  const peers = (['nginx', 'haproxy', 'openssl'] as const).every((tool) => requireTool(t, tool))
  if (!peers) return
  const stage = await Stage.open(process.execPath)
  t.teardown(() => stage.close())
  const notes: string[] = []
  const [direct, nginx, haproxy] = await stage.subjects(['direct', 'nginx', 'haproxy-h2'], notes)
  t.same(notes, [])
  for (const subject of [direct, nginx, haproxy]) {
    const port = subject?.ports.http ?? 0
    const asked = { port, connections: 4, ratePerSecond: 200, seconds: 0.3 }
    const { requests, errors, reasons, latency } = await stage.load.requests(asked)
    t.same([subject?.name, requests, errors, reasons], [subject?.name, 60, 0, []])
    t.ok(latency.p50Ms > 0 && latency.p50Ms <= latency.maxMs)
  }
  const wrong = await stage.load.requests({ port: direct?.ports.http ?? 0, seconds: 0.1, expectedBytes: 7 })
  t.match(wrong.reasons, ['a body of 1024 bytes'], 'answers are verified')
  const { certificates } = stage.setting
  const handshakes = { kind: 'connections', path: '/1k', concurrency: 2, seconds: 0.2, expectedBytes: 1024 } as const
  const report = await stage.load.run({ ...handshakes, port: nginx?.ports.tls ?? 0, certificates })
  t.ok(report.requests > 0 && report.errors === 0, `${report.requests} handshakes, ${report.reasons.join()}`)

  const size = { reps: 1, seconds: 1 }
  const context: RowContext = {
    stage,
    results: new Results(),
    busy: [],
    lags: [],
    generatorLimit: NaN,
    curves: new Map(),
    mesh: new SharedMesh(),
    isOver: () => true,
    plan: {
      mode: 'quick',
      rows: ['hop'],
      reps: 1,
      seconds: 1,
      connections: undefined,
      node: process.execPath,
      compareWith: undefined,
      outFolder: undefined,
      limitSeconds: 1,
    },
  }
  const pair = ['nginx', 'haproxy-h2'] as const
  const row = await closedRow(context, {
    row: 'hop',
    title: 'Two proxies',
    anchor: HAPROXY_H2,
    cells: [{ cell: 'c=4' }],
    withMemory: true,
    subjects: { quick: pair, default: pair, full: pair },
    sizes: { quick: size, default: size, full: size },
    // long enough that the ticks of the processes' clock (10 ms) are small beside it
    load: ({ ports }) =>
      fromJob(stage.load.requests({ port: ports.http, connections: 4, ratePerSecond: 500, seconds: 1 })),
  })
  t.equal(row.lines.length, 2)
  const cost = (subject: string): number =>
    context.results.median({ row: 'hop', subject, cell: 'c=4', metric: 'cpuUs' })
  t.ok(cost(NGINX_PAIR) > 5 && cost(HAPROXY_H2) > 5, `${cost(NGINX_PAIR)} ${cost(HAPROXY_H2)}`)
  const record: RunRecord = {
    format: 1,
    machine: machineFacts(),
    plan: context.plan,
    tookSeconds: 1,
    rows: { hop: row },
    verdict: [],
    figures: [],
    measurements: context.results.all,
    curves: {},
  }
  t.same(parseRecord(JSON.stringify(record)).measurements, record.measurements)
  t.throws(() => parseRecord('{}'), /not a result file/)
  const page = pageOf(record)
  t.match(page, /uPlot/)
  t.notMatch(page, /<(script|link)[^>]+(src|href)=/, 'it needs nothing from elsewhere')
})
