/**
 * How a process fares: memory, open files, and how fast it answers a plain question. In: a pid and its admin port.
 * The question's latency stands for the lag of its event loop, seen from outside.
 */
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'

const EVERY_MS = 100
const PAGE_BYTES = 4096

export class Vitals {
  readonly #pid: number
  readonly #adminPort: number
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  readonly #lagsMs: number[] = []
  #maxRssBytes = 0
  #stopped = false
  readonly #done: Promise<void>

  constructor(pid: number, adminPort: number) {
    this.#pid = pid
    this.#adminPort = adminPort
    this.#done = this.#watch()
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const startMs = performance.now()
      await ask(this.#adminPort, '/ready', this.#agent).catch(() => 0)
      const tookMs = performance.now() - startMs
      this.#lagsMs.push(tookMs)
      this.#maxRssBytes = Math.max(this.#maxRssBytes, rssBytes(this.#pid))
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, EVERY_MS - tookMs)))
    }
    this.#agent.destroy()
  }

  get maxRssMb(): number {
    return this.#maxRssBytes / 1e6
  }

  lagMs(q: number): number {
    const sorted = [...this.#lagsMs].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }
}

/** CPU that a process has taken so far. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Status of a GET; rejects where nobody answers. */
export function ask(port: number, path: string, agent?: http.Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = http.get(
      { port, host: '127.0.0.1', path, timeout: 5000, ...(agent === undefined ? {} : { agent }) },
      (res) => {
        res.resume().on('end', () => resolve(res.statusCode ?? 0))
      },
    )
    req.on('timeout', () => req.destroy(new Error('timeout')))
    req.on('error', reject)
  })
}

export function rssBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
  } catch {
    return 0
  }
}

export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}
