/**
 * When a process started: with its PID, a name that no later process shares, so that a PID file left by a crash
 * is told from a live owner. In: a PID. Out: an opaque string, compared only with others of this function.
 */
import { execFileSync } from 'node:child_process'
import { procStat } from './proc-stat.ts'

/** `undefined` when there is no such process, or when it has ended and only waits for its parent. */
export function processStartTime(pid: number): string | undefined {
  return process.platform === 'linux' ? procStat(pid)?.startTime : fromPs(pid)
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
