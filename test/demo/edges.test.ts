import t from 'tap'
import { edgesBetween, readingOf } from '../../src/demo/edges.ts'
import { parsePrometheus } from '../../src/demo/prometheus.ts'
import { askedSplit, countByVersion, splitRows } from '../../src/demo/split.ts'
import type { Reading } from '../../src/demo/edges.ts'

const OUT =
  'reporter="source",source_workload="frontend",destination_workload="checkout-v1",destination_version="v1",destination_service_name="checkout-service"'
const IN = 'reporter="destination",source_workload="frontend",destination_workload="checkout-v1"'

function reading(atMs: number, lines: string[]): Reading {
  return readingOf(parsePrometheus(lines.join('\n'), 'istio_'), atMs)
}

t.test('an edge has the growth of the counters between two readings', async (t) => {
  const before = reading(0, [`istio_requests_total{${OUT},response_code="200"} 100`])
  const after = reading(2000, [
    '# HELP istio_requests_total Requests handled',
    `istio_requests_total{${OUT},response_code="200"} 138`,
    `istio_requests_total{${OUT},response_code="503"} 2`,
    `istio_request_duration_milliseconds_bucket{${OUT},le="5"} 20`,
    `istio_request_duration_milliseconds_bucket{${OUT},le="10"} 40`,
    `istio_request_duration_milliseconds_bucket{${OUT},le="+Inf"} 40`,
    `istio_requests_total{${IN},connection_security_policy="mutual_tls"} 30`,
    `istio_requests_total{${IN},connection_security_policy="none"} 10`,
  ])
  t.same(edgesBetween(before, after), [
    {
      source: 'frontend',
      destination: 'checkout-v1',
      requestsPerSecond: 20,
      errorShare: 0.05,
      p50Ms: 5,
      p99Ms: 9.9,
      mtlsShare: 0.75,
    },
  ])
})

t.test('a caller without a sidecar is known by its receiver alone', async (t) => {
  const line =
    'reporter="destination",source_workload="unknown",destination_workload="checkout-v1",connection_security_policy="none"'
  const [edge] = edgesBetween(reading(0, []), reading(1000, [`istio_requests_total{${line},response_code="200"} 3`]))
  t.match(edge, { source: '(outside)', requestsPerSecond: 3, mtlsShare: 0, p50Ms: undefined })
})

t.test('a restarted sidecar, whose counters began anew, never counts backwards', async (t) => {
  const before = reading(0, [`istio_requests_total{${OUT}} 1000`])
  t.equal(countByVersion(before, reading(1000, [`istio_requests_total{${OUT}} 7`]), 'checkout-service').get('v1'), 7)
})

t.test('labels are read with their escapes', async (t) => {
  const [sample] = parsePrometheus('istio_x{a="q\\"b\\\\n\\nl",b=""} 1.5', 'istio_')
  t.same(sample, { name: 'istio_x', labels: { a: 'q"b\\n\nl', b: '' }, value: 1.5 })
})

const object = (spec: object): Parameters<typeof askedSplit>[0][number] => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'x', namespace: 'default', labels: {}, annotations: {} },
  spec,
  revision: 1,
  createdAt: '2026-01-01T00:00:00Z',
})

t.test('the split asked is read from the VirtualService of that host', async (t) => {
  const other = object({ hosts: ['payment-service'], http: [{ route: [] }] })
  const route = ['v1', 'v2'].map((subset, i) => ({ destination: { host: 'x', subset }, weight: [75, 25][i] }))
  const asked = askedSplit(
    [other, object({ hosts: ['checkout-service.default.svc.cluster.local'], http: [{ route }] })],
    'checkout-service',
  )
  t.same(
    [...(asked ?? [])],
    [
      ['v1', 0.75],
      ['v2', 0.25],
    ],
  )
  t.equal(askedSplit([other], 'checkout-service'), undefined)
})

t.test('rows say whether chance explains the counts', async (t) => {
  const asked = new Map([
    ['v1', 0.9],
    ['v2', 0.1],
  ])
  const inside = splitRows(
    asked,
    new Map([
      ['v1', 899],
      ['v2', 101],
    ]),
  )
  const outside = splitRows(
    asked,
    new Map([
      ['v1', 800],
      ['v2', 200],
    ]),
  )
  t.same(
    inside.map((row) => row.inBand),
    [true, true],
  )
  t.same(
    outside.map((row) => row.inBand),
    [false, false],
  )
})
