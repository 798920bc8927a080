/** The supervisor of `up`: in this process, or in one of its own that outlives the terminal. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pino from 'pino'
import { entryCommand } from '../lib/entry.ts'
import type { Home } from '../lib/home.ts'
import type { Log } from '../lib/log.ts'
import type { InterceptChoice } from '../supervisor/intercept.ts'
import { CliError } from './errors.ts'

/** Shown of the log when a detached supervisor fails. */
const LAST_LINES = 10

/** What a mesh is started with. */
export interface MeshOptions {
  intercept: InterceptChoice
  /** Lifetime of certificates; `undefined`: the control plane's default. */
  ttlSeconds: number | undefined
}

/** Supervises until SIGINT, SIGTERM or `down`; `onStarted` runs once the control plane answers. */
export async function runSupervising(
  home: Home,
  { intercept, ttlSeconds }: MeshOptions,
  onStarted?: () => Promise<void>,
): Promise<void> {
  const { runSupervisor } = await import('../supervisor/supervisor.ts')
  await runSupervisor({
    home,
    intercept,
    log: supervisorLog(home),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(onStarted === undefined ? {} : { onStarted }),
  })
}

/** To a file: the terminal shows the programs. */
function supervisorLog(home: Home): Log {
  mkdirSync(home.logsDir, { recursive: true, mode: 0o700 })
  const level = process.env['POCKETMESH_LOG'] ?? 'info'
  const options = { level, base: { component: 'supervisor' }, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(options, pino.destination({ dest: logFile(home), sync: true }))
}

function logFile(home: Home): string {
  return join(home.logsDir, 'supervisor.log')
}

export interface Detached {
  /** Rejects with the end of its log when it ends. */
  failed: Promise<never>
  /** This process may end without it. */
  release(): void
}

/** Starts this program again as a supervisor in a session of its own. */
export function startDetached(home: Home, { intercept, ttlSeconds }: MeshOptions): Detached {
  mkdirSync(home.logsDir, { recursive: true, mode: 0o700 })
  const log = openSync(logFile(home), 'a', 0o600)
  const { command, args } = entryCommand('cli')
  const flags = [
    '--home',
    home.dir,
    'up',
    '--supervise',
    '--intercept',
    intercept,
    ...(ttlSeconds === undefined ? [] : ['--ttl', String(ttlSeconds)]),
  ]
  const child = spawn(command, [...args, ...flags], { detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const failed = new Promise<never>((_done, fail) => {
    child.once('error', fail)
    child.once('exit', () => fail(new CliError(`the supervisor ended\n${lastLines(logFile(home))}`)))
  })
  // it is looked at only while this process waits
  failed.catch(() => undefined)
  return { failed, release: () => child.unref() }
}

function lastLines(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LAST_LINES)
    return lines.map((line) => `  ${line}`).join('\n')
  } catch {
    return `  (no log at ${file})`
  }
}
