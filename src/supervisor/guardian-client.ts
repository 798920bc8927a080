/**
 * The supervisor's side of the guardian: keeps one running, tells it of every process group, and tells a new one all
 * over when one dies. In: PID and start time of a group's leader. Out: a promise that the guardian knows it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { EntryCommand } from '../lib/entry.ts'

const RESTART_MS = 100

export class GuardianClient {
  readonly #entry: EntryCommand
  readonly #socketDir: string
  readonly #onStart: (pid: number) => void
  readonly #groups = new Map<number, string>()
  readonly #waiting = new Map<number, () => void>()
  #child: ChildProcess | undefined
  #closed = false

  constructor(entry: EntryCommand, socketDir: string, onStart: (pid: number) => void) {
    this.#entry = entry
    this.#socketDir = socketDir
    this.#onStart = onStart
    this.#start()
  }

  /** Resolves when the guardian would end this group, were the supervisor to die now. */
  add(pgid: number, startTime: string): Promise<void> {
    this.#groups.set(pgid, startTime)
    return new Promise((done) => {
      this.#waiting.set(pgid, done)
      this.#child?.stdin?.write(`+ ${pgid} ${startTime}\n`)
    })
  }

  remove(pgid: number): void {
    this.#groups.delete(pgid)
    this.#waiting.delete(pgid)
    this.#child?.stdin?.write(`- ${pgid}\n`)
  }

  /** Lets the guardian end, with all that it still knows. */
  async close(): Promise<void> {
    this.#closed = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((done) => child.once('exit', done))
    child.stdin?.end('.\n')
    await exited
  }

  #start(): void {
    const { command, args } = this.#entry
    // stdin and stdout to nothing else: a group of its own, so that Ctrl-C in a terminal does not reach it
    const child = spawn(command, [...args, this.#socketDir], { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
    this.#child = child
    child.stdin.on('error', () => undefined)
    child.on('error', () => undefined)
    if (child.pid !== undefined) this.#onStart(child.pid)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const pgid = Number(line.split(' ')[1])
      this.#waiting.get(pgid)?.()
      this.#waiting.delete(pgid)
    })
    child.on('exit', () => {
      setTimeout(() => !this.#closed && this.#start(), RESTART_MS)
    })
    for (const [pgid, startTime] of this.#groups) child.stdin.write(`+ ${pgid} ${startTime}\n`)
  }
}
