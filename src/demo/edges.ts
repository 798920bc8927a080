/**
 * Who calls whom, from the sidecars' counters. In: two readings of all sidecars. Out: an edge for each pair of
 * workloads with traffic between them. Rates and times are the caller's view (reporter=source); the lock is what
 * the receiving sidecar saw on the wire (reporter=destination), never what a policy asks for.
 */
import type { Sample } from './prometheus.ts'

/** Counters of all sidecars at one moment. */
export interface Reading {
  atMs: number
  /** Series to value; the key is the series, printed. */
  values: ReadonlyMap<string, Sample>
}

export interface Edge {
  source: string
  destination: string
  requestsPerSecond: number
  errorShare: number
  /** Linear inside Istio's buckets; undefined without requests. */
  p50Ms: number | undefined
  p99Ms: number | undefined
  /** Share of the requests that came by mutual TLS; undefined where the receiver has no sidecar. */
  mtlsShare: number | undefined
}

interface Tally {
  source: string
  destination: string
  requests: number
  errors: number
  bucketCounts: Map<number, number>
  received: number
  receivedByMtls: number
}

const OUTSIDE = '(outside)'

export function readingOf(samples: readonly Sample[], atMs: number): Reading {
  return { atMs, values: new Map(samples.map((sample) => [seriesKey(sample), sample])) }
}

/** Growth of each series; one that is new, or lower because its sidecar started anew, counts from 0. */
export function growth(before: Reading, after: Reading): Sample[] {
  const grown: Sample[] = []
  for (const [key, sample] of after.values) {
    const old = before.values.get(key)?.value ?? 0
    const value = sample.value < old ? sample.value : sample.value - old
    if (value > 0) grown.push({ ...sample, value })
  }
  return grown
}

export function edgesBetween(before: Reading, after: Reading): Edge[] {
  const tallies = new Map<string, Tally>()
  for (const sample of growth(before, after)) add(tallyOf(tallies, sample), sample)
  const seconds = Math.max((after.atMs - before.atMs) / 1000, 0.001)
  return [...tallies.values()].map((tally) => edgeOf(tally, seconds)).toSorted(byNames)
}

/** A failed request, to a caller: no answer at all (0), or an error of the server's side. */
export function isFailure(sample: Sample): boolean {
  const code = Number(sample.labels['response_code'])
  return code === 0 || code >= 500
}

function tallyOf(tallies: Map<string, Tally>, { labels }: Sample): Tally {
  const source = labels['source_workload'] === 'unknown' ? OUTSIDE : (labels['source_workload'] ?? OUTSIDE)
  const workload = labels['destination_workload'] ?? 'unknown'
  const destination = workload === 'unknown' ? (labels['destination_service_name'] ?? workload) : workload
  const key = `${source} ${destination}`
  const known = tallies.get(key)
  if (known !== undefined) return known
  const fresh = { source, destination, requests: 0, errors: 0, bucketCounts: new Map(), received: 0, receivedByMtls: 0 }
  tallies.set(key, fresh)
  return fresh
}

function add(tally: Tally, sample: Sample): void {
  const { labels, name, value } = sample
  if (labels['reporter'] === 'source') {
    if (name === 'istio_requests_total') {
      tally.requests += value
      if (isFailure(sample)) tally.errors += value
    } else if (name === 'istio_request_duration_milliseconds_bucket') {
      const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
      tally.bucketCounts.set(bound, (tally.bucketCounts.get(bound) ?? 0) + value)
    }
  } else if (name === 'istio_requests_total') {
    tally.received += value
    if (labels['connection_security_policy'] === 'mutual_tls') tally.receivedByMtls += value
  }
}

function edgeOf(tally: Tally, seconds: number): Edge {
  const { source, destination, received } = tally
  // a caller without a sidecar is known by its receiver only
  const requests = source === OUTSIDE ? received : tally.requests
  return {
    source,
    destination,
    requestsPerSecond: requests / seconds,
    errorShare: requests === 0 ? 0 : tally.errors / requests,
    p50Ms: quantileMs(tally.bucketCounts, 0.5),
    p99Ms: quantileMs(tally.bucketCounts, 0.99),
    mtlsShare: received === 0 ? undefined : tally.receivedByMtls / received,
  }
}

/** As Prometheus' histogram_quantile: linear inside the bucket that the rank falls into. */
function quantileMs(cumulative: ReadonlyMap<number, number>, q: number): number | undefined {
  const buckets = [...cumulative].toSorted(([a], [b]) => a - b)
  const total = buckets.at(-1)?.[1] ?? 0
  if (total === 0) return undefined
  const rank = q * total
  let lowBound = 0
  let below = 0
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Infinity) return lowBound
      return lowBound + ((bound - lowBound) * (rank - below)) / Math.max(count - below, 1)
    }
    lowBound = bound
    below = count
  }
  return lowBound
}

function byNames(a: Edge, b: Edge): number {
  return a.source.localeCompare(b.source) || a.destination.localeCompare(b.destination)
}

function seriesKey({ name, labels }: Sample): string {
  return `${name} ${JSON.stringify(labels)}`
}
