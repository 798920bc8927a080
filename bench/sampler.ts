/**
 * One run of load through one subject, with what it cost. In: the load as a function. Out: its result, the CPU time of
 * the proxies in the meantime, and how busy everything else was, which the verdict is made of.
 */
import type { Subject } from './subject.ts'
import { cpuMs, machineTimes } from './system/processes.ts'

/** In cores: 1 is one core, all the time. */
export interface Busy {
  proxy: number
  load: number
  app: number
  /** Work on this machine that is none of ours. */
  other: number
  /** Taken by other machines on the same host. */
  stolen: number
}

export interface Sample<R> {
  result: R
  proxyCpuMs: number
  busy: Busy
}

export interface SampleSpec<R> {
  subject: Subject
  appPids: readonly number[]
  load: () => Promise<R & { loadCpuMs: number }>
}

export async function sample<R>({ subject, appPids, load }: SampleSpec<R>): Promise<Sample<R>> {
  const pids = subject.pids()
  const own = (): number => cpuMs([process.pid])
  const before = { atMs: performance.now(), proxy: cpuMs(pids), app: cpuMs(appPids), own: own(), ...machineTimes() }
  const result = await load()
  const { busyMs, stolenMs } = machineTimes()
  const wallMs = performance.now() - before.atMs
  const proxyCpuMs = cpuMs(pids) - before.proxy
  const appMs = cpuMs(appPids) - before.app
  const ours = proxyCpuMs + appMs + result.loadCpuMs + own() - before.own
  const share = (ms: number): number => Math.max(0, ms / wallMs)
  return {
    result,
    proxyCpuMs,
    busy: {
      proxy: share(proxyCpuMs),
      load: share(result.loadCpuMs),
      app: share(appMs),
      other: share(busyMs - before.busyMs - ours),
      stolen: share(stolenMs - before.stolenMs),
    },
  }
}

export interface Turns<C> {
  reps: number
  subjects: readonly Subject[]
  cells: readonly C[]
  warmUp: (subject: Subject) => Promise<void>
  run: (subject: Subject, cell: C, rep: number) => Promise<void>
  isOver: () => boolean
  /** What went wrong with a subject, which is then left out. */
  notes: string[]
}

/**
 * Repetitions of all subjects in all cells, taking turns, so that other work on the machine meets all alike. Who is
 * first changes too. Ends early when the time is over, after whole repetitions. Out: how many were done, and by whom.
 */
export async function interleave<C>(turns: Turns<C>): Promise<{ done: number; left: Subject[] }> {
  const { reps, subjects, cells, warmUp, run, isOver, notes } = turns
  const out = new Set<Subject>()
  const attempt = async (subject: Subject, what: () => Promise<void>): Promise<void> => {
    if (out.has(subject)) return
    try {
      await what()
    } catch (error) {
      out.add(subject)
      notes.push(`${subject.name} was left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const left = (): Subject[] => subjects.filter((subject) => !out.has(subject))
  for (const subject of subjects) await attempt(subject, () => warmUp(subject))
  for (let rep = 0; rep < reps; rep++) {
    if (rep > 0 && isOver()) return { done: rep, left: left() }
    for (const cell of cells)
      for (const subject of rotated(subjects, rep)) await attempt(subject, () => run(subject, cell, rep))
  }
  return { done: reps, left: left() }
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}
