/** Trace headers and hops: what goes on to the upstream. */
import http from 'node:http'
import t, { type Test } from 'tap'
import { exchangeBytes, forward } from '../../helpers/data-plane.ts'
import { front, type FrontInit, get } from '../listener/front.ts'

type Seen = (fields?: string, method?: string) => Promise<http.IncomingHttpHeaders>

/** What the application is told, of a request with these fields. */
async function told(t: Test, init: FrontInit): Promise<Seen> {
  let last: http.IncomingHttpHeaders = {}
  const { http: port } = await front(t, (req, res) => void res.end((last = req.headers)['host']), init)
  return async (fields = '') => {
    await exchangeBytes(port, get('/', `${fields}Connection: close\r\n`))
    return last
  }
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `00-${TRACE}-${SPAN}-01`

t.test('a trace goes on with a span of our own', async (t) => {
  const seen = await told(t, { manager: { tracing: {} } })
  for (const [parent, flags] of [
    [PARENT, '01'],
    [`00-${TRACE}-${SPAN}-00`, '00'],
    [`00-${TRACE}-${SPAN}-ff`, 'ff'],
    [`cc-${TRACE}-${SPAN}-01-what-comes-after`, '01'],
  ]) {
    const { traceparent, tracestate } = await seen(`traceparent: ${parent}\r\ntracestate: a=b\r\n`)
    const [version, trace, span, last] = String(traceparent).split('-')
    t.same([version, trace, last, tracestate], ['00', TRACE, flags, 'a=b'], String(parent))
    t.match(span, /^[0-9a-f]{16}$/)
    t.not(span, SPAN)
  }
})

t.test('what is no trace is replaced, and its state with it', async (t) => {
  const seen = await told(t, { manager: { tracing: {} } })
  const traces = new Set<string>()
  for (const parent of [
    '',
    'x',
    PARENT.toUpperCase(),
    PARENT.slice(1),
    `${PARENT}-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-0`,
    `00-${TRACE}-${SPAN}-01\r\ntraceparent: ${PARENT}`,
  ]) {
    const { traceparent, tracestate } = await seen(`traceparent: ${parent}\r\ntracestate: a=b\r\n`)
    t.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, parent)
    t.equal(tracestate, undefined)
    traces.add(String(traceparent).slice(3, 35))
  }
  traces.add(TRACE)
  t.equal(traces.size, 11, 'each is another')
})

t.test('B3 headers go through as they are', async (t) => {
  const seen = await told(t, { manager: { tracing: {} } })
  const b3 = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1', b3: `${TRACE}-${SPAN}-1` }
  t.match(
    await seen(
      Object.entries(b3)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join(''),
    ),
    b3,
  )
})

t.test('of the traces that begin here a share is sampled', async (t) => {
  const flags = async (tracing: object, fields = ''): Promise<string | undefined> => {
    const seen = await told(t, { manager: { tracing } })
    return String((await seen(fields)).traceparent).slice(-2)
  }
  const none = { randomSampling: { value: 0 } }
  const client = 'x-client-trace-id: 1\r\n'
  t.equal(await flags({}), '01')
  t.equal(await flags(none), '00')
  t.equal(await flags(none, client), '01')
  t.equal(await flags({ ...none, clientSampling: { value: 0 } }, client), '00')
  t.equal(await flags({ overallSampling: { value: 0 } }), '00')
})

t.test('without tracing nothing is added, and what comes goes through', async (t) => {
  const seen = await told(t, {})
  t.equal((await seen()).traceparent, undefined)
  t.equal((await seen(`traceparent: ${PARENT}\r\n`)).traceparent, PARENT)
})

t.test('proxies count themselves, and a loop ends', async (t) => {
  const seen = await told(t, {})
  t.equal((await seen())['x-pocketmesh-hops'], '1')
  t.equal((await seen('x-pocketmesh-hops: 7\r\n'))['x-pocketmesh-hops'], '8')
  t.equal((await seen('x-pocketmesh-hops: x\r\n'))['x-pocketmesh-hops'], '1')
  const loop = await front(t, () => {})
  const own = { endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: loop.http } } } }
  loop.plane.setClusters([{ name: 'app', type: 0, loadAssignment: { endpoints: [{ lbEndpoints: [own] }] } }])
  t.match(await exchangeBytes(loop.http, get('/', 'Connection: close\r\n')), /^HTTP\/1\.1 508 [^]*loop detected$/)
  t.equal(loop.records.ended.length, 11)
  t.match(loop.records.ended[0], { responseCode: 508, responseCodeDetails: 'loop_detected' })
})

t.test('OPTIONS goes as far as it may', async (t) => {
  const {
    http: port,
    records,
    seen,
  } = await front(t, (req, res) => void res.end(`left ${String(req.headers['max-forwards'])}`), {
    routes: [forward('app')],
  })
  const options = (n: string): Promise<string> =>
    exchangeBytes(port, `OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${n}\r\nConnection: close\r\n\r\n`)
  t.match(await options('5'), /left 4$/)
  t.match(await options('1'), /left 0$/)
  t.equal(seen.requests, 2)
  t.match(await options('0'), /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 0\r\n/)
  t.equal(records.last.responseCodeDetails, 'max_forwards_reached')
  t.equal(seen.requests, 2)
  t.match(await options('x'), / 400 /)
  t.match(await exchangeBytes(port, get('/', 'Max-Forwards: 0\r\nConnection: close\r\n')), /left 0$/)
})
