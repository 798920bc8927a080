/**
 * Row `memory`: a sidecar's resident, proportional and private memory: idle, when eight run, after load, and what
 * 10,000 idle connections add. Each from a fresh start.
 */
import { FRESH } from '../names.ts'
import { oneHop } from '../sidecar/sidecars.ts'
import { BARE, EVERYTHING } from '../sidecar/features.ts'
import { digits } from '../stats/results.ts'
import { median } from '../stats/summary.ts'
import type { Line } from '../stats/table.ts'
import type { Subject } from '../subject.ts'
import type { SubjectName } from '../subjects.ts'
import type { Memory } from '../system/processes.ts'
import { memoryOf } from '../system/processes.ts'
import { applyLoad } from '../tools/closed-loop.ts'
import type { Row, RowContext } from './row.ts'

const SETTLE_MS = 1500
const TOGETHER = 8
const LOADED: readonly SubjectName[] = ['all', 'haproxy-h2', 'nginx', 'caddy', 'envoy']
const LOAD_SECONDS = { quick: 2, default: 10, full: 600 }
const IDLE_CONNECTIONS = 10_000

export const memory: Row = async (context) => {
  const { stage, plan } = context
  const notes: string[] = []
  const lines = [...(await startsAndConnections(context)), ...(await together(context))]
  const names = plan.mode === 'quick' ? LOADED.slice(0, 1) : LOADED
  // those that rows before this have used would tell what these have left behind
  await stage.release(names)
  for (const subject of await stage.subjects(names, notes)) {
    const seconds = plan.seconds ?? LOAD_SECONDS[plan.mode]
    await applyLoad({ port: subject.ports.http, path: '/1k', connections: 64, seconds })
    lines.push(keep(context, subject.name, `after ${seconds} s at c=64`, subject.pids().map(memoryOf)))
  }
  return { title: 'Memory of each proxy process, MiB', lines, notes }
}

async function startsAndConnections(context: RowContext): Promise<Line[]> {
  const { stage } = context
  const subject = await oneHop(stage.setting, { name: FRESH, features: { ...EVERYTHING, tracing: false } })
  const cell = `with ${IDLE_CONNECTIONS} idle connections`
  try {
    await settle()
    const before = subject.pids().map(memoryOf)
    await stage.load.run({ kind: 'idle', port: subject.ports.http, connections: IDLE_CONNECTIONS })
    await settle()
    const after = subject.pids().map(memoryOf)
    return [keep(context, subject.name, 'idle', before), keep(context, subject.name, cell, after)]
  } finally {
    await stage.load.run({ kind: 'close' })
    await subject.stop()
  }
}

async function together(context: RowContext): Promise<Line[]> {
  const subjects: Subject[] = []
  try {
    for (let i = 0; i < TOGETHER; i++)
      subjects.push(await oneHop(context.stage.setting, { name: `Pocketmesh, of ${TOGETHER}, ${i}`, features: BARE }))
    await settle()
    const sizes = subjects.flatMap((subject) => subject.pids().map(memoryOf))
    return [keep(context, 'Pocketmesh', `idle, ${TOGETHER} at once`, sizes)]
  } finally {
    for (const subject of subjects) await subject.stop()
  }
}

/** The median of the processes. */
function keep({ results }: RowContext, subject: string, cell: string, sizes: readonly Memory[]): Line {
  const of = (field: keyof Memory): number => {
    const value = median(sizes.map((size) => size[field]))
    results.add({ row: 'memory', subject, cell, metric: field }, value)
    return value
  }
  return {
    subject,
    when: cell,
    processes: sizes.length,
    RSS: digits(of('rssMiB')),
    PSS: digits(of('pssMiB')),
    private: digits(of('privateMiB')),
  }
}

function settle(): Promise<void> {
  return new Promise((done) => setTimeout(done, SETTLE_MS))
}
