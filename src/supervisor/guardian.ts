/**
 * Ends the applications of a mesh when its supervisor is gone, however it went. One process per mesh, in a process
 * group of its own. In, on standard input, one a line: `+ PGID STARTTIME` (answered with `+ PGID`), `- PGID`.
 * When standard input closes, every process group that is still listed is ended: SIGTERM, then SIGKILL.
 * A group is left alone when its leader has another start time: the number was given to a stranger.
 */
import { createInterface } from 'node:readline'
import { processStartTime } from '../lib/process-start.ts'

const GRACE_MS = 500

const groups = new Map<number, string>()

function kill(pgid: number, startTime: string, signal: NodeJS.Signals): void {
  const now = processStartTime(pgid)
  if (now !== undefined && now !== startTime) return
  try {
    process.kill(-pgid, signal)
  } catch {
    // it has ended
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
// the reader of the answers may be gone
process.stdout.on('error', () => undefined)

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [verb, pid, startTime = ''] = line.split(' ')
  const pgid = Number(pid)
  if (!Number.isInteger(pgid) || pgid <= 1) return
  if (verb === '-') groups.delete(pgid)
  else if (verb === '+') {
    groups.set(pgid, startTime)
    process.stdout.write(`+ ${pgid}\n`)
  }
})
lines.on('close', () => {
  for (const [pgid, startTime] of groups) kill(pgid, startTime, 'SIGTERM')
  setTimeout(
    () => {
      for (const [pgid, startTime] of groups) kill(pgid, startTime, 'SIGKILL')
      process.exit(0)
    },
    groups.size === 0 ? 0 : GRACE_MS,
  )
})
