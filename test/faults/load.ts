/**
 * An open-loop load: requests leave at fixed times, whether or not the ones before are answered, and each latency
 * counts from the time at which it should have left. In: a rate, a port. Out: a log, one entry a request.
 * Every request has an id of its own; the answer must name it and carry the body that belongs to it.
 */
import { createHash } from 'node:crypto'
import net from 'node:net'

/**
 * ok: answered, and the answer is this request's. refused: the proxy says that it was not sent. unknown: nobody knows
 * whether it was acted on. corrupt: an answer that is not this request's.
 */
export type Outcome = 'ok' | 'refused' | 'unknown' | 'corrupt'

const TICK_MS = 2

export interface Entry {
  id: string
  method: 'GET' | 'POST'
  hash: string
  outcome: Outcome
  status: number
  /** From the start of the load to the time at which it should have left, and from there to its end. */
  atMs: number
  latencyMs: number
  /** From when it did leave. */
  serviceMs: number
  detail: string
}

export interface LoadOptions {
  port: number
  ratePerSecond: number
  seconds: number
  connections: number
  bodyBytes?: number
  /** Of 10 requests, so many are POST. */
  posts?: number
  /** A request that is older than this is given up: unknown. */
  timeoutMs?: number
}

export class Load {
  readonly log: Entry[] = []
  readonly done: Promise<void>
  readonly #options: Required<LoadOptions>
  readonly #startMs = performance.now()
  readonly #idle: Client[] = []
  readonly #waiting: Entry[] = []
  readonly #lagsMs: number[] = []
  #lastTickMs = performance.now()
  readonly #prefix = Math.random().toString(36).slice(2, 8)
  #clients = 0
  #sent = 0
  #ended = 0
  #stopped = false
  #finish: () => void = () => {}
  readonly #timer: NodeJS.Timeout

  constructor(options: LoadOptions) {
    this.#options = { bodyBytes: 1024, posts: 5, timeoutMs: 20_000, ...options }
    this.done = new Promise((resolve) => (this.#finish = resolve))
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  get nowMs(): number {
    return performance.now() - this.#startMs
  }

  /** How late this process itself was: what it says of others is not better than that. */
  get ownLagP99Ms(): number {
    const sorted = [...this.#lagsMs].sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0
  }

  /** Until `ms` of the load are over. */
  async reach(ms: number): Promise<void> {
    while (this.nowMs < ms) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** No further request leaves. */
  stop(): void {
    this.#stopped = true
  }

  #tick(): void {
    const { ratePerSecond, seconds } = this.#options
    const tickMs = performance.now()
    this.#lagsMs.push(tickMs - this.#lastTickMs - TICK_MS)
    this.#lastTickMs = tickMs
    const nowMs = this.nowMs
    const due = Math.min(Math.floor((nowMs * ratePerSecond) / 1000), Math.ceil(ratePerSecond * seconds))
    while (!this.#stopped && this.#sent < due) this.#send((this.#sent * 1000) / ratePerSecond)
    if (nowMs >= seconds * 1000) this.#stopped = true
    if (!this.#stopped || this.#ended < this.#sent) return
    clearInterval(this.#timer)
    for (const client of this.#idle) client.destroy()
    this.#finish()
  }

  #send(atMs: number): void {
    const n = this.#sent++
    const method = n % 10 < this.#options.posts ? 'POST' : 'GET'
    const id = `${this.#prefix}-${n}`
    const hash = method === 'POST' ? hashOf(bodyOf(id, this.#options.bodyBytes)) : hashOf('')
    const entry: Entry = {
      id,
      method,
      hash,
      outcome: 'unknown',
      status: 0,
      atMs,
      latencyMs: 0,
      serviceMs: 0,
      detail: '',
    }
    this.log.push(entry)
    const client = this.#idle.pop()
    if (client !== undefined) client.send(entry)
    else if (this.#clients < this.#options.connections) this.#connect(entry)
    else this.#waiting.push(entry)
  }

  #connect(entry: Entry): void {
    this.#clients++
    const { port, bodyBytes, timeoutMs } = this.#options
    const client: Client = new Client(port, bodyBytes, timeoutMs, (entry, reusable) => {
      entry.latencyMs = this.nowMs - entry.atMs
      this.#ended++
      if (!reusable) this.#clients--
      const next = this.#waiting.shift()
      if (next === undefined) {
        if (reusable) this.#idle.push(client)
      } else if (reusable) client.send(next)
      else this.#connect(next)
    })
    client.onGone = () => {
      const at = this.#idle.indexOf(client)
      if (at < 0) return
      this.#idle.splice(at, 1)
      this.#clients--
    }
    client.send(entry)
  }
}

/** One keep-alive connection with one request at a time. */
class Client {
  onGone: () => void = () => {}
  readonly #socket: net.Socket
  readonly #bodyBytes: number
  readonly #timeoutMs: number
  readonly #onDone: (entry: Entry, reusable: boolean) => void
  #entry: Entry | undefined
  #sentMs = 0
  #timer: NodeJS.Timeout | undefined
  #parts: Buffer[] = []
  #bytes = 0
  #need = -1
  #head = ''

  constructor(port: number, bodyBytes: number, timeoutMs: number, onDone: (entry: Entry, reusable: boolean) => void) {
    this.#bodyBytes = bodyBytes
    this.#timeoutMs = timeoutMs
    this.#onDone = onDone
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#end('unknown', error.code ?? error.message, false))
    this.#socket.on('close', () => {
      this.#end('unknown', 'closed', false)
      this.onGone()
    })
  }

  send(entry: Entry): void {
    this.#entry = entry
    this.#sentMs = performance.now()
    this.#timer = setTimeout(() => this.#end('unknown', 'no answer', false), this.#timeoutMs)
    const { id, method } = entry
    const head = `${method} /r?id=${id} HTTP/1.1\r\nHost: server\r\nx-id: ${id}\r\n`
    if (method === 'GET') this.#socket.write(`${head}\r\n`)
    else this.#socket.write(`${head}Content-Length: ${this.#bodyBytes}\r\n\r\n${bodyOf(id, this.#bodyBytes)}`)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    if (this.#need < 0 && !this.#readHead()) return
    if (this.#bytes < this.#need) return
    const text = Buffer.concat(this.#parts, this.#bytes)
      .subarray(this.#head.length + 4)
      .toString('latin1')
    const status = Number(this.#head.slice(9, 12))
    const reusable = !/\r\nconnection: close/i.test(this.#head) && this.#bytes === this.#need
    const entry = this.#entry
    if (entry === undefined) {
      this.destroy() // an answer that nobody asked for
      return
    }
    entry.status = status
    if (status === 200) {
      const right = this.#head.includes(`\r\nx-ledger: ${entry.id}`) && text === bodyOf(entry.id, this.#bodyBytes)
      this.#end(right ? 'ok' : 'corrupt', right ? '' : this.#head.slice(0, 300), reusable)
    } else this.#end(isRefusal(status, text) ? 'refused' : 'unknown', text.slice(0, 200), reusable)
  }

  #readHead(): boolean {
    const bytes = Buffer.concat(this.#parts, this.#bytes)
    this.#parts = [bytes]
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.#head = bytes.toString('latin1', 0, end)
    this.#need = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1] ?? 0)
    return true
  }

  #end(outcome: Outcome, detail: string, reusable: boolean): void {
    const entry = this.#entry
    this.#entry = undefined
    clearTimeout(this.#timer)
    this.#parts = []
    this.#bytes = 0
    this.#need = -1
    if (!reusable) this.#socket.destroy()
    if (entry === undefined) return
    entry.outcome = outcome
    entry.detail = detail
    entry.serviceMs = performance.now() - this.#sentMs
    this.#onDone(entry, reusable)
  }
}

/** The proxy answered by itself before it had sent anything. */
function isRefusal(status: number, text: string): boolean {
  return status !== 504 && !/reset reason: (?:connection termination|protocol error)/.test(text)
}

/** The body that belongs to an id: both ends know it. */
export function bodyOf(id: string, bytes: number): string {
  return `${id} `.repeat(Math.ceil(bytes / (id.length + 1))).slice(0, bytes)
}

export function hashOf(body: string | Buffer): string {
  return createHash('sha1').update(body).digest('base64url').slice(0, 16)
}

/** The first of those that went wrong, for people. */
export function tellFailures(log: readonly Entry[]): void {
  const failed = log.filter((e) => e.outcome !== 'ok')
  for (const e of failed.slice(0, 5))
    process.stderr.write(
      `  ${e.method} at ${Math.round(e.atMs)} ms: ${e.outcome}, status ${e.status} after ${Math.round(e.latencyMs)} ms: ${e.detail}\n`,
    )
  if (failed.length > 5) process.stderr.write(`  and ${failed.length - 5} more\n`)
}

/** Of the latencies of the entries that `which` keeps. */
export function quantileMs(log: readonly Entry[], q: number, which: (entry: Entry) => boolean = () => true): number {
  const sorted = log
    .filter(which)
    .map((e) => e.latencyMs)
    .sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

/** Of what should have left between two times of a load. */
export function p99Between(log: readonly Entry[], fromMs: number, toMs: number): number {
  return quantileMs(log, 0.99, (e) => e.atMs >= fromMs && e.atMs < toMs)
}

/** When it was slow, for people: p99 of each window that is over `limitMs`. */
export function tellSlow(log: readonly Entry[], limitMs: number, windowMs = 500): void {
  const last = Math.floor(Math.max(0, ...log.map((e) => e.atMs)) / windowMs)
  const slow: string[] = []
  for (let i = 0; i <= last; i++) {
    const p99 = quantileMs(log, 0.99, (e) => Math.floor(e.atMs / windowMs) === i)
    if (p99 > limitMs) slow.push(`${(i * windowMs) / 1000} s: ${Math.round(p99)} ms`)
  }
  if (slow.length > 0) process.stderr.write(`  p99 over ${limitMs} ms at ${slow.join(', ')}\n`)
}
