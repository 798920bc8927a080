/** wrk: one thread, keep-alive. A request with a body needs a script, which is written for the run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { which } from '../system/which.ts'
import type { LoadTool } from './load-tool.ts'
import { REQUEST_HEADERS } from './request-headers.ts'

export const wrkTool: LoadTool = {
  name: 'wrk',
  commandOf({ port, path, connections, seconds, uploadBytes = 0 }) {
    // wrk adds a Host of its own beside one that is spelt otherwise
    const { host, ...others } = REQUEST_HEADERS
    const headers = Object.entries({ Host: host, ...others }).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...headers]
    const url = `http://127.0.0.1:${port}${path}`
    const command = which('wrk') ?? 'wrk'
    if (uploadBytes === 0) return { command, args: [...args, url] }
    const folder = mkdtempSync(join(tmpdir(), 'pm-wrk-'))
    const script = join(folder, 'post.lua')
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${uploadBytes})\n`)
    return {
      command,
      args: [...args, '-s', script, url],
      clean: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
  read(stdout) {
    const field = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? ''
    const socketErrors = [...(/Socket errors: (.*)/.exec(stdout)?.[1] ?? '').matchAll(/\d+/g)]
    return {
      requests: Number(field(/(\d+) requests in/)),
      errors: Number(field(/Non-2xx or 3xx responses: (\d+)/)) + socketErrors.reduce((sum, [n]) => sum + Number(n), 0),
      requestsPerSecond: Number(field(/Requests\/sec:\s+([\d.]+)/)),
      p50Ms: milliseconds(field(/50%\s+(\S+)/)),
      p99Ms: milliseconds(field(/99%\s+(\S+)/)),
    }
  },
}

/** `812.00us`, `1.20ms`, `1.05s` */
function milliseconds(text: string): number {
  const factor = text.endsWith('us') ? 0.001 : text.endsWith('ms') ? 1 : 1000
  return Number.parseFloat(text) * factor
}
