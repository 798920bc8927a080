/**
 * Counters of requests and connections. In: exchanges at their end. Out: rows of numbers in typed arrays, one row
 * (slot) per combination of labels. Owns the slots; labels.ts names them, exposition.ts prints them.
 *
 *   exchange -> last series hit -> series of this pair of workloads, newest first -> new labels -> slot
 *
 * A request that meets a known combination makes no string and no object. Workloads are compared by identity
 * (one frozen object each, workload.ts); should a workload come again as another object, its labels lead to the
 * old slot.
 */
import type { Exchange } from '../exchange.ts'
import type { Workload } from '../workload.ts'
import type { Labels } from './labels.ts'
import { httpLabels, tcpLabels } from './labels.ts'

/** Envoy's buckets as Istio leaves them; the same for milliseconds and bytes. */
export const BUCKET_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
]
/** One bucket for each bound and one for more; then the sum. */
const HISTOGRAM_CELLS = BUCKET_BOUNDS.length + 2
export const SUM_CELL = BUCKET_BOUNDS.length + 1

/** Cells of an HTTP row. */
export const REQUESTS = 0
export const DURATION = 1
export const REQUEST_BYTES = DURATION + HISTOGRAM_CELLS
export const RESPONSE_BYTES = REQUEST_BYTES + HISTOGRAM_CELLS
const HTTP_CELLS = RESPONSE_BYTES + HISTOGRAM_CELLS

/** Cells of a TCP row. */
export const OPENED = 0
export const CLOSED = 1
export const SENT_BYTES = 2
export const RECEIVED_BYTES = 3
const TCP_CELLS = 4

/** A peer that makes up a new workload with each request must not fill the memory: later ones are counted only. */
const MAX_SERIES = 4096
/** Pairs of workload objects remembered; at the limit the cache starts anew, the slots stay. */
const MAX_PAIRS = 2048

/** What tells one series from another, for the comparison without strings. */
interface Series {
  readonly source: Workload
  readonly destination: Workload
  readonly inbound: boolean
  readonly mutualTls: boolean
  readonly responseCode: number
  readonly protocol: string
  readonly responseFlags: string
  readonly grpcStatus: string
  readonly destinationService: string
  readonly clusterName: string
  readonly downstreamPrincipal: string
  readonly upstreamPrincipal: string
  /** -1: over MAX_SERIES. */
  readonly slot: number
}

/** A growing table of number rows with the labels of each. */
export class SlotTable {
  readonly #cells: number
  readonly #slotByKey = new Map<string, number>()
  /** Labels by slot. */
  readonly labels: Labels[] = []
  values: Float64Array

  constructor(cells: number) {
    this.#cells = cells
    this.values = new Float64Array(cells * 16)
  }

  /** First index of a slot's row in `values`. */
  row(slot: number): number {
    return slot * this.#cells
  }

  /** The slot of these labels, made if new; -1 when the table is full. */
  resolve(labels: Labels): number {
    const key = JSON.stringify(labels)
    const known = this.#slotByKey.get(key)
    if (known !== undefined) return known
    const slot = this.labels.length
    if (slot >= MAX_SERIES) return -1
    this.#slotByKey.set(key, slot)
    this.labels.push(Object.freeze(labels))
    if (this.row(slot + 1) > this.values.length) {
      const grown = new Float64Array(this.values.length * 2)
      grown.set(this.values)
      this.values = grown
    }
    return slot
  }
}

export class Counters {
  readonly http = new SlotTable(HTTP_CELLS)
  readonly tcp = new SlotTable(TCP_CELLS)
  /** Records that found no free series. */
  overflow = 0
  readonly #principal: string
  readonly #httpSeries: SeriesCache
  readonly #tcpSeries: SeriesCache

  /** `principal`: the SPIFFE ID of this sidecar. */
  constructor(principal: string) {
    this.#principal = principal
    this.#httpSeries = new SeriesCache((x) => this.http.resolve(httpLabels(x, this.#principal)))
    this.#tcpSeries = new SeriesCache((x) => this.tcp.resolve(tcpLabels(x, this.#principal)))
  }

  /** hot: no strings, no objects. */
  addRequest(x: Exchange): void {
    const slot = this.#httpSeries.slotOf(x)
    if (slot < 0) {
      this.overflow++
      return
    }
    const { values } = this.http
    const row = this.http.row(slot)
    values[row + REQUESTS]!++
    observe(values, row + DURATION, x.durationMs)
    observe(values, row + REQUEST_BYTES, x.bytesReceived)
    observe(values, row + RESPONSE_BYTES, x.bytesSent)
  }

  addTcpOpened(x: Exchange): void {
    this.#addTcp(x, false)
  }

  addTcpClosed(x: Exchange): void {
    this.#addTcp(x, true)
  }

  #addTcp(x: Exchange, closed: boolean): void {
    const slot = this.#tcpSeries.slotOf(x)
    if (slot < 0) {
      this.overflow++
      return
    }
    const { values } = this.tcp
    const row = this.tcp.row(slot)
    if (!closed) {
      values[row + OPENED]!++
      return
    }
    values[row + CLOSED]!++
    values[row + SENT_BYTES]! += x.bytesSent
    values[row + RECEIVED_BYTES]! += x.bytesReceived
  }
}

function observe(values: Float64Array, at: number, value: number): void {
  let bucket = 0
  while (bucket < BUCKET_BOUNDS.length && value > BUCKET_BOUNDS[bucket]!) bucket++
  values[at + bucket]!++
  values[at + SUM_CELL]! += value
}

/** From an exchange to its slot, by comparing what the exchange holds already. */
class SeriesCache {
  readonly #resolve: (x: Exchange) => number
  #bySource = new Map<Workload, Map<Workload, Series[]>>()
  #pairs = 0
  #last: Series | undefined

  constructor(resolve: (x: Exchange) => number) {
    this.#resolve = resolve
  }

  slotOf(x: Exchange): number {
    const last = this.#last
    if (last !== undefined && last.source === x.source && last.destination === x.destination && matches(last, x)) {
      return last.slot
    }
    const list = this.#pair(x.source, x.destination)
    for (let i = 0; i < list.length; i++) {
      const series = list[i]!
      if (matches(series, x)) return (this.#last = series).slot
    }
    return this.#add(list, x)
  }

  #pair(source: Workload, destination: Workload): Series[] {
    const known = this.#bySource.get(source)?.get(destination)
    if (known !== undefined) return known
    if (++this.#pairs > MAX_PAIRS) {
      this.#bySource = new Map()
      this.#pairs = 1
    }
    let byDestination = this.#bySource.get(source)
    if (byDestination === undefined) this.#bySource.set(source, (byDestination = new Map()))
    const list: Series[] = []
    byDestination.set(destination, list)
    return list
  }

  #add(list: Series[], x: Exchange): number {
    const slot = this.#resolve(x)
    const series: Series = {
      source: x.source,
      destination: x.destination,
      inbound: x.inbound,
      mutualTls: x.mutualTls,
      responseCode: x.responseCode,
      protocol: x.protocol,
      responseFlags: x.responseFlags,
      grpcStatus: x.grpcStatus,
      destinationService: x.destinationService,
      clusterName: x.clusterName,
      downstreamPrincipal: x.downstreamPrincipal,
      upstreamPrincipal: x.upstreamPrincipal,
      slot,
    }
    if (slot >= 0) {
      list.unshift(series)
      this.#last = series
    }
    return slot
  }
}

/** hot: numbers first, then strings that are nearly always the same objects. */
function matches(s: Series, x: Exchange): boolean {
  return (
    s.responseCode === x.responseCode &&
    s.inbound === x.inbound &&
    s.mutualTls === x.mutualTls &&
    s.responseFlags === x.responseFlags &&
    s.grpcStatus === x.grpcStatus &&
    s.protocol === x.protocol &&
    s.destinationService === x.destinationService &&
    s.clusterName === x.clusterName &&
    s.upstreamPrincipal === x.upstreamPrincipal &&
    s.downstreamPrincipal === x.downstreamPrincipal
  )
}
