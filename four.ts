import { ProxyChain } from './test/faults/chain.ts'
import { Load, quantileMs } from './test/faults/load.ts'
import { ATTACKS, runAttack } from './test/helpers/h2-attacks.ts'
const chain = await ProxyChain.start()
for (const attack of ATTACKS) {
  const load = new Load({ port: chain.httpPort, ratePerSecond: 200, seconds: 3, connections: 64 })
  await new Promise((r) => setTimeout(r, 500))
  const r = await runAttack(chain.plainPort, attack, 2000)
  await load.done
  console.log(attack.name, r, Math.round(quantileMs(load.log, 0.5)), Math.round(quantileMs(load.log, 0.99)), Math.round(quantileMs(load.log, 1)), load.log.filter((e) => e.outcome !== 'ok').slice(0,3))
}
await chain.close()
