import { ProxyChain } from './test/faults/chain.ts'
import { Load, quantileMs } from './test/faults/load.ts'
import { peakPerSecond } from './test/faults/peak.ts'
const chain = await ProxyChain.start()
console.log('peak', await peakPerSecond(chain.httpPort, 2000))
chain.watch()
const load = new Load({ port: chain.httpPort, ratePerSecond: 300, seconds: 3, connections: 64 })
await load.done
console.log(chain.check(load.log), quantileMs(load.log, 0.5), quantileMs(load.log, 0.99), await chain.vitals())
console.log(load.log.filter(e=>e.outcome!=='ok').slice(0,3))
await chain.close()
