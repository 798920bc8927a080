/**
 * One process that the supervisor starts, leader of a process group of its own. In: what to run, where its output goes.
 * Out: its PID and how it ended. A program, which would not end by itself, is started paused: a shell waits for a line
 * on descriptor 3 before it becomes the program, and gets it once the guardian knows the group.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { childOf } from '../lib/child-of.ts'
import { processStartTime } from '../lib/process-start.ts'
import type { GuardianClient } from './guardian-client.ts'
import { openLog } from './log-file.ts'
import { killGroup, type StateFile } from './state-file.ts'

/** `sh` ends when the supervisor dies before it has said go: `read` then meets the end of the pipe. */
const PAUSED = 'read -r go <&3 || exit 1; exec 3<&-; exec /bin/sh -c "$1"'

export interface Keepers {
  guardian: GuardianClient
  state: StateFile
}

export interface ChildSpec {
  /** For the state file: `default/frontend-v1-0 istio-proxy`. */
  what: string
  cwd: string
  env: Record<string, string>
  logFile: string
}

export class Child {
  readonly pid: number
  /** `code 1`, `signal SIGKILL`. */
  readonly exited: Promise<string>
  #running = true

  /** `ended`: asked for when the process was started, for it may have ended since. */
  constructor(pid: number, ended: Promise<string>, onExit: () => void) {
    this.pid = pid
    this.exited = ended.then((exit) => {
      this.#running = false
      // what the program has started goes with it
      killGroup(pid, 'SIGKILL')
      onExit()
      return exit
    })
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) killGroup(this.pid, signal)
  }

  /** SIGTERM, and SIGKILL where it takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs)
    await this.exited
    clearTimeout(timer)
  }
}

/** A process of Pocketmesh's own: it ends when its standard input closes. */
export async function startOwn(
  spec: ChildSpec,
  command: string,
  args: readonly string[],
  keepers: Keepers,
): Promise<Child> {
  const log = openLog(spec.logFile)
  const process = spawn(command, args, { cwd: spec.cwd, env: spec.env, stdio: ['pipe', log, log], detached: true })
  closeSync(log)
  process.stdin?.on('error', () => undefined)
  const ended = endOf(process)
  const pid = await pidOf(process)
  keepers.state.add(pid, spec.what)
  return new Child(pid, ended, () => keepers.state.remove(pid))
}

/**
 * A line for `/bin/sh -c`, guarded. `prefix`: words that take it into a pod, where the shell is a child of the process
 * started; it leads a process group of its own there too.
 */
export async function startProgram(
  spec: ChildSpec,
  prefix: readonly string[],
  line: string,
  keepers: Keepers,
): Promise<Child> {
  const log = openLog(spec.logFile)
  const shell = ['/bin/sh', '-c', PAUSED, 'sh', line]
  const [command = '', ...args] = prefix.length === 0 ? shell : [...prefix, 'setsid', ...shell]
  const process = spawn(command, args, {
    cwd: spec.cwd,
    env: spec.env,
    stdio: ['ignore', log, log, 'pipe'],
    detached: true,
  })
  closeSync(log)
  const go = process.stdio[3] as Writable
  go.on('error', () => undefined)
  const ended = endOf(process)
  const started = await pidOf(process)
  const pid = prefix.length === 0 ? started : await childOf(started)
  const child = new Child(pid, ended, () => {
    keepers.guardian.remove(pid)
    keepers.state.remove(pid)
  })
  keepers.state.add(pid, spec.what)
  await keepers.guardian.add(pid, processStartTime(pid) ?? '')
  go.end('go\n')
  return child
}

function endOf(process: ChildProcess): Promise<string> {
  return new Promise((done) => {
    process.once('exit', (code, signal) => done(signal === null ? `code ${code}` : `signal ${signal}`))
  })
}

function pidOf(process: ChildProcess): Promise<number> {
  return new Promise((done, fail) => {
    process.once('error', fail)
    if (process.pid !== undefined) done(process.pid)
  })
}

/** A word for the shell, quoted where it must be. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
