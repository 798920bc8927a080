/**
 * One container's program: its process, its probes, its backoff. In: the plan and the environment. Out: whether it is
 * ready, and why not. Ready without a probe: once its first port accepts; without a port: once it runs.
 */
import { statSync } from 'node:fs'
import type { PodState } from '../client/contract.ts'
import { shellQuote, startProgram, type Child, type Keepers } from './child.ts'
import { expand } from './environment.ts'
import { noteInLog } from './log-file.ts'
import type { ContainerPlan, Probe } from './plan.ts'
import type { PodNetwork, ProbeKind } from './pod-network.ts'
import { defaultProbe, startProbe, type ProbeLoop } from './probe.ts'
import { Restarter } from './restarter.ts'

export interface ProgramOptions {
  plan: ContainerPlan
  /** `default/frontend-v1-0 server` */
  what: string
  network: PodNetwork
  logFile: string
  keepers: Keepers
  graceMs: number
  /** Of each start: Services may have come since the last. */
  environment: () => Record<string, string>
  onReady: (ready: boolean, reason: string | null) => void
}

export class Program {
  readonly plan: ContainerPlan
  readonly #options: ProgramOptions
  readonly #restarter: Restarter
  #probes: ProbeLoop[] = []
  env: Record<string, string> = {}
  /** `code 1` */
  exit: string | null = null
  started = false

  constructor(options: ProgramOptions) {
    this.#options = options
    this.plan = options.plan
    this.#restarter = new Restarter({
      eager: false,
      launch: () => this.#launch(),
      onStart: (child) => this.#startProbes(child),
      onEnd: (exit, reason) => this.#onEnd(exit, reason),
    })
  }

  get pid(): number | null {
    return this.#restarter.pid
  }

  get state(): PodState {
    return this.plan.command === null ? 'failed' : this.#restarter.state
  }

  get restarts(): number {
    return this.#restarter.restarts
  }

  /** Once; later calls do nothing. */
  start(): void {
    if (this.started) return
    this.started = true
    if (this.plan.command === null) this.#options.onReady(false, this.plan.reason)
    else this.#restarter.start()
  }

  async stop(graceMs = this.#options.graceMs): Promise<void> {
    this.#stopProbes()
    if (this.started && this.plan.command !== null) await this.#restarter.stop(graceMs)
  }

  kill(forMs: number | undefined): boolean {
    return this.#restarter.kill(forMs)
  }

  killNow(): void {
    this.#stopProbes()
    this.#restarter.killNow()
  }

  async #launch(): Promise<Child> {
    const { plan, what, logFile, keepers, network } = this.#options
    await network.checkProgram(plan)
    if (!(statSync(plan.cwd, { throwIfNoEntry: false })?.isDirectory() ?? false))
      throw new Error(`its working folder ${plan.cwd} is not there`)
    this.env = this.#options.environment()
    const words = plan.args.map((arg) => shellQuote(expand(arg, this.env)))
    const line = [plan.command, ...words].join(' ')
    return startProgram({ what, cwd: plan.cwd, env: this.env, logFile }, network.programPrefix(plan.cwd), line, keepers)
  }

  #startProbes(child: Child): void {
    const { plan, onReady, network, logFile, graceMs } = this.#options
    const start = (kind: ProbeKind, probe: Probe, onVerdict: (ok: boolean) => void): void => {
      this.#probes.push(startProbe(probe, kind, () => network.probe(plan, kind, probe, this.env), onVerdict))
    }
    const readiness = plan.readiness ?? defaultProbe(plan)
    if (readiness === undefined) onReady(true, null)
    else start('readyz', readiness, (ok) => onReady(ok, ok ? null : 'its readiness probe fails'))
    if (plan.liveness === undefined) return
    start('livez', plan.liveness, (ok) => {
      if (ok) return
      noteInLog(logFile, 'its liveness probe fails: it is started anew')
      void child.stop(graceMs)
    })
  }

  #stopProbes(): void {
    for (const probe of this.#probes) probe.stop()
    this.#probes = []
  }

  #onEnd(exit: string | null, reason: string | null): void {
    this.#stopProbes()
    if (exit !== null) this.exit = exit
    const { onReady, logFile } = this.#options
    onReady(false, reason ?? `it ended with ${exit}; see ${logFile}`)
    if (this.#restarter.state !== 'stopping') noteInLog(logFile, reason ?? `ended with ${exit}`)
  }
}
