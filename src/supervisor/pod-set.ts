/**
 * The pods that run, brought to what is wanted. In: plans, and that something has changed. Out: pods started and stopped
 * (reconcile.ts says which), each new state of one, promises of a state of all. Owns the pods.
 */
import type { PodStatus, ServiceView } from '../client/contract.ts'
import type { Log } from '../lib/log.ts'
import type { DeploymentPlan } from './plan.ts'
import type { PodContext } from './pod-context.ts'
import { PodRunner } from './pod.ts'
import { reconcile } from './reconcile.ts'

export interface PodSetOptions {
  log: Log
  /** Of a new pod, and of one whose state has changed. */
  onPod: (status: PodStatus) => void
}

export class PodSet {
  readonly #log: Log
  readonly #onPod: (status: PodStatus) => void
  readonly #pods = new Set<PodRunner>()
  readonly #told = new Map<PodRunner, string>()
  readonly #waiting = new Set<() => void>()
  #context: PodContext | undefined
  #plans: readonly DeploymentPlan[] = []
  #isDue = false
  #isEnding = false

  constructor({ log, onPod }: PodSetOptions) {
    this.#log = log
    this.#onPod = onPod
  }

  get all(): readonly PodRunner[] {
    return [...this.#pods]
  }

  /** Pods can be started from here on. */
  open(context: PodContext): void {
    this.#context = context
  }

  want(plans: readonly DeploymentPlan[]): void {
    this.#plans = plans
    this.changed()
  }

  setServices(services: readonly ServiceView[]): void {
    for (const pod of this.#pods) this.#attempt(pod.setServices(services))
  }

  /** Reconciles once for all that happens in one turn. */
  changed(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#reconcile()
      this.#tell()
      for (const check of this.#waiting) check()
    })
  }

  /** Pods of that name, else of that workload; those that serve first. */
  targets(target: string, namespace: string): PodRunner[] {
    const here = this.all.filter((pod) => pod.namespace === namespace && !pod.stopping)
    const named = here.filter((pod) => pod.name === target)
    const found = named.length > 0 ? named : here.filter((pod) => pod.plan.workload === target)
    return found.sort((a, b) => Number(b.ready) - Number(a.ready))
  }

  /** Every pod that is wanted is ready, or cannot become ready by itself. */
  async settled(): Promise<void> {
    await this.#until(() => this.#isSettled(this.#plans))
  }

  /** Replaces `pods`, of one workload, one by one. False: after `timeoutMs` not all of it is ready. */
  replace(pods: readonly PodRunner[], timeoutMs: number): Promise<boolean> {
    for (const pod of pods) pod.outdated = true
    const [first] = pods
    const own = (): DeploymentPlan[] =>
      this.#plans.filter((plan) => plan.namespace === first?.namespace && plan.workload === first.plan.workload)
    return this.#until(() => !pods.some((pod) => this.#pods.has(pod)) && this.#isSettled(own()), timeoutMs)
  }

  #isSettled(plans: readonly DeploymentPlan[]): boolean {
    return plans.every((plan) => {
      const own = this.all.filter(
        (pod) => pod.namespace === plan.namespace && pod.plan.workload === plan.workload && !pod.stopping,
      )
      const isDone = (pod: PodRunner): boolean =>
        pod.plan.hash === plan.hash && !pod.outdated && (pod.ready || pod.failed)
      return own.length === plan.replicas && own.every(isDone)
    })
  }

  #until(condition: () => boolean, timeoutMs?: number): Promise<boolean> {
    return new Promise((done) => {
      const end = (met: boolean): void => {
        this.#waiting.delete(check)
        clearTimeout(timer)
        done(met)
      }
      const check = (): void => {
        if (condition() || this.#isEnding) end(condition())
      }
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(false), timeoutMs)
      this.#waiting.add(check)
      this.changed()
    })
  }

  #reconcile(): void {
    if (this.#isEnding || this.#context === undefined) return
    const running = this.all.map((pod) => ({
      name: pod.name,
      namespace: pod.namespace,
      workload: pod.plan.workload,
      hash: pod.plan.hash,
      ready: pod.ready,
      stopping: pod.stopping,
      outdated: pod.outdated,
    }))
    for (const action of reconcile(this.#plans, running)) {
      if (action.do === 'start') {
        const pod = new PodRunner(action.plan, action.name, this.#context)
        this.#pods.add(pod)
        this.#attempt(pod.start())
      } else {
        const pod = this.all.find(({ namespace, name }) => namespace === action.namespace && name === action.name)
        if (pod !== undefined) this.#attempt(this.#stop(pod))
      }
    }
  }

  async #stop(pod: PodRunner): Promise<void> {
    await pod.stop()
    this.#pods.delete(pod)
    this.#told.delete(pod)
    this.changed()
  }

  #tell(): void {
    for (const pod of this.#pods) {
      const status = pod.status()
      const { namespace, name, state, ready, reason } = status
      const text = `${state} ${ready} ${reason}`
      if (this.#told.get(pod) === text) continue
      this.#told.set(pod, text)
      this.#log.info({ pod: `${namespace}/${name}`, state, ready, ...(reason === null ? {} : { reason }) }, 'pod')
      this.#onPod(status)
    }
  }

  /** Work that nobody waits for: its failure is told, and hurts nothing else. */
  #attempt(work: Promise<unknown>): void {
    work.catch((error: unknown) =>
      this.#log.error({ error: (error as Error).message }, 'the supervisor failed at something'),
    )
  }

  /** None is started any more, and all end, without being withdrawn first. Whoever waits for a state waits no longer. */
  async end(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.all.map((pod) => pod.stopFast()))
    for (const check of this.#waiting) check()
  }

  killNow(): void {
    for (const pod of this.#pods) pod.killNow()
  }
}
