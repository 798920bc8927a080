/** Programs that speak HTTP/2 and are not ours, as processes: h2-peer.py with python3-h2, nghttp, h2load, curl. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const PEER = fileURLToPath(new URL('h2-peer.py', import.meta.url))
const LIMIT_MS = 60_000

export interface Ran {
  code: number | null
  out: Buffer
  err: string
}

/** Runs to its end. */
export async function run(command: string, args: string[], input?: Buffer): Promise<Ran> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: LIMIT_MS })
  child.stdin.on('error', () => {}).end(input)
  const pieces: Buffer[] = []
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => pieces.push(chunk))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out: Buffer.concat(pieces), err }
}

/** A Python with h2; `null` where there is none: then the test skips, or fails where all tools are required. */
export function pythonWithH2(t: Pick<Test, 'pass' | 'fail'>): string | null {
  const has = (python: string): boolean => spawnSync(python, ['-c', 'import h2']).status === 0
  const found = ['python3', '/usr/bin/python3'].find(has)
  if (found !== undefined) return found
  if (process.env['POCKETMESH_REQUIRE_TOOLS'] === '1') t.fail('python3-h2 is not installed')
  else t.pass('python3-h2 is not installed', { skip: 'needs python3-h2' })
  return null
}

export interface Served {
  requests: number
  connections: number
  /** Values that clients announced. */
  push: number[]
  table: number[]
}

/** The application of apps.ts by python3-h2. `end`: what it has seen. */
export async function pythonApp(
  t: Test,
  python: string,
  options: Record<string, number> = {},
): Promise<{ port: number; end(): Promise<Served>; errors(): string }> {
  const args = Object.entries(options).map(([key, value]) => `${key}=${value}`)
  const child = spawn(python, [PEER, 'serve', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const lines = createInterface(child.stdout)
  const [port] = (await once(lines, 'line')) as [string]
  const last = once(lines, 'line')
  const end = async (): Promise<Served> => {
    child.stdin.end()
    return JSON.parse(((await last) as [string])[0]) as Served
  }
  return { port: Number(port), end, errors: () => errors }
}

/** Every scenario of h2-peer.py's client, by name; `null` where it did not get to its end, which the test then shows. */
export async function pythonAsks(python: string, port: number, ca?: string): Promise<Record<string, unknown> | string> {
  const { code, out, err } = await run(python, [PEER, 'ask', String(port), ...(ca === undefined ? [] : [ca])])
  return code === 0 ? (JSON.parse(out.toString()) as Record<string, unknown>) : err
}

export interface Load {
  succeeded: number
  failed: number
  /** By class, 2 to 5. */
  statuses: number[]
  out: string
}

/** `h2load -n -c -m URL`. */
export async function h2load(url: string, args: string[]): Promise<Load> {
  const { out, err } = await run('h2load', [...args, url])
  const text = out.toString() + err
  const [, succeeded = 'NaN', failed = 'NaN'] = /requests: .* (\d+) succeeded, (\d+) failed/.exec(text) ?? []
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text)?.slice(1).map(Number) ?? []
  return { succeeded: Number(succeeded), failed: Number(failed), statuses, out: text }
}
