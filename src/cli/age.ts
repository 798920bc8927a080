/** Times for people: `12s`, `3m5s`, `4h`, `2d`. Pure. */
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A length of time, in one or two units, as kubectl shorten it. */
export function duration(ms: number): string {
  const t = Math.max(0, ms)
  if (t < 2 * MINUTE_MS) return `${Math.floor(t / SECOND_MS)}s`
  if (t < 10 * MINUTE_MS) return pair(t, MINUTE_MS, 'm', SECOND_MS, 's')
  if (t < 3 * HOUR_MS) return `${Math.floor(t / MINUTE_MS)}m`
  if (t < 8 * HOUR_MS) return pair(t, HOUR_MS, 'h', MINUTE_MS, 'm')
  if (t < 2 * DAY_MS) return `${Math.floor(t / HOUR_MS)}h`
  if (t < 8 * DAY_MS) return pair(t, DAY_MS, 'd', HOUR_MS, 'h')
  return `${Math.floor(t / DAY_MS)}d`
}

function pair(t: number, bigMs: number, big: string, smallMs: number, small: string): string {
  const rest = Math.floor((t % bigMs) / smallMs)
  return `${Math.floor(t / bigMs)}${big}${rest === 0 ? '' : `${rest}${small}`}`
}

/** Since `iso`: `12s`; `-` where there is no time. */
export function age(iso: string | undefined, nowEpochMs: number): string {
  const at = iso === undefined ? Number.NaN : Date.parse(iso)
  return Number.isNaN(at) ? '-' : duration(nowEpochMs - at)
}

/** `12s ago`, `-` where there is no time. */
export function ago(iso: string | undefined, nowEpochMs: number): string {
  const text = age(iso, nowEpochMs)
  return text === '-' ? text : `${text} ago`
}

/** `41m left`, `expired 3s ago`. */
export function left(iso: string, nowEpochMs: number): string {
  const ms = Date.parse(iso) - nowEpochMs
  return ms >= 0 ? `${duration(ms)} left` : `expired ${duration(-ms)} ago`
}

/** Milliseconds as `4.2 ms` or `1.9 s`. */
export function milliseconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 100 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`
}
