/** autocannon, where wrk is not: a Node program, which costs its core several times as much. */
import { fileURLToPath } from 'node:url'
import type { LoadTool } from './load-tool.ts'
import { REQUEST_HEADERS } from './request-headers.ts'

interface AutocannonResult {
  requests: { total: number; average: number }
  latency: { p50: number; p99: number }
  errors: number
  non2xx: number
}

export const autocannonTool: LoadTool = {
  name: 'autocannon',
  commandOf({ port, path, connections, seconds, uploadBytes = 0 }) {
    const script = fileURLToPath(import.meta.resolve('autocannon'))
    const headers = Object.entries(REQUEST_HEADERS).flatMap(([name, value]) => ['-H', `${name}=${value}`])
    const upload = uploadBytes === 0 ? [] : ['-m', 'POST', '-b', 'x'.repeat(uploadBytes)]
    const args = ['-j', '-n', '-c', `${connections}`, '-d', `${Math.max(1, Math.round(seconds))}`]
    const url = `http://127.0.0.1:${port}${path}`
    return { command: process.execPath, args: [script, ...args, ...headers, ...upload, url] }
  },
  read(stdout) {
    const { requests, latency, errors, non2xx } = JSON.parse(stdout) as AutocannonResult
    return {
      requests: requests.total,
      errors: errors + non2xx,
      requestsPerSecond: requests.average,
      p50Ms: latency.p50,
      p99Ms: latency.p99,
    }
  },
}
