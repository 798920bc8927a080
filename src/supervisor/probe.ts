/**
 * Whether a program is ready (or alive), as the kubelet asks it. In: a probe, and who asks it.
 * Out: calls back with each verdict that differs from the last. Owns one timer.
 */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import type { ContainerPlan, Probe } from './plan.ts'
import type { ProbeKind } from './pod-network.ts'

/** Until its first success readiness is asked more often than its period: a program of this machine starts fast. */
const EAGER_MS = 50
const MAX_EAGER_MS = 1000

export interface ProbeTarget {
  /** App port of a container port, by number or name. */
  port(port: number | string): number | undefined
  cwd: string
  env: Record<string, string>
}

export interface ProbeLoop {
  stop(): void
}

/** Kubernetes: ready after `successThreshold` successes in a row, not after `failureThreshold` failures. */
export function startProbe(
  probe: Probe,
  kind: ProbeKind,
  run: () => Promise<boolean>,
  onVerdict: (ok: boolean) => void,
): ProbeLoop {
  const periodMs = (probe.periodSeconds ?? 10) * 1000
  let eagerMs = EAGER_MS
  let verdict: boolean | undefined
  let successes = 0
  let failures = 0
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const ask = async (): Promise<void> => {
    const ok = await run()
    if (stopped) return
    successes = ok ? successes + 1 : 0
    failures = ok ? 0 : failures + 1
    const next = ok
      ? successes >= (probe.successThreshold ?? 1) || verdict
      : failures >= (probe.failureThreshold ?? 3)
        ? false
        : verdict
    if (next !== undefined && next !== verdict) {
      verdict = next
      onVerdict(next)
      if (stopped) return
    }
    eagerMs = Math.min(eagerMs * 1.3, MAX_EAGER_MS)
    // liveness never: its failures would be counted before the program could start
    const isEager = kind === 'readyz' && verdict !== true
    timer = setTimeout(() => void ask(), isEager ? Math.min(eagerMs, periodMs) : periodMs)
  }
  timer = setTimeout(() => void ask(), (probe.initialDelaySeconds ?? 0) * 1000)
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

/** Without a probe a program is ready once its first port accepts; without a port, once it runs. */
export function defaultProbe(container: ContainerPlan): Probe | undefined {
  const port = container.ports[0]?.containerPort
  return port === undefined ? undefined : { tcpSocket: { port }, failureThreshold: Number.MAX_SAFE_INTEGER }
}

/** Asked once, from this process. */
export async function runProbe(probe: Probe, target: ProbeTarget): Promise<boolean> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  if (probe.httpGet !== undefined) return httpProbe(probe.httpGet, target, timeoutMs)
  if (probe.tcpSocket !== undefined) return tcpProbe(target.port(probe.tcpSocket.port), timeoutMs)
  if (probe.exec !== undefined) return execProbe(probe.exec.command, target, timeoutMs)
  return true
}

async function httpProbe(get: NonNullable<Probe['httpGet']>, target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  const port = target.port(get.port)
  if (port === undefined) return false
  const { request } = await import('undici')
  const path = get.path ?? '/'
  const url = `${(get.scheme ?? 'HTTP').toLowerCase()}://127.0.0.1:${port}${path.startsWith('/') ? path : `/${path}`}`
  try {
    const headers: Record<string, string> = { 'user-agent': 'kube-probe/pocketmesh', connection: 'close' }
    for (const { name, value } of get.httpHeaders ?? []) headers[name] = value
    const response = await request(url, { headers, signal: AbortSignal.timeout(timeoutMs) })
    await response.body.dump()
    return response.statusCode >= 200 && response.statusCode < 400
  } catch {
    return false
  }
}

/** Whether somebody accepts on a loopback port. */
function tcpProbe(port: number | undefined, timeoutMs: number): Promise<boolean> {
  if (port === undefined) return Promise.resolve(false)
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (ok: boolean): void => {
      socket.destroy()
      done(ok)
    }
    socket.setTimeout(timeoutMs, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

function execProbe(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  const [file = 'false', ...args] = command
  return new Promise((done) => {
    const child = spawn(file, args, { cwd: target.cwd, env: target.env, stdio: 'ignore', timeout: timeoutMs })
    child.once('error', () => done(false))
    child.once('exit', (code) => done(code === 0))
  })
}
