/**
 * More requests than anybody could answer, from h2load (nghttp2-client): a generator in JavaScript would be the limit
 * itself. In: a port, a rate. Out: what came of each, by its status. Nobody knows these requests by name: the
 * application numbers them, so that they can be counted on both sides.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FloodOptions {
  port: number
  connections: number
  seconds: number
  /** 0: each connection sends its next request as soon as it has an answer. */
  ratePerSecond: number
}

export interface FloodResult {
  perSecond: number
  answered: number
  okPerSecond: number
  ok: number
  /** How long each refusal took. */
  refusedMs: number[]
}

const BODY_BYTES = 1024

export function hasFloods(): boolean {
  return spawnSync('h2load', ['--version']).status === 0
}

export async function flood({ port, connections, seconds, ratePerSecond }: FloodOptions): Promise<FloodResult> {
  const folder = mkdtempSync(join(tmpdir(), 'pm-flood-'))
  const log = join(folder, 'log')
  const body = join(folder, 'body')
  writeFileSync(body, 'x'.repeat(BODY_BYTES))
  // at a rate: connections begin one after the other within one of their periods, or all would send at once each time
  const periodMs = (1000 * connections) / ratePerSecond
  const inAll = Math.floor(ratePerSecond * seconds)
  const perPeriod = Math.ceil(connections / periodMs)
  const pace =
    ratePerSecond === 0
      ? `-D ${seconds}`
      : `-n ${inAll} --rps ${(ratePerSecond / connections).toFixed(2)} -r ${perPeriod} --rate-period 1ms`
  const args = ['--h1', '-c', String(connections), '-d', body, '--log-file', log, ...pace.split(' ')]
  const child = spawn('h2load', [...args, `http://127.0.0.1:${port}/r`], { stdio: 'ignore' })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const startMs = performance.now()
  await once(child, 'exit')
  const took = (performance.now() - startMs) / 1000
  process.off('exit', kill)
  const result: FloodResult = { perSecond: 0, answered: 0, okPerSecond: 0, ok: 0, refusedMs: [] }
  // start in microseconds, status, duration in microseconds
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, status, tookUs] = line.split('\t')
    if (status === undefined) continue
    result.answered++
    if (status === '200') result.ok++
    else if (status === '503') result.refusedMs.push(Number(tookUs) / 1000)
  }
  result.perSecond = result.answered / took
  result.okPerSecond = result.ok / took
  rmSync(folder, { recursive: true, force: true })
  return result
}
