/**
 * When a process started: with its PID, a name that no later process shares, so that a PID file left by a crash
 * is told from a live owner. In: a PID. Out: an opaque string, compared only with others of this function.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Place of `state` and `starttime` after the command's closing bracket in /proc/PID/stat (proc(5), fields 3 and 22). */
const STATE = 0
const START_TIME = 19

/** `undefined` when there is no such process, or when it has ended and only waits for its parent. */
export function processStartTime(pid: number): string | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

function fromProc(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The command may hold blanks and brackets: count from the last bracket on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[STATE]
  return state === 'Z' || state === 'X' ? undefined : fields[START_TIME]
}

function fromPs(pid: number): string | undefined {
  try {
    const out = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [state = '', ...start] = out.trim().split(/\s+/)
    return state === '' || state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    return undefined
  }
}
