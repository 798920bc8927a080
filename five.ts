import { ProxyChain } from './test/faults/chain.ts'
import { Load, quantileMs } from './test/faults/load.ts'
import { cancelledCalls } from './test/faults/rows/http2.ts'
const chain = await ProxyChain.start()
const load = new Load({ port: chain.httpPort, ratePerSecond: 200, seconds: 60, connections: 64 })
const t0 = performance.now()
console.log(await cancelledCalls(chain.httpPort), Math.round(performance.now() - t0))
load.stop(); await load.done
console.log(load.log.length, Math.round(quantileMs(load.log, 0.5)), Math.round(quantileMs(load.log, 0.99)), Math.round(quantileMs(load.log, 1)), load.log.filter((e) => e.outcome !== 'ok').slice(0,5))
const slow = load.log.filter((e) => e.latencyMs > 1000); console.log(slow.length, slow.slice(0, 3), slow.slice(-3))
console.log(chain.client.tail, chain.servers[0]!.tail)
await chain.close()
