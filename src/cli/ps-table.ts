/** The table of pods that `ps` and `up` print, and the lines around it. In: the supervisor's answer. Pure. */
import type { PodState, PodStatus, PsResponse } from '../client/contract.ts'
import { age } from './age.ts'
import type { Paint, Tint } from './style.ts'
import { renderTable, type Cell, type TableOptions } from './table.ts'

const STATE_TINT: Record<PodState, Tint> = {
  starting: 'yellow',
  running: 'green',
  backoff: 'red',
  stopping: 'yellow',
  stopped: 'dim',
  failed: 'red',
}

const HEADS = ['NAME', 'VER', 'STATE', 'READY', 'PID', 'APP', 'SIDECAR', 'RESTARTS', 'EXIT', 'AGE']
const WIDE_HEADS = [...HEADS, 'ADDRESS', 'NAMESPACE', 'WORKLOAD', 'SIDECAR PID', 'SIDECAR RESTARTS']

export interface PsTableOptions extends TableOptions {
  nowEpochMs: number
  wide?: boolean
}

export function psTable(pods: readonly PodStatus[], options: PsTableOptions): string {
  const heads = options.wide === true ? WIDE_HEADS : HEADS
  const rows = pods.map((pod) => {
    const row = psRow(pod, options.nowEpochMs)
    return options.wide === true ? [...row, ...wideCells(pod)] : row
  })
  return renderTable(heads, rows, options)
}

function psRow(pod: PodStatus, nowEpochMs: number): Cell[] {
  const apps = pod.ports.map((port) => `${pod.address}:${port.appPort}`)
  return [
    pod.name,
    pod.version === '' ? '-' : pod.version,
    { text: pod.state, tint: STATE_TINT[pod.state] },
    pod.ready ? { text: 'yes', tint: 'green' } : { text: 'no', tint: 'yellow' },
    pod.pid === null ? '-' : String(pod.pid),
    apps.length === 0 ? '-' : apps.join(','),
    sidecarCell(pod),
    String(pod.restarts),
    pod.exit ?? '-',
    age(pod.startedAt, nowEpochMs),
  ]
}

/** Its inbound ports of this machine while it runs, else its state. */
function sidecarCell({ sidecar, ports, transparent }: PodStatus): Cell {
  if (sidecar === null) return { text: 'none', tint: 'dim' }
  if (sidecar.state !== 'running') return { text: sidecar.state, tint: STATE_TINT[sidecar.state] }
  return ports.length === 0 || transparent ? 'running' : ports.map((port) => `:${port.listenPort}`).join(',')
}

function wideCells(pod: PodStatus): Cell[] {
  const pid = pod.sidecar?.pid ?? null
  const restarts = String(pod.sidecar?.restarts ?? '-')
  return [pod.address, pod.namespace, pod.workload, pid === null ? '-' : String(pid), restarts]
}

/** Why pods are not ready, a line each. */
export function reasonLines(pods: readonly PodStatus[], branch: string): string[] {
  return pods.filter((pod) => pod.reason !== null).map((pod) => `  ${branch} ${pod.name}: ${pod.reason}`)
}

/** `mesh /home/a/.pocketmesh  intercept=env  control plane running (PID 4711)` */
export function meshLine({ mesh }: PsResponse, paint: Paint): string {
  const { state, pid, restarts } = mesh.control
  const control = pid === null ? state : `${state} (PID ${pid}${restarts === 0 ? '' : `, ${restarts} restarts`})`
  return `mesh ${paint('bold', mesh.home)}  intercept=${mesh.intercept}  control plane ${control}`
}

/** `frontend  http://127.0.0.1:8080`, one a line. */
export function publishedLines({ published }: PsResponse, paint: Paint): string[] {
  return published.map(({ service, url }) => `  ${service}  ${paint('cyan', url)}`)
}
