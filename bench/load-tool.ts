/** Closed-loop load on one URL: wrk where it is on PATH, else autocannon. Out: requests done, errors, latency. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { which } from './which.ts'

const run = promisify(execFile)

export interface LoadResult {
  tool: string
  requests: number
  /** Answers other than 2xx and 3xx, and socket errors. */
  errors: number
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
}

export interface LoadSpec {
  url: string
  connections: number
  seconds: number
}

export async function applyLoad(spec: LoadSpec): Promise<LoadResult> {
  const wrk = which('wrk')
  return wrk === undefined ? autocannon(spec) : wrkLoad(wrk, spec)
}

async function wrkLoad(wrk: string, { url, connections, seconds }: LoadSpec): Promise<LoadResult> {
  const { stdout } = await run(wrk, ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url])
  const field = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? ''
  const socketErrors = [...(/Socket errors: (.*)/.exec(stdout)?.[1] ?? '').matchAll(/\d+/g)]
  return {
    tool: 'wrk',
    requests: Number(field(/(\d+) requests in/)),
    errors: Number(field(/Non-2xx or 3xx responses: (\d+)/)) + socketErrors.reduce((sum, [n]) => sum + Number(n), 0),
    requestsPerSecond: Number(field(/Requests\/sec:\s+([\d.]+)/)),
    p50Ms: wrkMs(field(/50%\s+(\S+)/)),
    p99Ms: wrkMs(field(/99%\s+(\S+)/)),
  }
}

/** `812.00us`, `1.20ms`, `1.05s` */
function wrkMs(text: string): number {
  const factor = text.endsWith('us') ? 0.001 : text.endsWith('ms') ? 1 : 1000
  return Number.parseFloat(text) * factor
}

interface AutocannonResult {
  requests: { total: number; average: number }
  latency: { p50: number; p99: number }
  errors: number
  non2xx: number
}

async function autocannon({ url, connections, seconds }: LoadSpec): Promise<LoadResult> {
  const script = new URL(import.meta.resolve('autocannon')).pathname
  const args = [script, '-j', '-n', '-c', String(connections), '-d', String(seconds), url]
  const { stdout } = await run(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 })
  const { requests, latency, errors, non2xx } = JSON.parse(stdout) as AutocannonResult
  return {
    tool: 'autocannon',
    requests: requests.total,
    errors: errors + non2xx,
    requestsPerSecond: requests.average,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
  }
}
