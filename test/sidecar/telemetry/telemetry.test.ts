import t from 'tap'
import { Exchange } from '../../../src/sidecar/exchange.ts'
import { Telemetry } from '../../../src/sidecar/telemetry/telemetry.ts'
import { UNKNOWN_WORKLOAD } from '../../../src/sidecar/workload.ts'
import type { Workload } from '../../../src/sidecar/workload.ts'

function workload(name: string, version: string): Workload {
  return Object.freeze({
    workload: `${name}-${version}`,
    namespace: 'default',
    app: name,
    version,
    canonicalService: name,
    canonicalRevision: version,
    cluster: 'Kubernetes',
  })
}

const FRONTEND = workload('frontend', 'v1')
const CHECKOUT = workload('checkout', 'v2')
const FRONTEND_ID = 'spiffe://cluster.local/ns/default/sa/frontend'
const CHECKOUT_ID = 'spiffe://cluster.local/ns/default/sa/checkout'
const HOST = 'checkout-service.default.svc.cluster.local'

function exchange(fields: Partial<Exchange>): Exchange {
  return Object.assign(new Exchange(), { source: FRONTEND, destination: CHECKOUT, destinationService: HOST }, fields)
}

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Parses the text format; a line that does not parse fails the test. */
function parse(text: string): Sample[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => {
    const found = /^([a-z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found === null) throw new Error(`not the text format: ${line}`)
    const pairs = [...(found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    return {
      name: found[1] ?? '',
      labels: Object.fromEntries(pairs.map((p) => [p[1], p[2]])),
      value: Number(found[3]),
    }
  })
}

/** Samples whose names begin with `prefix`. */
async function scrape(telemetry: Telemetry, prefix: string): Promise<Sample[]> {
  return parse(await telemetry.prometheus()).filter((sample) => sample.name.startsWith(prefix))
}

const serving = (): Telemetry => new Telemetry({ accessLog: null, self: CHECKOUT, principal: CHECKOUT_ID })
const calling = (): Telemetry => new Telemetry({ accessLog: null, self: FRONTEND, principal: FRONTEND_ID })

const labelRows: [string, () => Telemetry, Partial<Exchange>, Record<string, string>][] = [
  [
    'the callee names both principals and the mutual TLS it saw',
    serving,
    { inbound: true, mutualTls: true, downstreamPrincipal: FRONTEND_ID, responseCode: 200 },
    {
      reporter: 'destination',
      source_workload: 'frontend-v1',
      source_workload_namespace: 'default',
      source_principal: FRONTEND_ID,
      source_app: 'frontend',
      source_version: 'v1',
      source_cluster: 'Kubernetes',
      source_canonical_service: 'frontend',
      source_canonical_revision: 'v1',
      destination_workload: 'checkout-v2',
      destination_principal: CHECKOUT_ID,
      destination_version: 'v2',
      destination_service: HOST,
      destination_service_name: 'checkout-service',
      destination_service_namespace: 'default',
      request_protocol: 'http',
      response_code: '200',
      response_flags: '-',
      grpc_response_status: '',
      connection_security_policy: 'mutual_tls',
    },
  ],
  [
    'a plaintext caller is unknown and its connection is none',
    serving,
    { inbound: true, source: UNKNOWN_WORKLOAD, responseCode: 200 },
    {
      source_workload: 'unknown',
      source_principal: 'unknown',
      destination_principal: 'unknown',
      connection_security_policy: 'none',
    },
  ],
  [
    'the caller leaves the security policy unknown',
    calling,
    { mutualTls: true, upstreamPrincipal: CHECKOUT_ID, responseCode: 503, responseFlags: 'UF,URX' },
    {
      reporter: 'source',
      source_principal: FRONTEND_ID,
      destination_principal: CHECKOUT_ID,
      response_code: '503',
      response_flags: 'UF,URX',
      connection_security_policy: 'unknown',
    },
  ],
  [
    'a destination outside the mesh is named by its cluster, not by its host',
    calling,
    { destination: UNKNOWN_WORKLOAD, destinationService: '', clusterName: 'PassthroughCluster', responseCode: 200 },
    { destination_service: 'unknown', destination_service_name: 'PassthroughCluster' },
  ],
  [
    'a request without a route has a code, a flag and no destination',
    calling,
    { destination: UNKNOWN_WORKLOAD, destinationService: '', responseCode: 404, responseFlags: 'NR' },
    { destination_service_name: 'unknown', response_code: '404', response_flags: 'NR' },
  ],
  [
    'a service of a foreign host keeps its full name',
    calling,
    { destinationService: 'api.example.com', responseCode: 200 },
    { destination_service: 'api.example.com', destination_service_name: 'api.example.com' },
  ],
]

for (const [sentence, make, fields, expected] of labelRows) {
  t.test(sentence, async (t) => {
    const telemetry = make()
    telemetry.onEnd(exchange(fields))
    const [sample] = await scrape(telemetry, 'istio_requests_total')
    t.equal(sample?.value, 1)
    t.match(sample?.labels, expected)
  })
}

t.test('equal labels share a series, whatever object brings them', async (t) => {
  const telemetry = serving()
  for (const source of [FRONTEND, workload('frontend', 'v1'), workload('frontend', 'v1')]) {
    telemetry.onEnd(exchange({ inbound: true, source, responseCode: 200 }))
    telemetry.onEnd(exchange({ inbound: true, source, responseCode: 500 }))
  }
  const samples = await scrape(telemetry, 'istio_requests_total')
  t.same(
    samples.map((s) => [s.labels['response_code'], s.value]),
    [
      ['200', 3],
      ['500', 3],
    ],
  )
})

t.test('a histogram has cumulative buckets, a sum and a count', async (t) => {
  const telemetry = serving()
  for (const durationMs of [0.2, 1, 1.5, 7, 4_000_000]) {
    telemetry.onEnd(exchange({ inbound: true, responseCode: 200, durationMs, bytesReceived: 10, bytesSent: 1024 }))
  }
  const samples = await scrape(telemetry, 'istio_')
  const of = (suffix: string): Sample[] =>
    samples.filter((s) => s.name === `istio_request_duration_milliseconds_${suffix}`)
  const byBound = Object.fromEntries(of('bucket').map((s) => [s.labels['le'], s.value]))
  t.match(byBound, { '0.5': 1, '1': 2, '5': 3, '10': 4, '3600000': 4, '+Inf': 5 })
  t.equal(Object.keys(byBound).length, 20)
  t.equal(of('count')[0]?.value, 5)
  t.equal(of('sum')[0]?.value, 4_000_009.7)
  t.equal(samples.find((s) => s.name === 'istio_response_bytes_sum')?.value, 5 * 1024)
  t.equal(samples.find((s) => s.name === 'istio_request_bytes_sum')?.value, 50)
})

t.test('TCP connections count opened, closed and bytes, without codes', async (t) => {
  const telemetry = serving()
  const x = exchange({ inbound: true, protocol: 'tcp', mutualTls: true })
  telemetry.onTcpOpen(x)
  telemetry.onTcpOpen(x)
  telemetry.onEnd(Object.assign(x, { bytesReceived: 3, bytesSent: 5 }))
  const samples = await scrape(telemetry, 'istio_tcp_')
  t.same(Object.fromEntries(samples.map((s) => [s.name, s.value])), {
    istio_tcp_connections_opened_total: 2,
    istio_tcp_connections_closed_total: 1,
    istio_tcp_sent_bytes_total: 5,
    istio_tcp_received_bytes_total: 3,
  })
  t.notOk(samples[0]?.labels['response_code'], 'no response_code')
  t.match(samples[0]?.labels, { request_protocol: 'tcp', connection_security_policy: 'mutual_tls' })
})

t.test('labels with quotes and line ends stay one line', async (t) => {
  const telemetry = serving()
  const source = { ...FRONTEND, workload: 'a"b\\c\nd{}' }
  telemetry.onEnd(exchange({ inbound: true, source, responseCode: 200 }))
  const [sample] = await scrape(telemetry, 'istio_requests_total')
  t.equal(sample?.labels['source_workload'], 'a\\"b\\\\c\\nd{}')
})

t.test('endless new workloads are counted, not kept', async (t) => {
  const telemetry = serving()
  for (let i = 0; i < 5000; i++) {
    const source = { ...FRONTEND, workload: `made-up-${i}` }
    telemetry.onEnd(exchange({ inbound: true, source, responseCode: 200 }))
  }
  t.equal((await scrape(telemetry, 'istio_requests_total')).length, 4096)
  const [overflow] = await scrape(telemetry, 'pocketmesh_series_overflow_total')
  t.equal(overflow?.value, 904)
})

t.test('the process has its own gauges', async (t) => {
  const names = (await scrape(serving(), 'process_')).map((s) => s.name)
  t.same(names, ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds'])
})
