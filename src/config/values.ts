/**
 * Scalars of the configuration that have a meaning of their own: durations as Go writes them (`1h30m`, `0.5s`), which
 * is what Istio's API takes. The text stays in the object; whoever needs the number asks here.
 */
const UNIT_NS: Record<string, number> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, μs: 1e3, ns: 1 }
const GO_DURATION = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+)$/
const PART = /(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)/g

/** Nanoseconds of a Go duration, negative ones included; undefined if the text is none. */
export function parseDurationNs(text: string): number | undefined {
  if (text.length > 64 || !GO_DURATION.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(PART)) sum += Number(amount) * (UNIT_NS[unit ?? ''] ?? 0)
  return Math.round(text.startsWith('-') ? -sum : sum)
}

/** Milliseconds of a duration that validation has accepted. Throws on anything else: that is a bug of the caller. */
export function parseDurationMs(text: string): number {
  const ns = parseDurationNs(text)
  if (ns === undefined) throw new Error(`not a duration: ${text}`)
  return ns / 1e6
}
