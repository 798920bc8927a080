/**
 * The control plane's process: started, started again with backoff when it dies, ended last of all.
 * In: home, TTL of certificates. Out: its state; whether the API answers is the client's to ask.
 */
import { join } from 'node:path'
import type { PodState } from '../client/contract.ts'
import type { EntryCommand } from '../lib/entry.ts'
import type { Home } from '../lib/home.ts'
import { startOwn, type Keepers } from './child.ts'
import { Restarter } from './restarter.ts'
import { processEnvironment } from './sidecar.ts'

const EXIT_MS = 3000

export interface ControlOptions {
  home: Home
  entry: EntryCommand
  keepers: Keepers
  ttlSeconds: number | undefined
  onChange: (reason: string | null) => void
}

export class ControlProcess {
  readonly logFile: string
  readonly #restarter: Restarter

  constructor({ home, entry, keepers, ttlSeconds, onChange }: ControlOptions) {
    this.logFile = join(home.logsDir, 'control.log')
    const ttl = ttlSeconds === undefined ? [] : ['--ttl', String(ttlSeconds)]
    const args = [...entry.args, '--home', home.dir, '--exit-with-stdin', ...ttl]
    const env = { ...processEnvironment(), POCKETMESH_LOG: process.env['POCKETMESH_LOG'] ?? 'info' }
    const spec = { what: 'control', cwd: home.dir, env, logFile: this.logFile }
    this.#restarter = new Restarter({
      eager: true,
      launch: () => startOwn(spec, entry.command, args, keepers),
      onStart: () => onChange(null),
      onEnd: (exit, reason) => onChange(reason ?? `the control plane ended with ${exit}; see ${this.logFile}`),
    })
  }

  get status(): { pid: number | null; state: PodState; restarts: number } {
    const { pid, state, restarts } = this.#restarter
    return { pid, state, restarts }
  }

  start(): void {
    this.#restarter.start()
  }

  stop(): Promise<void> {
    return this.#restarter.stop(EXIT_MS)
  }

  kill(forMs: number | undefined): boolean {
    return this.#restarter.kill(forMs)
  }

  killNow(): void {
    this.#restarter.killNow()
  }
}
