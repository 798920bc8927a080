/**
 * Every single figure of a run, by row, subject, cell and metric, in the order of the repetitions. In: figures as they
 * are measured. Out: summaries for tables, ratios by repetition, and the list that goes into the JSON file.
 */
import { median, pairwise } from './summary.ts'

/** Which direction is good; `compare` says "better" and "worse" by it. */
const METRICS = {
  cpuUs: { unit: 'us CPU/request', better: 'lower' },
  cpuUsPerMb: { unit: 'us CPU/MB', better: 'lower' },
  requestsPerSecond: { unit: '1/s', better: 'higher' },
  p50Ms: { unit: 'ms', better: 'lower' },
  p90Ms: { unit: 'ms', better: 'lower' },
  p99Ms: { unit: 'ms', better: 'lower' },
  p999Ms: { unit: 'ms', better: 'lower' },
  maxMs: { unit: 'ms', better: 'lower' },
  startMs: { unit: 'ms', better: 'lower' },
  rssMiB: { unit: 'MiB', better: 'lower' },
  pssMiB: { unit: 'MiB', better: 'lower' },
  privateMiB: { unit: 'MiB', better: 'lower' },
} as const

export type Metric = keyof typeof METRICS

export interface Key {
  row: string
  subject: string
  cell: string
  metric: Metric
}

export interface Measurement extends Key {
  unit: string
  better: 'lower' | 'higher'
  samples: number[]
}

export class Results {
  readonly #measurements = new Map<string, Measurement>()

  add(key: Key, value: number): void {
    const id = idOf(key)
    const known = this.#measurements.get(id)
    if (known === undefined) this.#measurements.set(id, { ...key, ...METRICS[key.metric], samples: [value] })
    else known.samples.push(value)
  }

  samples(key: Key): readonly number[] {
    return this.#measurements.get(idOf(key))?.samples ?? []
  }

  median(key: Key): number {
    return median(this.samples(key))
  }

  /** The ratio within each repetition, whose runs met the same other work, and of those the median. */
  ratio(key: Key, anchor: string): number {
    return median(this.ratios(key, anchor))
  }

  ratios(key: Key, anchor: string): number[] {
    return pairwise(this.samples(key), this.samples({ ...key, subject: anchor }), (a, b) => a / b)
  }

  /** `12.3 (11.0 to 14.1)`: median, lowest, highest. */
  shown(key: Key): string {
    const samples = this.samples(key)
    if (samples.length === 0) return '-'
    const text = digits(median(samples))
    return samples.length === 1 ? text : `${text} (${digits(Math.min(...samples))}-${digits(Math.max(...samples))})`
  }

  get all(): Measurement[] {
    return [...this.#measurements.values()]
  }
}

export function idOf({ row, subject, cell, metric }: Key): string {
  return [row, subject, cell, metric].join('|')
}

export function digits(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
