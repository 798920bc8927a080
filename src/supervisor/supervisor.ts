/**
 * The mesh on this machine: the control plane, the pods of all Deployments, the gateway that publishes Services, relays
 * for pods without a sidecar. In: the store, watched. Out: processes that match it, and an API on a UNIX socket.
 * It owns everything that it starts: nothing outlives it.
 */
import { rmSync } from 'node:fs'
import { ControlClient } from '../client/control.ts'
import type { EnvResponse, KillRequest, PsResponse, RestartRequest } from '../client/contract.ts'
import { PlainError } from '../client/errors.ts'
import { entryCommand, type EntryCommand, type EntryKind } from '../lib/entry.ts'
import { makeHome, type Home } from '../lib/home.ts'
import type { Log } from '../lib/log.ts'
import { startSupervisorApi, type SupervisorApi } from './api.ts'
import type { Keepers } from './child.ts'
import { ControlProcess } from './control-process.ts'
import { GuardianClient } from './guardian-client.ts'
import { rotateLog } from './log-file.ts'
import { chooseMode, type InterceptChoice } from './intercept.ts'
import { MeshView } from './mesh-view.ts'
import { PodNetworks } from './networks.ts'
import type { PodContext } from './pod-context.ts'
import { PodReporter } from './pod-reporter.ts'
import { PodSet } from './pod-set.ts'
import { PortAllocator } from './ports.ts'
import { Semaphore } from './semaphore.ts'
import { ServiceRelays } from './service-relay.ts'
import { StateFile } from './state-file.ts'

const CONTROL_START_MS = 20_000
const CONCURRENT_STARTS = 4
const ROTATE_EVERY_MS = 10_000
const RESTART_WAIT_MS = 100_000
/** The whole mesh has ended after this, gently or not. */
const STOP_MS = 8000
const GONE_MS = 500

export interface SupervisorOptions {
  home: Home
  /** How traffic comes to the sidecars; absent: `env`. */
  intercept?: InterceptChoice
  /** Lifetime of certificates; absent: the control plane's default. */
  ttlSeconds?: number
  log: Log
  onEvent?: (event: SupervisorEvent) => void
  /** Stands in for Pocketmesh's own processes in tests. */
  entry?: (kind: EntryKind) => EntryCommand
}

type SupervisorEvent =
  | { type: 'pod'; namespace: string; name: string; state: string; ready: boolean; reason: string | null }
  | { type: 'control'; reason: string | null }

/** Rejects where another supervisor lives, or where the control plane does not come up. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const supervisor = new Supervisor(options)
  try {
    await supervisor.start()
  } catch (error) {
    await supervisor.stop()
    throw error
  }
  return supervisor
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #home: Home
  readonly #log: Log
  readonly #startedAt = new Date().toISOString()
  readonly #client: ControlClient
  readonly #relays: ServiceRelays
  readonly #networks: PodNetworks
  readonly #reporter: PodReporter
  readonly #view: MeshView
  readonly #keepers: Keepers
  readonly #control: ControlProcess
  readonly #following = new AbortController()
  readonly #pods: PodSet
  /** Resolves when the mesh has ended, whoever asked for it. */
  readonly ended: Promise<void>
  #onEnded: () => void = () => undefined
  #api: SupervisorApi | undefined
  #rotation: NodeJS.Timeout | undefined
  #stopping: Promise<void> | undefined

  constructor(options: SupervisorOptions) {
    const { home, log, entry = entryCommand } = options
    this.#options = { ...options, entry }
    this.#home = home
    this.#log = log
    makeHome(home)
    const state = StateFile.open(home.stateFile, this.#startedAt)
    const guardian = new GuardianClient(entry('guardian'), home.socketDir, (pid) => state.add(pid, 'guardian'))
    this.#keepers = { state, guardian }
    this.#client = new ControlClient(home)
    const ports = new PortAllocator(home.dir)
    this.#relays = new ServiceRelays(ports)
    this.#networks = new PodNetworks({
      home,
      ports,
      entry,
      keepers: this.#keepers,
      relayPort: (host, port) => this.#relays.portOf(host, port),
    })
    this.#reporter = new PodReporter(this.#client, log)
    this.#view = new MeshView(this.#client, log, () => this.#onView())
    this.#control = new ControlProcess({
      home,
      entry: entry('control'),
      keepers: this.#keepers,
      ttlSeconds: options.ttlSeconds,
      onChange: (reason) => {
        if (reason !== null && this.#stopping === undefined) log.warn(reason)
        options.onEvent?.({ type: 'control', reason })
      },
    })
    this.#pods = new PodSet({
      log,
      onPod: ({ namespace, name, state, ready, reason }) =>
        options.onEvent?.({ type: 'pod', namespace, name, state, ready, reason }),
    })
    this.ended = new Promise((done) => (this.#onEnded = done))
  }

  async start(): Promise<void> {
    this.#networks.mode = await chooseMode(this.#options.intercept ?? 'env')
    this.#view.leadsOut = this.#networks.mode === 'ns'
    // relays dial pods themselves
    this.#view.followsPods = this.#networks.mode === 'env'
    this.#control.start()
    const { signal } = this.#following
    const info = await this.#client.ready(CONTROL_START_MS, signal).catch((error: unknown) => {
      throw new PlainError(`the control plane did not start: see ${this.#control.logFile}`, { cause: error })
    })
    await this.#client.putPods({ items: [] })
    if (signal.aborted) return
    this.#pods.open(this.#podContext(info.trustDomain))
    this.#api = await startSupervisorApi(this.#home.supervisorSocket, this)
    await this.#view.refresh()
    if (signal.aborted) return
    void this.#view.follow(signal)
    this.#rotation = setInterval(() => this.#rotateLogs(), ROTATE_EVERY_MS).unref()
  }

  #podContext(trustDomain: string): PodContext {
    return {
      home: this.#home,
      trustDomain,
      log: this.#log,
      network: (pod) => this.#networks.make(pod),
      keepers: this.#keepers,
      reporter: this.#reporter,
      starts: new Semaphore(CONCURRENT_STARTS),
      entry: this.#options.entry ?? entryCommand,
      services: () => this.#view.services,
      token: (request) => this.#client.token(request),
      delivered: (revision, timeoutMs) => this.#client.delivery(revision, timeoutMs),
      onChange: () => this.#pods.changed(),
    }
  }

  async #onView(): Promise<void> {
    const outside = this.#networks.mode === 'env' && this.#view.plans.some((plan) => !plan.template.sidecar)
    await this.#relays.update(outside ? this.#view.services : [])
    this.#pods.setServices(this.#view.services)
    // only now: a pod without a sidecar is told the relays' ports when it starts
    this.#pods.want(this.#view.plans)
  }

  /** Every pod that is wanted is ready, or cannot become ready by itself; knows all that was applied before the call. */
  async ready(): Promise<void> {
    await this.#view.refresh()
    await this.#pods.settled()
    await Promise.all(this.#pods.all.map((pod) => pod.reported()))
  }

  ps(): PsResponse {
    const pods = this.#pods.all
    const published = pods.flatMap((pod) => pod.published)
    return {
      mesh: {
        home: this.#home.dir,
        intercept: this.#networks.mode,
        supervisorPid: process.pid,
        startedAt: this.#startedAt,
        control: this.#control.status,
      },
      published: this.#view.services.flatMap(({ name, namespace, host }) =>
        published
          .filter((one) => one.host === host)
          .map(({ listenPort }) => ({ service: name, namespace, url: `http://127.0.0.1:${listenPort}` })),
      ),
      pods: pods
        .map((pod) => pod.status())
        .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1)),
    }
  }

  /** All that was applied before the call is known, and the tables of images as they are now. */
  refresh(): Promise<void> {
    return this.#view.refresh()
  }

  env(target: string, namespace: string, container?: string): EnvResponse | undefined {
    return this.#pods.targets(target, namespace)[0]?.env(container)
  }

  /** Replaces pods one by one; `undefined`: there is nothing of that name. */
  async restart({ target, namespace }: RestartRequest): Promise<string | undefined> {
    // the control plane may be away: then with what is known
    await this.refresh().catch(() => undefined)
    const pods = this.#pods.targets(target, namespace)
    if (pods.length === 0) return undefined
    const done = await this.#pods.replace(pods, RESTART_WAIT_MS)
    return done ? `${target} restarted` : `${target} is being restarted: not ready yet`
  }

  /** What was killed, in a sentence; `undefined`: there is nothing of that name. */
  kill({ target, namespace, forMs }: KillRequest): string | undefined {
    const again = forMs === undefined ? 'it is started again' : `it is started again in ${forMs / 1000} s`
    if (target === 'control') return this.#control.kill(forMs) ? `control plane killed: ${again}` : undefined
    const proxy = target.endsWith('/istio-proxy')
    const name = proxy ? target.slice(0, -'/istio-proxy'.length) : target
    const killed = this.#pods.targets(name, namespace).filter((pod) => pod.kill(proxy, forMs))
    if (killed.length === 0) return undefined
    const what = killed.map((pod) => (proxy ? `${pod.name}/istio-proxy` : pod.name)).join(', ')
    return `${what} killed: ${again}`
  }

  #rotateLogs(): void {
    for (const file of [this.#control.logFile, ...this.#pods.all.flatMap((pod) => pod.logFiles())]) rotateLog(file)
  }

  /** Ends all that it has started, within a bound. Once; later calls wait for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  /** Now, without asking anybody. */
  killNow(): void {
    this.#pods.killNow()
    this.#control.killNow()
  }

  async #end(): Promise<void> {
    this.#following.abort()
    clearInterval(this.#rotation)
    const late = setTimeout(() => this.killNow(), STOP_MS)
    // first: a pod that is being withdrawn would wait for a control plane that is away
    this.#reporter.close()
    await this.#pods.end()
    // the store keeps no pods that are not there; a control plane that is away finds them replaced at the next start
    await Promise.race([this.#client.putPods({ items: [] }).catch(() => undefined), delay(GONE_MS)])
    await this.#control.stop()
    clearTimeout(late)
    this.#relays.close()
    await this.#client.close()
    await this.#keepers.guardian.close()
    this.#keepers.state.close()
    for (const socket of [this.#home.controlSocket, this.#home.xdsSocket, this.#home.caSocket])
      rmSync(socket, { force: true })
    // last: whoever waits for the end (`down`, then `up` again) asks until nobody answers
    await this.#api?.close()
    this.#onEnded()
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref())
}

export interface RunOptions extends SupervisorOptions {
  /** Once the control plane answers: applying files, waiting, printing. */
  onStarted?: (supervisor: Supervisor) => Promise<void>
}

/**
 * `up` in the foreground: until SIGINT, SIGTERM or `down`. The first signal ends gracefully, the second at once.
 * Rejects with what `onStarted` throws, after everything has been ended.
 */
export async function runSupervisor(options: RunOptions): Promise<void> {
  const supervisor = new Supervisor(options)
  let signals = 0
  const onSignal = (): void => {
    signals++
    if (signals === 1) void supervisor.stop()
    else supervisor.killNow()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  try {
    await supervisor.start()
    if (signals === 0) await options.onStarted?.(supervisor)
    await supervisor.ended
  } catch (error) {
    const interrupted = signals > 0
    await supervisor.stop()
    if (!interrupted) throw error
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal)
  }
}
