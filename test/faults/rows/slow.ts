/** Row 15: peers that take their time: heads byte by byte, answers that nobody reads, handshakes that never end. */
import net from 'node:net'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { Load, p99Between, tellFailures, tellSlow } from '../load.ts'
import { atMost, exactly, type Row, told } from '../row.ts'

const HEADERS_TIMEOUT_MS = 10_000
const WARM_MS = 3000
const BIG_BYTES = 10_000_000
/** A stalled reader is given up after this. */
const STALL_LIMIT_MS = 60_000

export const slow: Row = {
  number: 15,
  title: 'slow heads, slow readers, half-open TLS',
  async run({ short, ratePerSecond }) {
    const [heads, readers, handshakes] = short ? [400, 50, 100] : [2000, 500, 500]
    const limits = { headersTimeoutMs: HEADERS_TIMEOUT_MS }
    const chain = await ProxyChain.start({ client: limits, server: limits })
    const load = new Load({ port: chain.httpPort, ratePerSecond, seconds: 600, connections: 64 })
    const crowds: Crowd[] = []
    try {
      chain.watch()
      await load.reach(WARM_MS)
      const headCrowd = new Crowd(heads, chain.httpPort, (socket) => dribble(socket))
      const handshakeCrowd = new Crowd(handshakes, chain.meshPort, (socket) => void socket.write(Buffer.of(0x16, 3, 1)))
      const readerCrowd = new Crowd(readers, chain.httpPort, (socket) => {
        socket.pause()
        socket.write(`GET /big?bytes=${BIG_BYTES} HTTP/1.1\r\nHost: server\r\n\r\n`)
      })
      crowds.push(headCrowd, handshakeCrowd, readerCrowd)
      const headMs = await headCrowd.allClosed(20_000)
      const handshakeMs = await handshakeCrowd.allClosed(20_000)
      const readerMs = short ? undefined : await readerCrowd.allClosed(STALL_LIMIT_MS + 5000)
      load.stop()
      await load.done
      const { maxRssMb, lagP99Ms, idleLagP99Ms } = await chain.vitals()
      tellFailures(load.log)
      tellSlow(load.log, 100)
      const calmMs = p99Between(load.log, WARM_MS / 2, WARM_MS)
      // what this machine makes of it by itself: a request waits for the CPU in four processes
      const machineMs = calmMs + 4 * idleLagP99Ms
      const verdict = chain.check(load.log)
      return [
        told('slow heads, readers, handshakes', heads + readers + handshakes),
        told('base load', load.log.length / (load.nowMs / 1000), '1/s'),
        told('base load before, p99', calmMs, 'ms'),
        told('answer of an idle process, p99', idleLagP99Ms, 'ms'),
        atMost('base load beside them, p99', p99Between(load.log, WARM_MS, Infinity), 100 + machineMs, 'ms'),
        told('base load, lag of the generator itself, p99', load.ownLagP99Ms, 'ms'),
        exactly('base load, failed', load.log.filter((e) => e.outcome !== 'ok').length, 0),
        exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0),
        atMost('last slow head closed after', headMs, 15_000, 'ms'),
        atMost('last half-open handshake closed after', handshakeMs, 15_000, 'ms'),
        ...(readerMs === undefined
          ? []
          : [atMost('last slow reader closed after', readerMs, STALL_LIMIT_MS + 1000, 'ms')]),
        atMost('memory of a proxy', maxRssMb, 300, 'MB'),
        told('answer of the admin port, p99', lagP99Ms, 'ms'),
      ]
    } finally {
      load.stop()
      for (const crowd of crowds) crowd.close()
      await chain.close()
    }
  },
}

/** One byte every five seconds. */
function dribble(socket: net.Socket): void {
  socket.write('GET / HTTP/1.1\r\nHost: server\r\nX-Slow: ')
  const timer = setInterval(() => void socket.write('a'), 5000)
  socket.on('close', () => clearInterval(timer))
  socket.resume()
}

/** Many connections that do the same. */
class Crowd {
  readonly #startMs = performance.now()
  readonly #sockets: net.Socket[]
  #open: number
  #lastClosedMs = 0
  #wake: () => void = () => {}

  constructor(count: number, port: number, begin: (socket: net.Socket) => void) {
    this.#open = count
    this.#sockets = Array.from({ length: count }, () => {
      const socket = net.connect({ port, host: '127.0.0.1' })
      socket.on('connect', () => begin(socket))
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#lastClosedMs = performance.now() - this.#startMs
        if (--this.#open === 0) this.#wake()
      })
      return socket
    })
  }

  /** When the last one was closed; Infinity where some are still open after `limitMs`. */
  async allClosed(limitMs: number): Promise<number> {
    if (this.#open > 0) {
      const left = limitMs - (performance.now() - this.#startMs)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
    return this.#open > 0 ? Infinity : this.#lastClosedMs
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
