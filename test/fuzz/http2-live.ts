/**
 * HTTP/2 frame sequences against proxies that run, over sockets. Must hold:
 *   each connection comes to its end, a plain request works beside and after each batch, within a bound;
 *   a request arrives at most once, as it was meant, and nothing arrives that was none; what comes back is frames
 */
import { randomBytes } from 'node:crypto'
import http2 from 'node:http2'
import net from 'node:net'
import * as fc from 'fast-check'
import { FrameReader, PREFACE, settings } from '../helpers/h2-wire.ts'
import type { Chain } from './chain.ts'
import { EXCUSED } from './http1.ts'
import { frameBytes, Ids, type Sequence, sequence } from './http2-frames.ts'

const BATCH = 50
const HANG_MS = 10_000
const LINGER_MS = 30
/** Of a plain request beside them; a machine may be busy. */
const CANARY_LIMIT_MS = 3000

export interface LiveReport {
  sequences: number
  arrived: number
  slowestCanaryMs: number
  finds: string[]
  seconds: number
}

export async function fuzzLive(chain: Chain, options: { seed: number; sequences: number }): Promise<LiveReport> {
  const startMs = performance.now()
  const report: LiveReport = { sequences: 0, arrived: 0, slowestCanaryMs: 0, finds: [], seconds: 0 }
  for (let seed = options.seed; report.sequences < options.sequences && report.finds.length < 5; seed++) {
    const batch = fc.sample(sequence, { seed, numRuns: BATCH })
    const canary = ask(chain.port)
    const sent: string[] = []
    const ends = await Promise.all(batch.map((one) => converse(chain.port, one, sent)))
    report.slowestCanaryMs = Math.max(report.slowestCanaryMs, await canary, await ask(chain.port))
    report.sequences += batch.length
    for (const [i, problem] of ends.entries())
      if (problem !== '') report.finds.push(`seed ${seed} sequence ${i}: ${problem}`)
    report.finds.push(...arrivals(chain, seed, report, sent.join('\n')))
    if (report.slowestCanaryMs > CANARY_LIMIT_MS)
      report.finds.push(`seed ${seed}: a plain request took ${report.slowestCanaryMs} ms`)
  }
  report.seconds = (performance.now() - startMs) / 1000
  return report
}

/** What is wrong with the requests that arrived; forgets them. */
function arrivals(chain: Chain, seed: number, report: LiveReport, sent: string): string[] {
  const { seen, faults } = chain.upstream
  const marks = new Set<string>()
  const problems: string[] = []
  for (const { method, target } of seen.values()) {
    report.arrived++
    if (target === '/canary' || target === '*' || target === '/' || target === '//') continue
    // a byte of it may have been flipped on purpose, or a block cut within it
    const known = sent.includes(target) || sent.includes(`\n${/^\/h2\?(t[0-9a-f]{12})\.\d+$/.exec(target)?.[1]}\n`)
    const mark = known ? target : undefined
    if (mark === undefined) problems.push(`seed ${seed}: ${method} ${target} arrived, which nobody sent`)
    else if (marks.has(mark)) problems.push(`seed ${seed}: ${method} ${target} arrived twice`)
    else marks.add(mark)
  }
  for (const { code, bytes } of faults)
    if (!EXCUSED.has(code)) problems.push(`seed ${seed}: llhttp refused ${code} ${JSON.stringify(bytes.slice(0, 200))}`)
  seen.clear()
  faults.length = 0
  return problems
}

/** Sends a sequence and says its last; what was wrong with the answer, '' if nothing. */
function converse(port: number, one: Sequence, sent: string[]): Promise<string> {
  const mark = `t${randomBytes(6).toString('hex')}`
  const ids = new Ids()
  const pieces = [
    Buffer.concat([one.preface ? PREFACE : Buffer.alloc(0), one.settings ? settings() : Buffer.alloc(0)]),
    ...one.steps.map((step, i) => frameBytes('server', step, ids, `${mark}.${i}`)),
  ]
  sent.push('', mark, '', ...pieces.map((piece) => piece?.toString('latin1') ?? ''))
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const reader = new FrameReader()
    let problem = ''
    const hang = setTimeout(() => {
      problem ||= 'the connection never came to its end'
      socket.destroy()
    }, HANG_MS)
    const step = (): void => {
      if (socket.destroyed) return
      if (pieces.length === 0) {
        // an end at once would take back what is under way
        setTimeout(() => socket.end(), LINGER_MS)
        return
      }
      const piece = pieces.shift()
      if (piece !== undefined && piece.length > 0) socket.write(piece)
      setImmediate(step)
    }
    socket.on('connect', step)
    socket.on('data', (chunk: Buffer) => {
      // without a preface it is HTTP/1.1 to the proxy, and so is the answer
      if (!one.preface || problem !== '') return
      for (const { type, payload } of reader.push(chunk))
        if (type > 9 || payload.length > 16_384)
          problem = `a frame of type ${type} with ${payload.length} bytes came back`
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(hang)
      resolve(problem)
    })
  })
}

/** How long a plain request takes. */
function ask(port: number): Promise<number> {
  return new Promise((resolve) => {
    const startMs = performance.now()
    const session = http2.connect(`http://127.0.0.1:${port}`)
    const end = (ms: number): void => {
      resolve(ms)
      session.destroy()
    }
    session.on('error', () => end(Infinity))
    const stream = session.request({ ':path': '/canary' })
    stream.on('response', (fields) => end(fields[':status'] === 200 ? performance.now() - startMs : Infinity))
    stream.on('error', () => end(Infinity))
    stream.setTimeout(HANG_MS, () => end(Infinity))
  })
}
