/**
 * Open-loop load: requests start by the clock, whether or not earlier ones are done, so that a stall shows as
 * failures or long waits and not as less load. In: a URL and a rate. Out: counts. Owns its connections.
 */
import type { Pool } from 'undici'

export interface LoadOptions {
  url: string
  ratePerSecond: number
  headers?: Record<string, string>
  timeoutMs?: number
  /** Port of an HTTP proxy on loopback, for requests in absolute form; absent: to where the URL leads. */
  proxyPort?: number
  /** Port on loopback that passes all on to where the URL leads. */
  relayPort?: number
}

/** What became of the requests so far; plain data, to be sent between processes. */
export interface LoadReport {
  sent: number
  failed: number
  /** Answers with 200 by `x-version`. */
  versions: Record<string, number>
  /** `503`, `ECONNRESET`, ... */
  failures: Record<string, number>
  /** Connections that the other side closed. */
  connectionsLost: number
}

/** A busy machine is slow; what counts here is what gets lost. */
const DEFAULT_TIMEOUT_MS = 15_000
const TICK_MS = 5
/** After a pause of the whole process (a suspended laptop), missed requests are not all sent at once. */
const MAX_CATCH_UP_MS = 1000
const CONNECTIONS = 16
/** Longer than any run: only the other side closes connections. */
const KEEP_IDLE_MS = 600_000

export class Load {
  sent = 0
  failed = 0
  /** Answers with 200 by `x-version`. */
  readonly versions = new Map<string, number>()
  /** `503`, `ECONNRESET`, ... */
  readonly failures = new Map<string, number>()
  /** Connections that the other side closed. */
  connectionsLost = 0
  readonly #options: LoadOptions
  readonly #pool: Promise<Pool>
  readonly #pending = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #nextMs = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#pool = openPool(options, () => this.connectionsLost++)
  }

  /** Sends at the rate until stop(). */
  start(): void {
    this.#nextMs = performance.now()
    this.#timer = setInterval(() => this.#sendDue(Infinity), TICK_MS)
  }

  /** Sends this many at the rate; resolves when all are answered or failed. */
  async run(requests: number): Promise<void> {
    const goal = this.sent + requests
    this.#nextMs = performance.now()
    await new Promise<void>((done) => {
      this.#timer = setInterval(() => {
        this.#sendDue(goal)
        if (this.sent >= goal) done()
      }, TICK_MS)
    })
    await this.#settle()
  }

  /** No new requests; resolves when those in flight are done. */
  async stop(): Promise<void> {
    await this.#settle()
    await (await this.#pool).close()
  }

  report(): LoadReport {
    const { sent, failed, connectionsLost } = this
    const [versions, failures] = [Object.fromEntries(this.versions), Object.fromEntries(this.failures)]
    return { sent, failed, versions, failures, connectionsLost }
  }

  /** `0 of 1,000 failed`, and why where some did. */
  summary(): string {
    return loadSummary(this.report())
  }

  async #settle(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#pending)
  }

  #sendDue(goal: number): void {
    const nowMs = performance.now()
    this.#nextMs = Math.max(this.#nextMs, nowMs - MAX_CATCH_UP_MS)
    for (; this.#nextMs <= nowMs && this.sent < goal; this.#nextMs += 1000 / this.#options.ratePerSecond) {
      this.sent++
      const one: Promise<void> = this.#send().finally(() => this.#pending.delete(one))
      this.#pending.add(one)
    }
  }

  async #send(): Promise<void> {
    const { url, headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS, proxyPort } = this.#options
    try {
      const pool = await this.#pool
      const { host, pathname, search } = new URL(url)
      const response = await pool.request({
        method: 'GET',
        path: proxyPort === undefined ? `${pathname}${search}` : url,
        headers: { ...headers, host },
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      await response.body.dump()
      if (response.statusCode !== 200) return this.#fail(String(response.statusCode))
      const version = String(response.headers['x-version'] ?? 'none')
      this.versions.set(version, (this.versions.get(version) ?? 0) + 1)
    } catch (error) {
      this.#fail((error as { code?: string }).code ?? String(error))
    }
  }

  #fail(reason: string): void {
    this.failed++
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }
}

/** `0 of 1,000 failed`, and why where some did. */
export function loadSummary({ sent, failed, failures }: LoadReport): string {
  const reasons = Object.entries(failures).map(([reason, count]) => `${reason} x${count}`)
  const text = `${failed} of ${sent.toLocaleString('en-US')} failed`
  return reasons.length === 0 ? text : `${text} (${reasons.join(', ')})`
}

async function openPool({ url, proxyPort, relayPort }: LoadOptions, onLost: () => void): Promise<Pool> {
  const undici = await import('undici')
  const port = proxyPort ?? relayPort
  const origin = port === undefined ? new URL(url).origin : `http://127.0.0.1:${port}`
  const pool = new undici.Pool(origin, { connections: CONNECTIONS, pipelining: 1, keepAliveTimeout: KEEP_IDLE_MS })
  return pool.on('disconnect', (_origin, _targets, error) => {
    if (!(error instanceof undici.errors.InformationalError) && !(error instanceof undici.errors.ClientDestroyedError))
      onLost()
  })
}
