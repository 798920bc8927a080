/** Row 17: a bad network between the two proxies. What arrives is whole, what does not is told. */
import { createHash } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { listen } from '../../helpers/data-plane.ts'
import { ProxyChain } from '../chain.ts'
import { isSound } from '../checker.ts'
import { type Entry, Load, quantileMs } from '../load.ts'
import { atMost, exactly, type Figure, type Row, told } from '../row.ts'
import type { Toxics } from '../toxic.ts'

const TIMEOUT_MS = 4000
const DOWNLOAD_BYTES = 300_000

export const toxic: Row = {
  number: 17,
  title: 'a bad network between the proxies',
  async run({ short, ratePerSecond }) {
    const echo = net.createServer({ allowHalfOpen: true }, (socket) => answerAtEnd(socket))
    const tcpApp = await listen(echo)
    const chain = await ProxyChain.start({ relayed: true, tcpApp, client: { timeoutMs: TIMEOUT_MS } })
    const set = (toxics: Partial<Toxics>): void => {
      for (const relay of chain.relays) {
        relay.set(toxics)
        relay.dropConnections()
      }
    }
    const logs: Entry[][] = []
    const load = async (rate: number, seconds: number): Promise<Entry[]> => {
      const one = new Load({ port: chain.httpPort, ratePerSecond: rate, seconds, connections: 64 })
      await one.done
      logs.push(one.log)
      return one.log
    }
    try {
      const figures: Figure[] = []
      const seconds = short ? 3 : 30
      const phases: [string, Partial<Toxics>, number][] = [
        ['2 % of connections reset', { resetPercent: 2, resetAfterBytes: 5000 }, ratePerSecond / 4],
        ['200 ms +- 100', { latencyMs: 200, jitterMs: 100 }, ratePerSecond / 10],
        ['pieces of 1 to 7 bytes', { sliceBytes: 7 }, 20],
        ['64 KB/s', { bytesPerSecond: 65_536 }, 40],
      ]
      for (const [name, toxics, rate] of phases) {
        set(toxics)
        const log = await load(rate, seconds)
        figures.push(
          exactly(`${name}: answers that were not whole`, log.filter((e) => e.outcome === 'corrupt').length, 0),
          told(`${name}: ok`, (100 * log.filter((e) => e.outcome === 'ok').length) / log.length, '%'),
          told(`${name}: p50`, quantileMs(log, 0.5), 'ms'),
        )
      }
      set({ resetPercent: 100, resetAfterBytes: DOWNLOAD_BYTES / 3 })
      const cut = await Promise.all(
        Array.from({ length: short ? 20 : 200 }, (_, i) => download(chain.httpPort, i % 2 === 0)),
      )
      figures.push(exactly('answers cut short that looked whole', cut.filter((end) => end === 'short').length, 0))
      figures.push(told('answers cut short', cut.filter((end) => end === 'error').length))

      set({})
      figures.push(
        exactly('half-closed TCP sessions not delivered whole', await halfClosed(chain.tcpPort, short ? 200 : 1000), 0),
      )

      // connections stand when the hole opens
      await load(20, 1)
      for (const relay of chain.relays) relay.set({ blackhole: true })
      const hole = await load(20, short ? 3 : 30)
      figures.push(
        exactly('in the black hole: other than 504', hole.filter((e) => e.status !== 504).length, 0),
        atMost('in the black hole: slowest answer', quantileMs(hole, 1), TIMEOUT_MS + 500, 'ms'),
      )
      set({})
      const after = await load(20, 1)
      figures.push(exactly('after it: failed', after.filter((e) => e.outcome !== 'ok').length, 0))
      const verdict = chain.check(...logs)
      figures.push(exactly('lost, changed or acted on twice', isSound(verdict) ? 0 : 1, 0))
      return figures
    } finally {
      await chain.close()
      echo.close()
    }
  },
}

/** All that came goes back when the other side has said its last. */
function answerAtEnd(socket: net.Socket): void {
  const parts: Buffer[] = []
  socket.on('data', (chunk: Buffer) => parts.push(chunk))
  socket.on('error', () => {})
  socket.on('end', () => socket.end(Buffer.concat(parts)))
}

/** How many of `sessions` did not get back all that they had sent before their half-close. */
async function halfClosed(port: number, sessions: number): Promise<number> {
  let failed = 0
  let next = 0
  const one = (n: number): Promise<void> =>
    new Promise((resolve) => {
      const sent = createHash('sha512').update(String(n)).digest()
      const bytes = Buffer.alloc(1 + ((n * 7919) % 60_000), sent)
      const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(bytes))
      const parts: Buffer[] = []
      let ended = false
      socket.setTimeout(10_000, () => socket.destroy())
      socket.on('data', (chunk: Buffer) => parts.push(chunk))
      socket.on('error', () => {})
      socket.on('end', () => (ended = true))
      socket.on('close', () => {
        if (!ended || !Buffer.concat(parts).equals(bytes)) failed++
        resolve()
      })
    })
  const worker = async (): Promise<void> => {
    while (next < sessions) await one(next++)
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  return failed
}

/** A long answer: whole, told to be broken, or shorter than it was with nothing said. */
function download(port: number, chunked: boolean): Promise<'whole' | 'error' | 'short'> {
  return new Promise((resolve) => {
    const path = `/big?bytes=${DOWNLOAD_BYTES}${chunked ? '&chunked' : ''}`
    const req = http.get({ port, host: '127.0.0.1', path, agent: false, headers: { host: 'server' } }, (res) => {
      let bytes = 0
      res.on('data', (chunk: Buffer) => (bytes += chunk.length))
      res.on('error', () => resolve('error'))
      res.on('end', () => resolve(res.statusCode !== 200 ? 'error' : bytes === DOWNLOAD_BYTES ? 'whole' : 'short'))
    })
    req.on('error', () => resolve('error'))
  })
}
