/**
 * The demo's mesh: a supervisor in this process, the shop applied to it, and the clients to watch it with.
 * In: a home of its own. Owns the supervisor; `stop` ends all that it started.
 */
import { rm } from 'node:fs/promises'
import { ControlClient } from '../client/control.ts'
import type { ApplyRequest, Delivery, EnvResponse, Pod, PodPort, PodStatus } from '../client/contract.ts'
import { PlainError, UnreachableError } from '../client/errors.ts'
import { SupervisorClient } from '../client/supervisor.ts'
import type { Home } from '../lib/home.ts'
import { createLog } from '../lib/log.ts'
import type { InterceptChoice } from '../supervisor/intercept.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { startSupervisor } from '../supervisor/supervisor.ts'
import { Scraper } from './scrape.ts'

const NAMESPACE = 'default'
const READY_WITHIN_MS = 60_000
const DELIVERY_WITHIN_MS = 10_000
const POLL_MS = 50

export interface DemoMeshOptions {
  home: Home
  intercept: InterceptChoice
  /** Lifetime of certificates. */
  ttlSeconds: number
  /** Forget what an earlier run left. */
  fresh: boolean
  sources: ApplyRequest['sources']
}

/** Where a relay listens. */
export type Detour = Pick<PodPort, 'advertisedPort' | 'advertisedPipe'>

export class DemoMesh {
  readonly home: Home
  readonly control: ControlClient
  readonly supervisor: SupervisorClient
  readonly scraper = new Scraper()
  readonly startedMs = performance.now()
  readonly #running: Supervisor

  private constructor(home: Home, running: Supervisor) {
    this.home = home
    this.#running = running
    this.control = new ControlClient(home)
    this.supervisor = new SupervisorClient(home)
  }

  /** Resolves when every pod is ready; whatever was started is stopped again when that fails. */
  static async start(options: DemoMeshOptions): Promise<DemoMesh> {
    const { home, intercept, ttlSeconds, fresh, sources } = options
    if (fresh && !(await isRunning(home))) await rm(home.dir, { recursive: true, force: true })
    const mesh = new DemoMesh(home, await startSupervisor({ home, intercept, ttlSeconds, log: quietLog() }))
    try {
      await mesh.control.apply({ sources, namespace: NAMESPACE, pruneOwner: 'demo' })
      await mesh.#allReady()
      return mesh
    } catch (error) {
      await mesh.stop()
      throw error
    }
  }

  /** Applies and waits for the last proxy's acknowledgement. */
  async apply(source: ApplyRequest['sources'][number]): Promise<Delivery> {
    const { revision } = await this.control.apply({ sources: [source], namespace: NAMESPACE })
    return this.control.delivery(revision, DELIVERY_WITHIN_MS)
  }

  async pods(): Promise<PodStatus[]> {
    return (await this.supervisor.ps()).pods
  }

  /** The first pod of a workload. */
  async podOf(workload: string): Promise<PodStatus> {
    const pod = (await this.pods()).find((candidate) => candidate.workload === workload)
    if (pod === undefined) throw new Error(`workload ${workload} has no pod`)
    return pod
  }

  /** How to run a program beside this workload's own. */
  place(workload: string): Promise<EnvResponse> {
    return this.supervisor.env(workload, NAMESPACE)
  }

  /** A pod as it is registered. */
  async registered({ name, namespace }: { name: string; namespace: string }): Promise<Pod> {
    const { items } = await this.control.pods()
    const found = items.find((pod) => pod.name === name && pod.namespace === namespace)
    if (found === undefined) throw new Error(`${name} is not registered`)
    return found
  }

  /** `kill -9`; started again after `forMs`. */
  async killControl(forMs: number): Promise<void> {
    await this.supervisor.kill({ target: 'control', namespace: NAMESPACE, forMs })
  }

  /** Has endpoints of this pod's port lead elsewhere; `{}` takes that back. Waits for the proxies. */
  async advertise(pod: PodStatus, containerPort: number, detour: Detour): Promise<void> {
    const registered = await this.registered(pod)
    const ports = registered.ports.map(({ advertisedPort: _port, advertisedPipe: _pipe, ...port }) =>
      port.containerPort === containerPort ? { ...port, ...detour } : port,
    )
    const { revision } = await this.control.putPod({ ...registered, ports })
    await this.control.delivery(revision, DELIVERY_WITHIN_MS)
  }

  async stop(): Promise<void> {
    await this.scraper.close()
    await Promise.all([this.control.close(), this.supervisor.close()])
    await this.#running.stop()
  }

  async #allReady(): Promise<void> {
    await until(READY_WITHIN_MS, async () => {
      const pods = await this.pods()
      const waiting = pods.filter((pod) => !pod.ready).map((pod) => `${pod.name} (${pod.reason ?? pod.state})`)
      if (pods.length === 0) return 'no pod was started'
      return waiting.length === 0 ? undefined : `not ready: ${waiting.join(', ')}`
    })
  }
}

/** Polls until `problem` answers undefined; throws with its last answer when time is up. */
export async function until(withinMs: number, problem: () => Promise<string | undefined>): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const found = await problem()
    if (found === undefined) return
    if (performance.now() > deadlineMs) throw new PlainError(`after ${Math.round(withinMs / 1000)} s: ${found}`)
    await pause(POLL_MS)
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs))
}

/** The screen shows what happens; log lines would tear it. */
function quietLog(): ReturnType<typeof createLog> {
  const log = createLog('supervisor')
  if (process.env['POCKETMESH_LOG'] === undefined) log.level = 'silent'
  return log
}

async function isRunning(home: Home): Promise<boolean> {
  const client = new SupervisorClient(home)
  try {
    await client.ps()
    return true
  } catch (error) {
    if (error instanceof UnreachableError) return false
    throw error
  } finally {
    await client.close()
  }
}
