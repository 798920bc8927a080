/**
 * Load that is sent from inside a pod (load-worker.ts). In: where the pod is, what to send. Out: the worker's last
 * report. Owns the worker, which ends with this process at the latest.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { EnvResponse } from '../client/contract.ts'
import { entryCommand } from '../lib/entry.ts'
import { loadSummary } from './load.ts'
import type { WorkerOptions, WorkerReport } from './load-worker.ts'

const MAX_SAID = 2000

export class PodLoad {
  report: WorkerReport = { sent: 0, failed: 0, versions: {}, failures: {}, connectionsLost: 0, wordsInPlain: 0 }
  /** Resolves when the worker has ended, rejects where it failed. */
  readonly ended: Promise<void>
  readonly #worker: ChildProcess
  readonly #waiting: (() => void)[] = []
  #said = ''

  constructor({ enter, cwd, env }: EnvResponse, options: WorkerOptions) {
    const { command, args } = entryCommand('load')
    const line: string[] = [...enter, command, ...args, JSON.stringify(options)]
    const [file = command, ...words] = line
    // Ctrl-C is for the demo, which then ends the worker
    this.#worker = spawn(file, words, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    this.#worker.stdin?.on('error', () => undefined)
    this.#worker.stderr?.on(
      'data',
      (chunk: Buffer) => (this.#said = `${this.#said}${chunk.toString()}`.slice(-MAX_SAID)),
    )
    if (this.#worker.stdout !== null)
      createInterface({ input: this.#worker.stdout }).on('line', (line) => this.#onReport(line))
    this.ended = new Promise((done, fail) => {
      this.#worker.once('error', fail)
      this.#worker.once('close', (code) => {
        for (const wake of this.#waiting.splice(0)) wake()
        if (code === 0) done()
        else fail(new Error(`the load generator ended with ${code}: ${this.#said.trim()}`))
      })
    })
    this.ended.catch(() => undefined)
  }

  /** Sends this many, and resolves when all are answered or failed. */
  static async run(place: EnvResponse, options: WorkerOptions & { requests: number }): Promise<WorkerReport> {
    const load = new PodLoad(place, options)
    await load.ended
    return load.report
  }

  /** Has the report say what is so now. */
  async update(): Promise<void> {
    if (this.#worker.exitCode !== null || this.#worker.signalCode !== null) return this.ended
    const answered = new Promise<void>((wake) => this.#waiting.push(wake))
    this.#worker.stdin?.write('report\n')
    await answered
  }

  /** No new requests; resolves when those in flight are done. */
  stop(): Promise<void> {
    this.#worker.stdin?.end()
    return this.ended
  }

  /** `0 of 1,000 failed`, and why where some did. */
  summary(): string {
    return loadSummary(this.report)
  }

  #onReport(line: string): void {
    this.report = JSON.parse(line) as WorkerReport
    // a report that was under way when one was asked for is as good: it is not older than the question by much
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
