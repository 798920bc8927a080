/** A process that the benchmark starts on its core, and ends. Its standard error is kept for the message when it dies. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { onCore } from './cores.ts'
import type { Role } from './cores.ts'

/** Whatever way this program ends, its children end with it. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

const KEPT_BYTES = 4000
const END_WITHIN_MS = 3000

export interface ChildSpec {
  name: string
  role: Role
  command: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  /** Messages by `process.send`. */
  ipc?: boolean
  /** For `output()`. */
  keepsOutput?: boolean
}

export class Child {
  readonly name: string
  readonly process: ChildProcess
  #said = ''

  constructor({ name, role, command, args, env = {}, ipc = false, keepsOutput = false }: ChildSpec) {
    this.name = name
    const [program, all] = onCore(role, command, args)
    this.process = spawn(program, all, {
      stdio: ['ignore', keepsOutput ? 'pipe' : 'ignore', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
      env: { ...process.env, ...env },
    })
    this.process.stderr?.on('data', (bytes: Buffer) => {
      this.#said = (this.#said + bytes.toString()).slice(-KEPT_BYTES)
    })
    running.add(this.process)
    this.process.on('exit', () => running.delete(this.process))
    this.process.on('error', (error) => (this.#said += error.message))
  }

  get pid(): number {
    const { pid } = this.process
    if (pid === undefined) throw new Error(`${this.name} did not start: ${this.#said}`)
    return pid
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null
  }

  /** What a message about its early end says. */
  get lastWords(): string {
    return this.#said.trim()
  }

  /** What it has printed when it has ended by itself; rejects when it ended with an error. */
  async output(): Promise<string> {
    const pieces: string[] = []
    this.process.stdout?.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece))
    const [code] = (await once(this.process, 'close')) as [number | null]
    if (code !== 0) throw new Error(`${this.name} failed (${code ?? 'by a signal'}): ${this.lastWords}`)
    return pieces.join('')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.hasEnded || this.process.pid === undefined) return
    const exit = once(this.process, 'exit')
    this.process.kill(signal)
    const timer = setTimeout(() => this.process.kill('SIGKILL'), END_WITHIN_MS)
    await exit
    clearTimeout(timer)
  }
}
