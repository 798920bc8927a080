/**
 * What a supervisor has started, on disk, for the next one: after kill -9 of a whole mesh (guardian and all) the next
 * `up` ends what is left. A process is known by PID and start time, so a number given to a stranger is not touched.
 * In: home.stateFile. Owns that file while it lives.
 */
import { readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { PlainError } from '../client/errors.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { processStartTime } from '../lib/process-start.ts'

interface Known {
  pid: number
  startTime: string
}

interface State {
  supervisor: Known & { startedAt: string }
  /** Leaders of process groups. */
  processes: (Known & { what: string })[]
}

export class StateFile {
  readonly #file: string
  readonly #state: State

  private constructor(file: string, startedAt: string) {
    this.#file = file
    const startTime = processStartTime(process.pid) ?? ''
    this.#state = { supervisor: { pid: process.pid, startTime, startedAt }, processes: [] }
    this.#write()
  }

  /** Throws where a supervisor lives; otherwise ends what a dead one left, and takes over. */
  static open(file: string, startedAt: string): StateFile {
    const last = read(file)
    if (last !== undefined) {
      const { supervisor } = last
      if (supervisor.pid !== process.pid && isAlive(supervisor))
        throw new AlreadyRunningError(dirname(file), supervisor)
      for (const process of last.processes) if (isAlive(process)) killGroup(process.pid, 'SIGKILL')
    }
    return new StateFile(file, startedAt)
  }

  add(pid: number, what: string): void {
    const startTime = processStartTime(pid)
    if (startTime === undefined) return
    this.#state.processes.push({ pid, startTime, what })
    this.#write()
  }

  remove(pid: number): void {
    this.#state.processes = this.#state.processes.filter((process) => process.pid !== pid)
    this.#write()
  }

  close(): void {
    rmSync(this.#file, { force: true })
  }

  #write(): void {
    writeFileAtomic(this.#file, JSON.stringify(this.#state, null, 1))
  }
}

class AlreadyRunningError extends PlainError {
  readonly code = 'ALREADY_RUNNING'
  constructor(home: string, { pid, startedAt }: State['supervisor']) {
    super(
      `this mesh is running already (supervisor PID ${pid}, since ${startedAt}): "pocketmesh --home ${home} down" ends it`,
    )
  }
}

/** Signals a whole group; one that has ended is no error. */
export function killGroup(pgid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pgid, signal)
  } catch {
    // it has ended
  }
}

function isAlive({ pid, startTime }: Known): boolean {
  return processStartTime(pid) === startTime
}

function read(file: string): State | undefined {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as Partial<State>
    return state.supervisor === undefined
      ? undefined
      : { supervisor: state.supervisor, processes: state.processes ?? [] }
  } catch {
    return undefined
  }
}
