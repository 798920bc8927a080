/** CPU time and memory of processes, from /proc (Linux). One that has ended throws: its figures would be too low. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { execFileSync } from 'node:child_process'

const clockTicks = existsSync('/proc/self/stat')
  ? Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  : 0

export const hasProc = clockTicks > 0

/** User and system time of all these processes together, in ms. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0)
}

function cpuMsOf(pid: number): number {
  const fields = statFields(pid)
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / clockTicks
}

/** The fields behind the name, which stands in brackets and may hold anything. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

export interface Memory {
  rssMiB: number
  /** Pages shared with other processes count by their share. */
  pssMiB: number
  privateMiB: number
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? NaN)
  return {
    rssMiB: kb('Rss') / 1024,
    pssMiB: kb('Pss') / 1024,
    privateMiB: (kb('Private_Clean') + kb('Private_Dirty')) / 1024,
  }
}

export function rssMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? NaN) / 1024
}

/** Children of a process: nginx's workers. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid)
}

function parentOf(pid: number): number {
  try {
    return Number(statFields(pid)[1])
  } catch {
    return -1
  }
}

/** Time that the whole machine worked, and that other machines took from it, since its start; in ms over all cores. */
export function machineTimes(): { busyMs: number; stolenMs: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number)
  const ms = (ticks: number): number => (ticks * 1000) / clockTicks
  return { busyMs: ms(user + nice + system + irq + softirq), stolenMs: ms(steal) }
}
