/**
 * Row 16: attacks on HTTP/2, each again and again by somebody who comes back; then thousands of calls that are cancelled
 * in good faith, over the one link between the proxies.
 */
import { ATTACKS, type AttackResult } from '../../helpers/h2-attacks.ts'
import { ENHANCE_YOUR_CALM } from '../../helpers/h2-wire.ts'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import type { CallsResult } from '../grpc-calls.ts'
import { Load, p99Between, tellFailures, tellSlow } from '../load.ts'
import { runWorker } from '../processes.ts'
import { atMost, exactly, type Figure, type Row, told } from '../row.ts'

const CALLS = 5000
const WARM_MS = 3000

export const http2Attacks: Row = {
  number: 16,
  title: 'HTTP/2: floods, resets and bombs; 5,000 cancelled calls',
  async run({ short, ratePerSecond }) {
    const chain = await ProxyChain.start()
    const load = new Load({ port: chain.httpPort, ratePerSecond, seconds: 900, connections: 64 })
    try {
      chain.watch()
      await load.reach(WARM_MS)
      const figures: Figure[] = []
      for (const [i, attack] of ATTACKS.entries()) {
        const forMs = short ? 1000 : 30_000
        const result = await runWorker<AttackResult & { times: number }>('attack', chain.plainPort, i, forMs)
        const { endedMs, code, framesSent, times } = result
        figures.push(told(`${attack.name}: ${times} times, frames sent`, framesSent))
        figures.push(atMost(`${attack.name}: GOAWAY or end after`, endedMs, 1000, 'ms'))
        if (code >= 0) figures.push(told(`${attack.name}: code (calm is ${ENHANCE_YOUR_CALM})`, code))
      }
      const attackedMs = load.nowMs
      const calls = await runWorker<CallsResult>('calls', chain.httpPort, CALLS)
      const calledMs = load.nowMs
      load.stop()
      await load.done
      const { maxRssMb, idleLagP99Ms } = await chain.vitals()
      tellFailures(load.log)
      tellSlow(load.log, 150)
      const verdict = chain.check(load.log)
      const calmMs = p99Between(load.log, WARM_MS / 2, WARM_MS)
      // what this machine makes of it by itself: a request waits for the CPU in four processes
      const machineMs = calmMs + 4 * idleLagP99Ms
      return [
        ...figures,
        exactly('cancelled calls that ended otherwise', calls.wrong, 0),
        exactly('calls beside them that failed', calls.failed, 0),
        told('slowest cancellation', calls.slowestCancelMs, 'ms'),
        told('base load before, p99', calmMs, 'ms'),
        told('answer of an idle process, p99', idleLagP99Ms, 'ms'),
        atMost('base load under attack, p99', p99Between(load.log, WARM_MS, attackedMs), 150 + machineMs, 'ms'),
        told('base load beside the calls, p99', p99Between(load.log, attackedMs, calledMs), 'ms'),
        told('base load, lag of the generator itself, p99', load.ownLagP99Ms, 'ms'),
        exactly('base load, failed', load.log.filter((e) => e.outcome !== 'ok').length, 0),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
        atMost('memory of a proxy', maxRssMb, 300, 'MB'),
      ]
    } finally {
      load.stop()
      await chain.close()
    }
  },
}
