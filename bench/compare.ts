/**
 * This run against an older one: what differs beyond the noise. Where both have the best peer in the same cell, the
 * ratios to it are compared, because the machine was another one or was busy in another way; else the figures. Pure.
 */
import { HAPROXY_H2, HAPROXY_HOP } from './names.ts'
import { digits, idOf } from './stats/results.ts'
import type { Measurement } from './stats/results.ts'
import type { Interval } from './stats/summary.ts'
import { median, pairwise, ratioInterval } from './stats/summary.ts'
import type { Line } from './stats/table.ts'

export interface Difference {
  measurement: Measurement
  /** New to old: 1.1 is 10 % more. */
  change: number
  interval: Interval
  /** What was compared is a ratio to this subject. */
  relativeTo: string | undefined
  verdict: 'better' | 'worse'
}

/** Fewer repetitions have no interval worth the name. */
const MIN_SAMPLES = 3
/** Smaller changes are not told, however certain. */
const MIN_CHANGE = 0.03
const ANCHORS = [HAPROXY_H2, HAPROXY_HOP]

export function compare(now: readonly Measurement[], before: readonly Measurement[]): Difference[] {
  const old = new Map(before.map((measurement) => [idOf(measurement), measurement]))
  const current = new Map(now.map((measurement) => [idOf(measurement), measurement]))
  const found: Difference[] = []
  for (const measurement of now) {
    const older = old.get(idOf(measurement))
    if (older === undefined || ANCHORS.includes(measurement.subject)) continue
    const pair = relative(measurement, older, current, old)
    if (Math.min(pair.after.length, pair.before.length) < MIN_SAMPLES) continue
    const interval = ratioInterval(pair.after, pair.before)
    const change = median(pair.after) / median(pair.before)
    if (!isBeyondNoise(change, interval)) continue
    const isMore = change > 1
    const verdict = isMore === (measurement.better === 'higher') ? 'better' : 'worse'
    found.push({ measurement, change, interval, relativeTo: pair.anchor, verdict })
  }
  return found
}

function isBeyondNoise(change: number, { low, high }: Interval): boolean {
  return Math.abs(change - 1) >= MIN_CHANGE && (low > 1 || high < 1)
}

interface Pair {
  after: readonly number[]
  before: readonly number[]
  anchor: string | undefined
}

function relative(
  now: Measurement,
  older: Measurement,
  current: ReadonlyMap<string, Measurement>,
  old: ReadonlyMap<string, Measurement>,
): Pair {
  for (const anchor of ANCHORS) {
    const [our, their] = [current, old].map((all) => all.get(idOf({ ...now, subject: anchor }))?.samples)
    if (our === undefined || their === undefined) continue
    const ratio = (a: number, b: number): number => a / b
    return { after: pairwise(now.samples, our, ratio), before: pairwise(older.samples, their, ratio), anchor }
  }
  return { after: now.samples, before: older.samples, anchor: undefined }
}

export function shownDifference({ measurement, change, interval, relativeTo, verdict }: Difference): Line {
  const { row, subject, cell, metric } = measurement
  const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${digits((ratio - 1) * 100)} %`
  return {
    row,
    subject,
    cell,
    metric: relativeTo === undefined ? metric : `${metric} to ${relativeTo}`,
    change: percent(change),
    '95 %': `${percent(interval.low)} to ${percent(interval.high)}`,
    '': verdict,
  }
}
