/**
 * One pod's life: ports, report, sidecar, programs, readiness; later withdrawal, drain and end.
 * In: a plan, the Services as they come and go. Out: reports to the control plane, a status for `ps`.
 *
 *   starting -> running (ready or not) -> stopping -> stopped          failed: no command to run
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EnvResponse, Pod, PodState, PodStatus, PodUpstream, ServiceView } from '../client/contract.ts'
import { podAdminSocket, podDir } from '../lib/home.ts'
import type { Log } from '../lib/log.ts'
import { withContainerEnv } from './environment.ts'
import type { ContainerPlan, DeploymentPlan } from './plan.ts'
import type { PodContext } from './pod-context.ts'
import type { PodNetwork } from './pod-network.ts'
import { Program } from './program.ts'
import { processEnvironment, Sidecar } from './sidecar.ts'

/** A pod that could not even be set up makes room for another try. */
const RETRY_MS = 1000
const DELIVERY_MS = 3000
/** After the last proxy has heard of the withdrawal: what was sent just before it still arrives. */
const SETTLE_MS = 200
/** Longest wait for programs when the whole mesh ends. */
const SHUTDOWN_GRACE_MS = 4000
/** The name of the proxy as a container, in Istio and for `exec -c`. */
const PROXY_CONTAINER = 'istio-proxy'

export class PodRunner {
  readonly name: string
  readonly plan: DeploymentPlan
  readonly #context: PodContext
  readonly #log: Log
  readonly #uid = randomUUID()
  readonly #startedAt = new Date().toISOString()
  readonly #logFile: string
  readonly #proxyLogFile: string
  #pod: Pod | undefined
  readonly #network: PodNetwork
  #sidecar: Sidecar | undefined
  #programs: Program[] = []
  #sidecarReady = false
  readonly #unready = new Map<string, string | null>()
  #sidecarReason: string | null = 'its sidecar is starting'
  #reported: Promise<number> = Promise.resolve(0)
  /** The last report, as JSON. */
  #told = ''
  #stopping: Promise<void> | undefined
  #releaseStart: () => void = () => undefined
  /** To be replaced: asked for, or its place was lost. */
  outdated = false

  constructor(plan: DeploymentPlan, name: string, context: PodContext) {
    this.plan = plan
    this.name = name
    this.#context = context
    this.#log = context.log.child({ pod: `${plan.namespace}/${name}` })
    this.#network = context.network({
      plan,
      name,
      services: context.services,
      namesFile: join(podDir(context.home, plan.namespace, name), 'names.json'),
      adminSocket: podAdminSocket(context.home, plan.namespace, name),
      onLost: () => this.#onLost(),
    })
    const file = plan.namespace === 'default' ? name : `${plan.namespace}.${name}`
    this.#logFile = join(context.home.logsDir, `${file}.log`)
    this.#proxyLogFile = join(context.home.logsDir, `${file}.proxy.log`)
    for (const container of plan.template.containers) this.#unready.set(container.name, 'it is starting')
  }

  get namespace(): string {
    return this.plan.namespace
  }

  get stopping(): boolean {
    return this.#stopping !== undefined
  }

  get ready(): boolean {
    return !this.stopping && (!this.#network.hasProxy || this.#sidecarReady) && this.#unready.size === 0
  }

  /** It cannot become ready by itself. */
  get failed(): boolean {
    return this.plan.template.containers.some((container) => container.command === null)
  }

  /** Programs start once the sidecar serves; a few pods at a time. */
  async start(): Promise<void> {
    if (this.failed) return
    this.#releaseStart = await this.#context.starts.acquire()
    if (this.stopping) return this.#releaseStart()
    try {
      await this.#begin()
    } catch (error) {
      this.#sidecarReason = (error as Error).message
      this.#log.error({ error: (error as Error).message }, 'the pod could not be started')
      this.#releaseStart()
      this.#context.onChange()
      await sleep(RETRY_MS)
      this.outdated = true
      this.#context.onChange()
    }
  }

  async #begin(): Promise<void> {
    const { home, token, trustDomain, entry, keepers } = this.#context
    const { template, namespace, workload } = this.plan
    const pod: Pod = {
      name: this.name,
      namespace,
      uid: this.#uid,
      labels: template.labels,
      serviceAccount: template.serviceAccount,
      workload,
      sidecar: template.sidecar,
      ready: false,
      terminating: false,
      ...(await this.#network.open()),
    }
    if (this.stopping) return
    // Services may have come meanwhile
    if (await this.#network.update(this.#context.services())) Object.assign(pod, this.#network.place)
    this.#pod = pod
    await this.#report()
    if (this.stopping) return
    this.#programs = template.containers.map((container) => this.#program(container))
    if (!this.#network.hasProxy) return this.#startPrograms()
    this.#sidecar = new Sidecar({
      home,
      trustDomain,
      entry: entry('sidecar'),
      keepers,
      logFile: this.#proxyLogFile,
      pod,
      network: this.#network,
      token,
      onReady: (ready, reason) => this.#onSidecar(ready, reason),
    })
    this.#sidecar.start()
  }

  #onSidecar(ready: boolean, reason: string | null): void {
    this.#sidecarReady = ready
    this.#sidecarReason = reason
    if (ready && !this.stopping) this.#startPrograms()
    this.#changed()
  }

  #startPrograms(): void {
    this.#releaseStart()
    for (const program of this.#programs) program.start()
  }

  #program(plan: ContainerPlan): Program {
    return new Program({
      plan,
      what: `${this.namespace}/${this.name} ${plan.name}`,
      network: this.#network,
      logFile: this.#logFile,
      keepers: this.#context.keepers,
      graceMs: this.plan.template.graceMs,
      environment: () => this.#environment(plan),
      onReady: (ready, reason) => {
        if (ready) this.#unready.delete(plan.name)
        else this.#unready.set(plan.name, reason)
        this.#changed()
      },
    })
  }

  #onLost(): void {
    this.outdated = true
    this.#changed()
  }

  #environment(container: ContainerPlan): Record<string, string> {
    const { address = '', ports = [] } = this.#pod ?? {}
    const { labels, serviceAccount } = this.plan.template
    const facts = {
      name: this.name,
      namespace: this.namespace,
      uid: this.#uid,
      serviceAccount,
      workload: this.plan.workload,
      labels,
      address,
      ports,
    }
    const given = this.#network.environment(facts, container)
    const env = withContainerEnv(given, container.env, facts)
    // the container's own Node options stand beside the hook, not in its place
    const own = container.env.find((one) => one.name === 'NODE_OPTIONS')?.value
    if (own !== undefined && given['NODE_OPTIONS'] !== undefined)
      env['NODE_OPTIONS'] = `${env['NODE_OPTIONS']} ${given['NODE_OPTIONS']}`
    return env
  }

  async setServices(services: readonly ServiceView[]): Promise<void> {
    if (this.#pod === undefined || this.stopping || !(await this.#network.update(services))) return
    Object.assign(this.#pod, this.#network.place)
    this.#changed()
  }

  #changed(): void {
    if (this.#pod !== undefined && !this.stopping) void this.#report()
    this.#context.onChange()
  }

  /** The control plane knows its latest state. */
  reported(): Promise<unknown> {
    return this.#reported
  }

  #report(): Promise<number> {
    const pod = this.#pod
    if (pod === undefined) return Promise.resolve(0)
    pod.ready = this.ready
    const text = JSON.stringify(pod)
    if (text === this.#told) return this.#reported
    this.#told = text
    this.#reported = this.#context.reporter.report(JSON.parse(text) as Pod)
    return this.#reported
  }

  /** Withdrawn, acknowledged by every proxy, drained, ended. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end(true)
    return this.#stopping
  }

  /** The whole mesh ends: nobody is left to be told. */
  async stopFast(): Promise<void> {
    this.#stopping ??= this.#end(false)
    await this.#stopping
  }

  killNow(): void {
    for (const program of this.#programs) program.killNow()
    this.#sidecar?.killNow()
  }

  async #end(withdraw: boolean): Promise<void> {
    this.#releaseStart()
    const pod = this.#pod
    if (withdraw && pod !== undefined) {
      pod.terminating = true
      const revision = await this.#context.reporter.report(structuredClone(pod))
      await this.#context.delivered(revision, DELIVERY_MS).catch(() => undefined)
      await sleep(SETTLE_MS)
      await this.#sidecar?.stop(true)
      await Promise.all(this.#programs.map((program) => program.stop()))
    } else {
      await Promise.all([
        ...this.#programs.map((program) => program.stop(Math.min(this.plan.template.graceMs, SHUTDOWN_GRACE_MS))),
        this.#sidecar?.stop(false),
      ])
    }
    if (pod !== undefined && withdraw) await this.#context.reporter.remove(pod)
    await this.#network.close()
  }

  /** The gateway's: what it publishes, on ports of this machine that were free. */
  get published(): readonly PodUpstream[] {
    return this.#network.published
  }

  /** A pod's program, or with `proxy` its sidecar. */
  kill(proxy: boolean, forMs: number | undefined): boolean {
    if (proxy) return this.#sidecar?.kill(forMs) ?? false
    return this.#programs.map((program) => program.kill(forMs)).includes(true)
  }

  logFiles(): string[] {
    return [this.#logFile, this.#proxyLogFile]
  }

  /** What a command needs to run in the pod: beside this container (absent: the first), or its proxy. */
  env(name?: string): EnvResponse | undefined {
    if (this.#pod === undefined) return undefined
    if (name === PROXY_CONTAINER && this.#sidecar !== undefined) {
      const { dir } = this.#sidecar
      return { pod: this.name, cwd: dir, env: processEnvironment(), enter: this.#network.besideProxyPrefix() }
    }
    const { containers } = this.plan.template
    const container = name === undefined ? containers[0] : containers.find((one) => one.name === name)
    if (container === undefined) return undefined
    const { cwd } = container
    return { pod: this.name, cwd, env: this.#environment(container), enter: this.#network.programPrefix(cwd) }
  }

  status(): PodStatus {
    const first = this.#programs[0]
    const { labels } = this.plan.template
    return {
      name: this.name,
      namespace: this.namespace,
      workload: this.plan.workload,
      version: labels['version'] ?? labels['app.kubernetes.io/version'] ?? '',
      state: this.#state(),
      ready: this.ready,
      pid: first?.pid ?? null,
      sidecar: this.plan.template.sidecar ? (this.#sidecar?.status ?? null) : null,
      address: this.#network.place.address,
      transparent: this.#network.place.transparent !== undefined,
      ports: this.#pod?.ports ?? [],
      restarts: this.#programs.reduce((sum, program) => sum + program.restarts, 0),
      exit: this.#programs.find((program) => program.exit !== null)?.exit ?? null,
      startedAt: this.#startedAt,
      logFile: this.#logFile,
      proxyLogFile: this.#proxyLogFile,
      reason: this.#reason(),
    }
  }

  #state(): PodState {
    if (this.stopping) return 'stopping'
    if (this.failed) return 'failed'
    const states = this.#programs.map((program) => program.state)
    if (states.includes('backoff')) return 'backoff'
    const waits = this.#network.hasProxy && !this.#sidecarReady
    if (waits && this.#sidecar?.status.state === 'backoff') return 'backoff'
    return waits || states.includes('starting') ? 'starting' : 'running'
  }

  #reason(): string | null {
    const refused = this.plan.template.containers.find((container) => container.command === null)?.reason
    if (refused != null) return refused
    if (this.ready) return this.#network.problem
    if (this.#network.hasProxy && !this.#sidecarReady) return this.#sidecarReason
    return [...this.#unready.values()][0] ?? null
  }
}
