/**
 * Prometheus text of the slots, by prom-client. In: Counters and a few process figures. Out: text format 0.0.4.
 * Loaded at the first scrape only: a sidecar that nobody scrapes does without the library's memory.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Labels } from './labels.ts'
import type { Counters, SlotTable } from './counters.ts'
import * as cell from './counters.ts'

/** prom-client prints `sharedLabels` from a cache by object, so the many buckets of a series cost little. */
interface Value {
  value: number
  labels: Record<string, string>
  sharedLabels: Labels
  metricName?: string
}

class SlotCounter extends Counter {
  readonly #table: SlotTable
  readonly #cell: number
  constructor(registry: Registry, table: SlotTable, at: number, name: string, help: string) {
    super({ name, help, registers: [registry] })
    this.#table = table
    this.#cell = at
  }

  override async get(): ReturnType<Counter['get']> {
    const { labels, values } = this.#table
    const rows = labels.map((sharedLabels, slot): Value => {
      return { value: values[this.#table.row(slot) + this.#cell] ?? 0, labels: {}, sharedLabels }
    })
    return { ...(await super.get()), values: rows }
  }
}

class SlotHistogram extends Histogram {
  readonly #name: string
  readonly #help: string
  readonly #table: SlotTable
  readonly #cell: number
  constructor(registry: Registry, table: SlotTable, at: number, name: string, help: string) {
    super({ name, help, registers: [registry], buckets: [...cell.BUCKET_BOUNDS] })
    this.#name = name
    this.#help = help
    this.#table = table
    this.#cell = at
  }

  /** What prom-client prints of a histogram; its own version prints what observe() collected. */
  async getForPromString(): Promise<{ name: string; help: string; type: string; values: Value[] }> {
    const values: Value[] = []
    this.#table.labels.forEach((labels, slot) => this.#addRows(values, labels, this.#table.row(slot) + this.#cell))
    return { name: this.#name, help: this.#help, type: 'histogram', values }
  }

  #addRows(rows: Value[], sharedLabels: Labels, at: number): void {
    const { values } = this.#table
    const bounds = [...cell.BUCKET_BOUNDS.map(String), '+Inf']
    let total = 0
    bounds.forEach((le, bucket) => {
      total += values[at + bucket] ?? 0
      rows.push({ value: total, labels: { le }, sharedLabels, metricName: `${this.#name}_bucket` })
    })
    const sum = values[at + cell.SUM_CELL] ?? 0
    rows.push({ value: sum, labels: {}, sharedLabels, metricName: `${this.#name}_sum` })
    rows.push({ value: total, labels: {}, sharedLabels, metricName: `${this.#name}_count` })
  }
}

export interface ExpositionSource {
  counters: Counters
  /** Access lines lost so far. */
  droppedLines: () => number
}

/** All of a sidecar's metrics; values are read when printed. */
export class Exposition {
  readonly #registry = new Registry()

  constructor({ counters, droppedLines }: ExpositionSource) {
    const { http, tcp } = counters
    const r = this.#registry
    new SlotCounter(r, http, cell.REQUESTS, 'istio_requests_total', 'Requests handled')
    new SlotHistogram(r, http, cell.DURATION, 'istio_request_duration_milliseconds', 'Duration of requests')
    new SlotHistogram(r, http, cell.REQUEST_BYTES, 'istio_request_bytes', 'Size of request bodies')
    new SlotHistogram(r, http, cell.RESPONSE_BYTES, 'istio_response_bytes', 'Size of response bodies')
    new SlotCounter(r, tcp, cell.OPENED, 'istio_tcp_connections_opened_total', 'TCP connections opened')
    new SlotCounter(r, tcp, cell.CLOSED, 'istio_tcp_connections_closed_total', 'TCP connections closed')
    new SlotCounter(r, tcp, cell.SENT_BYTES, 'istio_tcp_sent_bytes_total', 'Bytes sent in response on TCP connections')
    new SlotCounter(r, tcp, cell.RECEIVED_BYTES, 'istio_tcp_received_bytes_total', 'Bytes received on TCP connections')
    counted(r, 'pocketmesh_access_log_dropped_total', 'Access lines dropped, not to wait for a disk', droppedLines)
    counted(r, 'pocketmesh_series_overflow_total', 'Records beyond the limit of series', () => counters.overflow)
    counted(r, 'process_cpu_seconds_total', 'CPU time, user and system', cpuSeconds)
    gauged(r, 'process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss())
    gauged(r, 'process_start_time_seconds', 'Start, seconds since the epoch', () => performance.timeOrigin / 1000)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function counted(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}

function gauged(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}
