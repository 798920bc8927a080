/**
 * The HTTP/2 half of the fuzzer, without sockets: frame sequences into a session, whole and cut anywhere. Must hold:
 *   nothing is thrown; both ways of cutting give the same events; what comes out is frames, of sizes and in windows that
 *   the peer allows; a stream ends once, and tells nothing after it; after the session's end no stream is left
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import type { BodyFraming } from '../../src/sidecar/codec/body.ts'
import type { Head } from '../../src/sidecar/codec/head.ts'
import { MESH_PEER_BUDGETS, STRANGER_BUDGETS } from '../../src/sidecar/codec/http2/abuse.ts'
import { Session } from '../../src/sidecar/codec/http2/session.ts'
import { type Http2Stream, NOBODY, type StreamHandler } from '../../src/sidecar/codec/http2/stream.ts'
import { FRAME, FrameReader, PREFACE, settings } from '../helpers/h2-wire.ts'
import { frameBytes, Ids, type Sequence, sequence, type Step } from './http2-frames.ts'

const MAX_FRAME_BYTES = 16_384
const INITIAL_WINDOW = 65_535
/** What may wait in the output while nobody takes it. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024

/** Owner of one stream: writes down what it hears, and whether it may hear it. */
class Owner implements StreamHandler {
  readonly log: string[] = []
  readonly problems: string[]
  readonly stream: Http2Stream
  readonly generation: number
  /** The peer's message is whole; we have said all; it is over. */
  ended = false
  finished = false
  over = false
  answered = false
  #bodyBytes = 0

  constructor(stream: Http2Stream, problems: string[]) {
    this.stream = stream
    this.generation = stream.generation
    this.problems = problems
  }

  #hear(event: string): void {
    if (this.over) this.problems.push(`${event} after the end of stream ${this.stream.id}`)
  }
  onHead(_stream: Http2Stream, head: Head, framing: BodyFraming): void {
    this.#hear('onHead')
    const target = head.text(head.targetStart, head.targetEnd)
    if (/[\0-\x20\x7f]/.test(target)) this.problems.push(`a target with controls: ${JSON.stringify(target)}`)
    const fields: string[] = []
    for (let i = 0; i < head.count; i++) {
      const value = head.value(i)
      if (/[\0\r\n]/.test(value)) this.problems.push(`a value with a line end: ${JSON.stringify(value)}`)
      fields.push(`${head.text(head.nameStart(i), head.nameEnd(i))}=${value}`)
    }
    this.log.push(`head ${head.status} ${target} ${framing.kind} ${fields.join('&')}`)
  }
  onData(_stream: Http2Stream, _buf: Buffer, start: number, end: number): void {
    this.#hear('onData')
    if (this.ended) this.problems.push('data after the end of a message')
    this.#bodyBytes += end - start
  }
  onTrailers(): void {
    this.#hear('onTrailers')
    this.log.push('trailers')
  }
  onEnd(): void {
    this.#hear('onEnd')
    this.ended = true
    this.log.push(`end after ${this.#bodyBytes}`)
    this.#settle()
  }
  onReset(_stream: Http2Stream, code: number, remote: boolean): void {
    this.#hear('onReset')
    this.over = true
    this.log.push(`reset ${code} ${remote}`)
  }
  onDrain(): void {
    this.#hear('onDrain')
  }
  finish(): void {
    this.finished = true
    this.#settle()
  }
  #settle(): void {
    if (!this.ended || !this.finished) return
    this.over = true
    // what is queued still goes out
    if (this.stream.generation === this.generation) this.stream.owner = NOBODY
  }
}

class Trial {
  readonly problems: string[] = []
  readonly owners: Owner[] = []
  readonly events: string[] = []
  readonly session: Session
  readonly #reader = new FrameReader()
  readonly #inbound = new FrameReader()
  readonly #ids = new Ids()
  readonly #one: Sequence
  #sentBytes = 0
  #windowBytes = INITIAL_WINDOW
  #maxFrameBytes = MAX_FRAME_BYTES
  #blocked = false
  #fatal = false
  #preface: boolean

  constructor(one: Sequence) {
    this.#one = one
    this.#preface = one.role === 'server'
    this.session = new Session(
      { role: one.role, budgets: one.steps.length % 2 === 0 ? STRANGER_BUDGETS : MESH_PEER_BUDGETS, nowMs: () => 0 },
      {
        onRequest: (stream) => this.#own(stream),
        onRefused: () => {},
        onReady: () => this.events.push('ready'),
        onGoaway: (last, code) => this.events.push(`goaway ${last} ${code}`),
        onOutput: () => {},
        onStreamClosed: () => {},
        onFatal: (code) => {
          if (this.#fatal) this.problems.push('two ends of a session')
          this.#fatal = true
          this.events.push(`fatal ${code}`)
        },
      },
    )
  }

  #own(stream: Http2Stream): Owner {
    const owner = new Owner(stream, this.problems)
    this.owners.push(owner)
    return owner
  }

  run(cut: boolean): void {
    const { role, steps, preface, settings: greets } = this.#one
    this.#take()
    const begin = Buffer.concat([
      role === 'server' && preface ? PREFACE : Buffer.alloc(0),
      greets ? settings([4, 70_000]) : Buffer.alloc(0),
    ])
    this.#feed(begin, cut)
    for (const [i, step] of steps.entries()) {
      const bytes = frameBytes(role, step, this.#ids, `m${i}`)
      if (bytes !== undefined) this.#feed(bytes, cut)
      else this.#act(step)
      if (!this.#blocked) this.#take()
      if (this.session.output.pending > MAX_PENDING_BYTES) this.problems.push('too much waits to go out')
    }
    this.session.onSocketDrain()
    this.#take()
    this.session.destroy(0)
    this.#take()
    // a message that had come whole, and was held back, is still told
    for (const owner of this.owners)
      if (!owner.over && owner.stream.generation === owner.generation) owner.stream.resume()
    for (const owner of this.owners)
      if (!owner.over) this.problems.push(`stream ${owner.stream.id} did not end: ${owner.log.join()}`)
    if (this.session.numStreams !== 0) this.problems.push(`${this.session.numStreams} streams are left`)
    if (!this.#reader.isEmpty) this.problems.push('the output ends within a frame')
  }

  #feed(bytes: Buffer, cut: boolean): void {
    this.#noteWindows(bytes)
    let at = 0
    for (let i = 0; at < bytes.length; i++) {
      const end = cut ? Math.min(bytes.length, at + 1 + ((i * 7) % 11)) : bytes.length
      const piece = Buffer.from(bytes.subarray(at, end))
      this.session.receive(piece, 0, piece.length)
      piece.fill(0xee) // whoever kept a range of it will show
      at = end
    }
  }

  /** What the peer grants; of a sequence that has gone wrong, an upper bound. */
  #noteWindows(bytes: Buffer): void {
    let rest = bytes
    if (this.#preface && rest.subarray(0, PREFACE.length).equals(PREFACE)) rest = rest.subarray(PREFACE.length)
    this.#preface = false
    for (const { type, stream, payload } of this.#inbound.push(rest)) {
      if (type === FRAME.WINDOW_UPDATE && stream === 0 && payload.length === 4)
        this.#windowBytes += payload.readUInt32BE() & 0x7fffffff
      if (type === FRAME.SETTINGS)
        for (let at = 0; at + 6 <= payload.length; at += 6)
          if (payload.readUInt16BE(at) === 5)
            this.#maxFrameBytes = Math.max(this.#maxFrameBytes, payload.readUInt32BE(at + 2))
    }
  }

  #take(): void {
    const { output } = this.session
    output.take((buf) => {
      let bytes = Buffer.from(buf)
      if (bytes.subarray(0, PREFACE.length).equals(PREFACE)) bytes = bytes.subarray(PREFACE.length)
      for (const { type, stream, payload } of this.#reader.push(bytes)) {
        if (type > 9) this.problems.push(`a frame of type ${type} came out`)
        if (payload.length > this.#maxFrameBytes) this.problems.push(`a frame of ${payload.length} bytes came out`)
        if (type === FRAME.DATA) this.#sentBytes += payload.length
        if (type === FRAME.DATA && stream === 0) this.problems.push('DATA on stream 0 came out')
      }
      return true
    })
    if (this.#sentBytes > this.#windowBytes)
      this.problems.push(`${this.#sentBytes} bytes of DATA in a window of ${this.#windowBytes}`)
  }

  #live(pick: number): Owner | undefined {
    const live = this.owners.filter((o) => !o.over && o.stream.generation === o.generation)
    return live[pick % Math.max(1, live.length)]
  }

  #act({ op, a, b, c }: { op: string } & Omit<Step, 'op'>): void {
    const { session } = this
    const isServer = this.#one.role === 'server'
    const owner = this.#live(c)
    switch (op) {
      case 'answer':
        if (isServer) this.#answer(owner, a, b)
        else this.#ask(a)
        break
      case 'body':
        if (owner !== undefined && owner.answered && !owner.finished)
          owner.stream.sendData(Buffer.alloc(b % 5 === 0 ? a : a % 200, 'b'), 0, b % 5 === 0 ? a : a % 200)
        break
      case 'finish':
        if (owner === undefined || !owner.answered || owner.finished) break
        owner.stream.sendEnd()
        owner.finish()
        break
      case 'appReset':
        if (owner === undefined) break
        owner.over = true
        owner.stream.reset(a % 14)
        break
      case 'pause':
        owner?.stream.pause()
        break
      case 'resume':
        owner?.stream.resume()
        break
      case 'block':
        this.#blocked = true
        session.output.blocked = true
        break
      case 'drain':
        this.#blocked = false
        session.onSocketDrain()
        break
      case 'take':
        this.#take()
        break
      case 'shutdown':
        if (a % 4 === 0) session.shutdown()
        break
      case 'finishShutdown':
        if (a % 4 === 0) session.finishShutdown()
        break
      default:
        session.ping()
    }
  }

  #answer(owner: Owner | undefined, a: number, b: number): void {
    if (owner === undefined || owner.answered) return
    owner.answered = true
    owner.stream.beginHead()
    owner.stream.encoder.status([200, 204, 404, 503][a % 4]!)
    owner.stream.endHead(b % 3 === 0)
    if (b % 3 === 0) owner.finish()
  }

  #ask(a: number): void {
    let owner: Owner | undefined
    const events: Owner[] = []
    const relay: StreamHandler = {
      onHead: (...args) => events[0]?.onHead(...args),
      onData: (...args) => events[0]?.onData(...args),
      onTrailers: () => events[0]?.onTrailers(),
      onEnd: () => events[0]?.onEnd(),
      onReset: (...args) => events[0]?.onReset(...args),
      onDrain: () => events[0]?.onDrain(),
    }
    const stream = this.session.open(relay)
    if (stream === null) return
    owner = this.#own(stream)
    events.push(owner)
    owner.answered = true
    stream.beginHead()
    stream.encoder.pseudo('method', a % 2 === 0 ? 'GET' : 'POST')
    stream.encoder.pseudo('scheme', 'http')
    stream.encoder.pseudo('path', '/')
    stream.encoder.pseudo('authority', 'server')
    this.#ids.open.push(stream.id)
    if (a % 2 === 0) owner.finished = true
    stream.endHead(a % 2 === 0)
  }

  /** All that was heard, in a form that can be compared. */
  story(): string {
    return JSON.stringify([this.events, this.owners.map((o) => o.log)])
  }
}

/** All that is wrong with one sequence. */
export function judgeSequence(one: Sequence): string[] {
  try {
    const whole = new Trial(one)
    whole.run(false)
    const cut = new Trial(one)
    cut.run(true)
    const problems = [...whole.problems, ...cut.problems]
    if (whole.story() !== cut.story()) problems.push(`whole: ${whole.story()}, cut: ${cut.story()}`)
    return problems
  } catch (error) {
    return [`thrown: ${error instanceof Error ? error.stack : String(error)}`]
  }
}

export interface Http2Report {
  sequences: number
  frames: number
  finds: string[]
  seconds: number
}

const BATCH = 500
const MAX_FINDS = 5

export function fuzzSessions(options: {
  seed: number
  sequences: number
  finds: string
  progress?: (done: number) => void
}): Http2Report {
  const startMs = performance.now()
  const report: Http2Report = { sequences: 0, frames: 0, finds: [], seconds: 0 }
  for (let seed = options.seed; report.sequences < options.sequences && report.finds.length < MAX_FINDS; seed++) {
    for (const [i, one] of fc.sample(sequence, { seed, numRuns: BATCH }).entries()) {
      report.sequences++
      report.frames += one.steps.length
      const problems = judgeSequence(one)
      if (problems.length > 0 && report.finds.length < MAX_FINDS) report.finds.push(shrink(seed, i, options.finds))
    }
    options.progress?.(report.sequences)
  }
  report.seconds = (performance.now() - startMs) / 1000
  return report
}

/** The smallest sequence with a fault, in a file. */
function shrink(seed: number, index: number, folder: string): string {
  const property = fc.property(sequence, (one) => judgeSequence(one).length === 0)
  const details = fc.check(property, { seed, path: String(index) })
  const [one] = details.counterexample ?? []
  if (one === undefined) return `seed ${seed} sequence ${index}: once only`
  const problems = judgeSequence(one)
  const ids = new Ids()
  const bytes = one.steps.map((step, i) => frameBytes(one.role, step, ids, `m${i}`)?.toString('hex') ?? step.op)
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `http2-${seed}-${index}.json`)
  writeFileSync(file, `${JSON.stringify({ seed, index, problems, bytes, sequence: one }, null, 2)}\n`)
  return `${file}: ${problems[0]} ${JSON.stringify(one.steps)}`
}
