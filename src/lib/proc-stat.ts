/**
 * The line that Linux has of each process, /proc/PID/stat (proc(5)). In: a PID. Out: its fields, as text. Linux only.
 */
import { readFileSync } from 'node:fs'

export interface ProcStat {
  /** PID of its parent. */
  parent: string
  /** Clock ticks from the machine's start to its own. */
  startTime: string
}

/** Place of `state` (field 3), `ppid` (4) and `starttime` (22) after the command's closing bracket. */
const STATE = 0
const PARENT = 1
const START_TIME = 19

/** `undefined` when there is no such process, or when it has ended and only waits for its parent. */
export function procStat(pid: number): ProcStat | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // the command may hold blanks and brackets: count from the last bracket on
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parent, startTime] = [fields[STATE], fields[PARENT], fields[START_TIME]]
  if (state === 'Z' || state === 'X' || parent === undefined || startTime === undefined) return undefined
  return { parent, startTime }
}
