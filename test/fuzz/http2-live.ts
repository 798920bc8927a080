/**
 * HTTP/2 frame sequences against proxies that run, over sockets. Must hold:
 *   each connection comes to its end, a plain request works beside and after each batch, within a bound;
 *   a request arrives at most once, as it was meant, and nothing arrives that was none; what comes back is frames
 *   what the client got the application's answers to == what arrived, on every connection that nobody cut short
 */
import { randomBytes } from 'node:crypto'
import http2 from 'node:http2'
import net from 'node:net'
import * as fc from 'fast-check'
import { Head } from '../../src/sidecar/codec/head.ts'
import { HpackDecoder } from '../../src/sidecar/codec/http2/hpack/decoder.ts'
import { DONE } from '../../src/sidecar/codec/verdict.ts'
import { FLAG, FRAME, FrameReader, PREFACE, settings } from '../helpers/h2-wire.ts'
import type { Chain } from './chain.ts'
import { EXCUSED } from './http1.ts'
import { frameBytes, Ids, type Sequence, sequence } from './http2-frames.ts'

const BATCH = 50
const HANG_MS = 10_000
const LINGER_MS = 30
/** Who has no answer by then ends, as one that may not be counted. */
const ANSWER_LIMIT_MS = 2000
const DECODER_TABLE_BYTES = 65_536
/** Of a plain request beside them; a machine may be busy. */
const CANARY_LIMIT_MS = 3000

export interface LiveReport {
  sequences: number
  arrived: number
  /** Of them, those whose client had the answer; and connections on which all must have. */
  answered: number
  whole: number
  slowestCanaryMs: number
  finds: string[]
  seconds: number
}

export async function fuzzLive(chain: Chain, options: { seed: number; sequences: number }): Promise<LiveReport> {
  const startMs = performance.now()
  const report: LiveReport = {
    sequences: 0,
    arrived: 0,
    answered: 0,
    whole: 0,
    slowestCanaryMs: 0,
    finds: [],
    seconds: 0,
  }
  let sent: string[] = []
  // a request that its client gave up may arrive when its batch is over
  let before: string[] = []
  for (let seed = options.seed; report.sequences < options.sequences && report.finds.length < 5; seed++) {
    const batch = fc.sample(sequence, { seed, numRuns: BATCH })
    const canary = ask(chain.port)
    before = sent
    sent = []
    const peers = batch.map((one) => new Peer(chain.port, one, sent))
    const ends = await Promise.all(peers.map((peer) => peer.done))
    report.slowestCanaryMs = Math.max(report.slowestCanaryMs, await canary, await ask(chain.port))
    report.sequences += batch.length
    for (const [i, problem] of ends.entries())
      if (problem !== '') report.finds.push(`seed ${seed} sequence ${i}: ${problem}`)
    report.finds.push(...arrivals(chain, seed, report, [...before, ...sent].join('\n'), peers))
    if (report.slowestCanaryMs > CANARY_LIMIT_MS)
      report.finds.push(`seed ${seed}: a plain request took ${report.slowestCanaryMs} ms`)
  }
  report.seconds = (performance.now() - startMs) / 1000
  return report
}

/** What is wrong with the requests that arrived; forgets them. */
function arrivals(chain: Chain, seed: number, report: LiveReport, sent: string, peers: Peer[]): string[] {
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
  problems.push(...unequal(chain, seed, report, peers))
  seen.clear()
  faults.length = 0
  return problems
}

/** Both sides' counts, by the number that the application gave to each request. */
function unequal(chain: Chain, seed: number, report: LiveReport, peers: Peer[]): string[] {
  const { seen } = chain.upstream
  const problems: string[] = []
  const answered = new Set<number>()
  for (const { answers } of peers)
    for (const n of answers) {
      report.answered++
      if (!seen.has(n)) problems.push(`seed ${seed}: an answer came to request ${n}, which never arrived`)
      if (answered.has(n)) problems.push(`seed ${seed}: the answer to request ${n} came twice`)
      answered.add(n)
    }
  for (const [i, { mark, isWhole }] of peers.entries()) {
    if (!isWhole) continue
    report.whole++
    for (const { n, target } of seen.values())
      if (target.includes(mark) && !answered.has(n))
        problems.push(`seed ${seed} sequence ${i}: ${target} arrived, and nobody got its answer`)
  }
  return problems
}

/** One connection: sends a sequence, waits for what it may still get, and says its last. */
class Peer {
  readonly mark = `t${randomBytes(6).toString('hex')}`
  /** Of requests that arrived, by their numbers. */
  readonly answers: number[] = []
  /** What was wrong with what came back, '' if nothing. */
  readonly done: Promise<string>
  readonly #one: Sequence
  readonly #pieces: (Buffer | undefined)[]
  readonly #socket: net.Socket
  readonly #sent = new FrameReader()
  readonly #received = new FrameReader()
  readonly #decoder = new HpackDecoder(DECODER_TABLE_BYTES)
  readonly #head = new Head()
  /** Streams whose requests have gone out whole, and have no answer. */
  readonly #open = new Set<number>()
  /** All that have no answer: of a length of 0 a request is whole before its stream is. */
  readonly #begun = new Set<number>()
  #problem = ''
  #cutShort = false
  /** What the proxy gives up from now on is what we never finished. */
  #ended = false

  constructor(port: number, one: Sequence, sent: string[]) {
    this.#one = one
    const ids = new Ids()
    this.#pieces = [
      Buffer.concat([one.preface ? PREFACE : Buffer.alloc(0), one.settings ? settings() : Buffer.alloc(0)]),
      ...one.steps.map((step, i) => frameBytes('server', step, ids, `${this.mark}.${i}`)),
    ]
    sent.push('', this.mark, '', ...this.#pieces.map((piece) => piece?.toString('latin1') ?? ''))
    this.#noteSent(Buffer.concat(this.#pieces.filter((piece) => piece !== undefined)))
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    this.done = new Promise((resolve) => {
      const hang = setTimeout(() => {
        this.#problem ||= 'the connection never came to its end'
        socket.destroy()
      }, HANG_MS)
      socket.on('connect', () => this.#step())
      socket.on('data', (chunk: Buffer) => this.#onData(chunk))
      socket.on('error', () => {})
      socket.on('close', () => {
        clearTimeout(hang)
        resolve(this.#problem)
      })
    })
  }

  /** Neither side gave up a stream or the connection: each request has its answer. */
  get isWhole(): boolean {
    return this.#one.preface && this.#one.settings && !this.#cutShort && this.#begun.size === 0
  }

  #noteSent(bytes: Buffer): void {
    const frames = this.#one.preface ? bytes.subarray(PREFACE.length) : bytes
    for (const { type, flags, stream } of this.#sent.push(frames)) {
      if (type === FRAME.RST_STREAM || type === FRAME.GOAWAY) this.#cutShort = true
      if (type === FRAME.HEADERS) this.#begun.add(stream)
      if ((type === FRAME.HEADERS || type === FRAME.DATA) && (flags & FLAG.END_STREAM) !== 0) this.#open.add(stream)
    }
  }

  #step(): void {
    if (this.#socket.destroyed) return
    if (this.#pieces.length === 0) {
      this.#endWhenAnswered(performance.now() + ANSWER_LIMIT_MS)
      return
    }
    const piece = this.#pieces.shift()
    if (piece !== undefined && piece.length > 0) this.#socket.write(piece)
    setImmediate(() => this.#step())
  }

  /** An end at once would take back what is under way. */
  #endWhenAnswered(limitMs: number): void {
    setTimeout(() => {
      if (this.#open.size > 0 && !this.#cutShort && performance.now() < limitMs) this.#endWhenAnswered(limitMs)
      else {
        this.#ended = true
        this.#socket.end()
      }
    }, LINGER_MS)
  }

  #onData(chunk: Buffer): void {
    // without a preface it is HTTP/1.1 to the proxy, and so is the answer
    if (!this.#one.preface || this.#problem !== '') return
    for (const { type, flags, stream, payload } of this.#received.push(chunk)) {
      if (type > 9 || payload.length > 16_384)
        this.#problem = `a frame of type ${type} with ${payload.length} bytes came back`
      if ((type === FRAME.RST_STREAM || type === FRAME.GOAWAY) && !this.#ended) this.#cutShort = true
      if (type !== FRAME.HEADERS) continue
      if ((flags & FLAG.END_HEADERS) === 0) this.#cutShort = true
      else this.#onHead(stream, payload)
    }
  }

  #onHead(stream: number, block: Buffer): void {
    const head = this.#head
    const verdict = this.#decoder.decode(block, 0, block.length, head, 'response', 65_536)
    if (verdict !== DONE) this.#problem = `a head came back that cannot be decoded: ${verdict}`
    else if (head.status >= 200) {
      this.#open.delete(stream)
      this.#begun.delete(stream)
      for (let i = 0; i < head.count; i++)
        if (head.text(head.nameStart(i), head.nameEnd(i)) === 'x-n') this.answers.push(Number(head.value(i)))
    }
  }
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
