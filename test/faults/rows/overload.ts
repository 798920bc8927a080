/**
 * Row 2: three times as much as it can take. What it can do it goes on doing, the rest is refused at once.
 * The application is what has little room: it answers after a while, and the circuit breaker of its cluster says how
 * many requests it may have at once. What the proxies themselves can do, where nothing else is the limit, is told: on a
 * machine that also runs the generator, each refusal takes CPU that an answer would have had.
 */
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { flood, hasFloods } from '../flood.ts'
import { Load, quantileMs, tellFailures } from '../load.ts'
import { atLeast, atMost, exactly, type Figure, type Row, told } from '../row.ts'
import { cpuMs } from '../vitals.ts'

const WINDOW_MS = 500
/** Of the load under which the recovery is measured. */
const CALM_P99_MS = 100
const APP_DELAY_MS = 50
const AT_ONCE = 64
const CONNECTIONS = 512

export const overload: Row = {
  number: 2,
  title: 'three times the peak',
  async run({ short, ratePerSecond }) {
    if (!hasFloods()) return skipped()
    const seconds = short ? 6 : 60
    const limits = { maxRequests: AT_ONCE, maxPending: AT_ONCE }
    const chain = await ProxyChain.start({ client: limits, appDelayMs: APP_DELAY_MS })
    try {
      const port = chain.httpPort
      await flood({ port, connections: AT_ONCE, seconds: 2, ratePerSecond: 0 })
      const peak = await flood({ port, connections: AT_ONCE, seconds: 3, ratePerSecond: 0 })
      chain.watch()
      const before = chain.numbered()
      const result = await flood({ port, connections: CONNECTIONS, seconds, ratePerSecond: 3 * peak.okPerSecond })
      const calmRate = Math.min(ratePerSecond, peak.okPerSecond / 3)
      const calm = new Load({ port, ratePerSecond: calmRate, seconds: short ? 5 : 10, connections: 64 })
      await calm.done
      const { lagMaxMs, idleLagP99Ms } = await chain.vitals()
      tellFailures(calm.log)
      const acted = chain.numbered() - before
      result.refusedMs.sort((a, b) => a - b)
      const refusedMs = (q: number): number => result.refusedMs[Math.floor(result.refusedMs.length * q)] ?? 0
      return [
        told(`peak: the application takes ${AT_ONCE} at once, ${APP_DELAY_MS} ms each`, peak.okPerSecond, '1/s'),
        told('asked', result.perSecond, '1/s'),
        atLeast('goodput, share of the peak', result.okPerSecond / peak.okPerSecond, 0.8),
        told('refused', result.refusedMs.length),
        exactly('neither answered nor refused', result.answered - result.ok - result.refusedMs.length, 0),
        atMost('time to a refusal, p50', refusedMs(0.5), 50, 'ms'),
        told('time to a refusal, p99', refusedMs(0.99), 'ms'),
        atLeast('acted on, of those answered', acted, result.ok),
        // at its end h2load leaves what is under way
        atMost('acted on and not answered', acted - result.ok, CONNECTIONS),
        atMost('back to normal after', recoveryMs(calm), 5000, 'ms'),
        atMost('slowest answer of the admin port', lagMaxMs, 1000, 'ms'),
        told('answer of an idle process, p99', idleLagP99Ms, 'ms'),
        exactly('after it: lost, changed or acted on twice', isSound(chain.check(calm.log)) ? 0 : 1, 0),
        ...(await unlimited(short)),
      ]
    } finally {
      await chain.close()
    }
  },
}

/** The same where the CPU is the limit, and not the application. */
async function unlimited(short: boolean): Promise<Figure[]> {
  const chain = await ProxyChain.start({ client: { maxRequests: 256, maxPending: 64 } })
  try {
    const port = chain.httpPort
    const { pid } = chain.client
    const seconds = short ? 2 : 10
    const run = async (connections: number, ratePerSecond: number) => {
      const beforeMs = cpuMs(pid)
      const result = await flood({ port, connections, seconds, ratePerSecond })
      return { ...result, cpuUs: (cpuMs(pid) - beforeMs) * 1000 }
    }
    await run(64, 0)
    const peak = await run(64, 0)
    const over = await run(CONNECTIONS, 3 * peak.okPerSecond)
    const okUs = peak.cpuUs / peak.ok
    return [
      told('CPU as the limit: peak', peak.okPerSecond, '1/s'),
      told('CPU as the limit: goodput, share of the peak', over.okPerSecond / peak.okPerSecond),
      told("CPU of the client's proxy for an answer", okUs, 'us'),
      told("CPU of the client's proxy for a refusal", (over.cpuUs - over.ok * okUs) / over.refusedMs.length, 'us'),
    ]
  } finally {
    await chain.close()
  }
}

function skipped(): Figure[] {
  const required = process.env['POCKETMESH_REQUIRE_TOOLS'] === '1'
  return [exactly('skipped: h2load (nghttp2-client) is not on PATH', 1, required ? 0 : 1)]
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
