/** Durations of xDS as milliseconds. Leaf. */
import type { google } from '../../xds/generated/xds.js'

/** Whole milliseconds of a Duration; `fallback` where absent. */
export function durationMs(duration: google.protobuf.Duration | null | undefined, fallback: number): number {
  if (duration === null || duration === undefined) return fallback
  return (duration.seconds ?? 0) * 1000 + Math.round((duration.nanos ?? 0) / 1e6)
}
