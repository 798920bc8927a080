/** Row 6: SIGTERM of a proxy under load, one after the other, with tunnels that stay open. */
import net from 'node:net'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { Load, tellFailures } from '../load.ts'
import { atMost, exactly, type Row, told } from '../row.ts'

const TUNNELS = 20
const DRAIN_MS = 10_000

export const rolling: Row = {
  number: 6,
  title: 'SIGTERM of a proxy under load',
  async run({ short, ratePerSecond }) {
    const times = short ? 3 : 20
    const chain = await ProxyChain.start({ servers: 2 })
    const load = new Load({ port: chain.httpPort, ratePerSecond, seconds: 600, connections: 64 })
    try {
      const endedMs: number[] = []
      let closed = 0
      const tunnels: net.Socket[] = []
      for (let i = 0; i < times; i++) {
        const proxy = chain.servers[i % 2]!
        // the first time with tunnels: they hold the drain up to its deadline
        const sockets = i === 0 ? await Promise.all(Array.from({ length: TUNNELS }, () => tunnel(chain.httpPort))) : []
        for (const socket of sockets) socket.on('close', () => closed++)
        tunnels.push(...sockets)
        const beforeMs = performance.now()
        await proxy.end('SIGTERM')
        endedMs.push(performance.now() - beforeMs)
        await proxy.start()
        const nextMs = load.nowMs + 1000
        while (load.nowMs < nextMs) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      load.stop()
      await load.done
      tellFailures(load.log)
      const verdict = chain.check(load.log)
      const failed = load.log.filter((e) => e.outcome !== 'ok')
      for (const socket of tunnels) socket.destroy()
      return [
        told('requests', load.log.length),
        told('restarts', times),
        exactly('requests that failed', failed.length, 0),
        told('of them with unknown outcome', failed.filter((e) => e.outcome === 'unknown').length),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
        atMost('slowest end of a proxy', Math.max(...endedMs), DRAIN_MS + 1000, 'ms'),
        // least-request put about half of them through this proxy
        told('tunnels closed at the deadline', closed),
      ]
    } finally {
      load.stop()
      await chain.close()
    }
  },
}

/** A tunnel after an upgrade, echoing. */
function tunnel(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.on('error', reject)
    socket.on('connect', () =>
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
      ),
    )
    socket.once('data', (chunk: Buffer) => {
      if (chunk.toString('latin1').startsWith('HTTP/1.1 101')) resolve(socket)
      else reject(new Error(`no upgrade: ${chunk.toString('latin1').slice(0, 100)}`))
    })
  })
}
