/**
 * Ends the applications of a mesh when its supervisor is gone, however it went. One process per mesh, in a process
 * group of its own. In, on standard input, one a line: `+ PGID STARTTIME` (answered with `+ PGID`), `- PGID`, and `.`
 * before an orderly end; as its argument the folder of the mesh's sockets.
 * When standard input closes, every process group that is still listed is ended: SIGTERM, then SIGKILL; without a `.`
 * the sockets that nobody removes any more are removed.
 * A group is left alone when its leader has another start time: the number was given to a stranger.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { processStartTime } from '../lib/process-start.ts'

const GRACE_MS = 500

const [socketDir = ''] = process.argv.slice(2)
const groups = new Map<number, string>()
let orderly = false

function kill(pgid: number, startTime: string, signal: NodeJS.Signals): void {
  const now = processStartTime(pgid)
  if (now !== undefined && now !== startTime) return
  try {
    process.kill(-pgid, signal)
  } catch {
    // it has ended
  }
}

function removeSockets(): void {
  for (const name of socketNames()) {
    try {
      // a control plane that ends meanwhile removes its own: what is gone must not save the rest
      rmSync(join(socketDir, name), { force: true })
    } catch {
      // no socket, or not ours
    }
  }
}

function socketNames(): string[] {
  try {
    return readdirSync(socketDir).filter((name) => name.endsWith('.sock'))
  } catch {
    // the folder is gone
    return []
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
// the reader of the answers may be gone
process.stdout.on('error', () => undefined)

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [verb, pid, startTime = ''] = line.split(' ')
  if (verb === '.') orderly = true
  const pgid = Number(pid)
  if (!Number.isInteger(pgid) || pgid <= 1) return
  if (verb === '-') groups.delete(pgid)
  else if (verb === '+') {
    groups.set(pgid, startTime)
    process.stdout.write(`+ ${pgid}\n`)
  }
})
lines.on('close', () => {
  // at once: later they may be those of the next mesh in this home
  if (!orderly) removeSockets()
  for (const [pgid, startTime] of groups) kill(pgid, startTime, 'SIGTERM')
  setTimeout(
    () => {
      for (const [pgid, startTime] of groups) kill(pgid, startTime, 'SIGKILL')
      process.exit(0)
    },
    groups.size === 0 ? 0 : GRACE_MS,
  )
})
