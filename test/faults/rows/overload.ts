/** Row 2: three times as much as it can take. What it can do it goes on doing, the rest is refused at once. */
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { Load, quantileMs, tellFailures } from '../load.ts'
import { atLeast, atMost, exactly, type Row, told } from '../row.ts'

const WINDOW_MS = 500
/** Of the load under which the recovery is measured. */
const CALM_P99_MS = 100

export const overload: Row = {
  number: 2,
  title: 'three times the peak',
  async run({ short, ratePerSecond, peakPerSecond }) {
    const seconds = short ? 8 : 60
    const chain = await ProxyChain.start({ client: { maxRequests: 64, maxPending: 64 } })
    try {
      chain.watch()
      const flood = new Load({
        port: chain.httpPort,
        ratePerSecond: 3 * peakPerSecond,
        seconds,
        connections: 512,
        timeoutMs: 10_000,
      })
      while (flood.nowMs < seconds * 1000) await new Promise((resolve) => setTimeout(resolve, 20))
      const unsent = flood.dropUnsent()
      await flood.done
      const calm = new Load({ port: chain.httpPort, ratePerSecond, seconds: short ? 6 : 10, connections: 64 })
      await calm.done
      const { lagMaxMs } = await chain.vitals()
      tellFailures(calm.log)
      const verdict = chain.check(flood.log, calm.log)
      const goodput =
        flood.log.filter((e) => e.outcome === 'ok' && e.atMs + e.latencyMs <= seconds * 1000).length / seconds
      return [
        told('asked', 3 * peakPerSecond, '1/s'),
        told('peak before', peakPerSecond, '1/s'),
        atLeast('goodput, share of the peak', goodput / peakPerSecond, 0.8),
        // 512 connections carry one each at a time
        told('found no free connection of the generator', unsent),
        told('refused', flood.log.filter((e) => e.outcome === 'refused').length),
        atMost('time to a refusal, p50', refusalMs(flood.log), 50, 'ms'),
        atMost('back to normal after', recoveryMs(calm), 5000, 'ms'),
        atMost('slowest answer of the admin port', lagMaxMs, 1000, 'ms'),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
      ]
    } finally {
      await chain.close()
    }
  },
}

/** From when the proxy had the request, which under a flood is later than when it should have left. */
function refusalMs(log: readonly { outcome: string; serviceMs: number }[]): number {
  const sorted = log
    .filter((e) => e.outcome === 'refused')
    .map((e) => e.serviceMs)
    .sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** The first window after which no p99 is above the calm one. */
function recoveryMs({ log }: Load): number {
  const last = Math.ceil(Math.max(0, ...log.map((e) => e.atMs)) / WINDOW_MS)
  for (let i = last; i > 0; i--) {
    const p99 = quantileMs(log, 0.99, (e) => Math.floor(e.atMs / WINDOW_MS) === i - 1)
    if (p99 > CALM_P99_MS) return i * WINDOW_MS
  }
  return 0
}
