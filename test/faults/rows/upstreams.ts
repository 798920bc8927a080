/** Row 4: kill -9 of one of three applications, again and again. */
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { Load, tellFailures } from '../load.ts'
import { atMost, exactly, type Row, told } from '../row.ts'

/** A dead application is up again after this. */
const DOWN_MS = 1000

export const upstreams: Row = {
  number: 4,
  title: 'kill -9 of one of three applications',
  async run({ short, ratePerSecond }) {
    const kills = short ? 4 : 30
    const everyMs = short ? 2500 : 10_000
    const chain = await ProxyChain.start({ apps: 3 })
    try {
      chain.watch()
      const seconds = (kills * everyMs) / 1000 + 1
      const load = new Load({ port: chain.httpPort, ratePerSecond, seconds, connections: 64 })
      const killedAtMs: number[] = []
      const deadAtMs: number[] = []
      for (let i = 0; i < kills; i++) {
        const app = chain.apps[i % 3]!
        await until(() => load.nowMs >= (i + 0.5) * everyMs)
        killedAtMs.push(load.nowMs)
        await app.kill()
        deadAtMs.push(load.nowMs)
        await until(() => load.nowMs >= killedAtMs.at(-1)! + DOWN_MS)
        await app.start()
      }
      await load.done
      const { lagP99Ms, idleLagP99Ms, grownMb, filesMore } = await chain.vitals()
      tellFailures(load.log)
      const verdict = chain.check(load.log)
      const underWay = load.log.filter(({ method, atMs, latencyMs, serviceMs }) => {
        const endMs = atMs + latencyMs
        return method === 'POST' && killedAtMs.some((at, i) => endMs - serviceMs <= deadAtMs[i]! && endMs >= at)
      }).length
      const failed = load.log.filter((e) => e.outcome !== 'ok')
      // from the kill that it failed by until it left: those that were under way then have not met a dead one
      const lastAfter = Math.max(
        0,
        ...failed.map((e) => {
          const endMs = e.atMs + e.latencyMs
          return endMs - e.serviceMs - (killedAtMs.findLast((at) => at <= endMs) ?? Infinity)
        }),
      )
      return [
        told('requests', load.log.length),
        told('kills', kills),
        exactly('idempotent requests that failed', failed.filter((e) => e.method === 'GET').length, 0),
        told('POSTs with unknown outcome', failed.filter((e) => e.method === 'POST' && e.outcome === 'unknown').length),
        atMost('POSTs that failed, of those under way', failed.filter((e) => e.method === 'POST').length, underWay),
        exactly('POSTs acted on twice', verdict.duplicated, 0),
        exactly('lost, changed or wrongly refused', isSound(verdict) ? 0 : 1, 0),
        atMost('last failure after a kill', lastAfter, 1000, 'ms'),
        atMost("answer of the admin port, p99, over an idle process's", lagP99Ms - idleLagP99Ms, 100, 'ms'),
        atMost('grown', grownMb, 50, 'MB'),
        atMost('open files more than before, idle links kept', filesMore, 64 + 64 * 2),
      ]
    } finally {
      await chain.close()
    }
  },
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
