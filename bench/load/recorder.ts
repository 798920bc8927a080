/** Latencies of one job in a histogram of three digits, from 1 us to a minute. */
import { build } from 'hdr-histogram-js'
import type { Histogram } from 'hdr-histogram-js'
import type { LatencyReport } from './job.ts'

const MAX_US = 60_000_000
const CURVE = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100]

export class Recorder {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  })

  // hot
  record(ms: number): void {
    const us = ms * 1000
    this.#histogram.recordValue(us < 1 ? 1 : us > MAX_US ? MAX_US : Math.round(us))
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  report(): LatencyReport {
    const at = (percent: number): number =>
      this.count === 0 ? NaN : this.#histogram.getValueAtPercentile(percent) / 1000
    return {
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: at(100),
      curve: CURVE.map((percent) => [percent, at(percent)] as const),
    }
  }
}
