/** h2load (nghttp2): HTTP/2 with prior knowledge. This version prints no percentiles. */
import { which } from '../system/which.ts'
import type { LoadTool } from './load-tool.ts'
import { REQUEST_HEADERS } from './request-headers.ts'

export const h2loadTool: LoadTool = {
  name: 'h2load',
  commandOf({ port, path, connections, seconds, streams = 1 }) {
    const { host, ...others } = REQUEST_HEADERS
    const headers = Object.entries({ ':authority': host ?? '', ...others }).flatMap(([k, v]) => ['-H', `${k}: ${v}`])
    const args = ['-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, ...headers]
    return { command: which('h2load') ?? 'h2load', args: [...args, `http://127.0.0.1:${port}${path}`] }
  },
  read(stdout, { seconds }) {
    const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? NaN)
    const requests = number(/(\d+) done/)
    return {
      requests,
      errors: number(/(\d+) failed/) + number(/(\d+) errored/),
      requestsPerSecond: requests / seconds,
      p50Ms: NaN,
      p99Ms: NaN,
    }
  },
}
