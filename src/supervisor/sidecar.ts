/**
 * The sidecar of one pod: its folder, token, bootstrap file and process. In: the pod as reported. Out: whether it is
 * ready to serve. It is started again at once after a crash, with the key and configuration that it left on disk,
 * whether the control plane is there or not.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pod, PodState, TokenRequest, TokenResponse } from '../client/contract.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import type { EntryCommand } from '../lib/entry.ts'
import { podAdminSocket, podDir, type Home } from '../lib/home.ts'
import { MALLOC_ENVIRONMENT } from '../lib/malloc.ts'
import type { SidecarBootstrap } from '../xds/bootstrap.ts'
import { nodeId } from '../xds/names.ts'
import { answersOk } from './admin-get.ts'
import { startOwn, type Child, type Keepers } from './child.ts'
import type { PodNetwork } from './pod-network.ts'
import { Restarter } from './restarter.ts'

/** Asked ever more seldom: each question costs a starting sidecar, and this process, about a millisecond. */
const READY_POLL_MS = 25
const READY_POLL_GROWTH = 1.3
const MAX_READY_POLL_MS = 250
const READY_WITHIN_MS = 1000
const DRAIN_MS = 5000
/** Time beyond its drain before it is killed. */
const EXIT_MS = 1000

export interface SidecarOptions {
  home: Home
  trustDomain: string
  entry: EntryCommand
  keepers: Keepers
  logFile: string
  pod: Pod
  network: PodNetwork
  token: (request: TokenRequest) => Promise<TokenResponse>
  onReady: (ready: boolean, reason: string | null) => void
}

export class Sidecar {
  readonly adminSocket: string
  readonly dir: string
  readonly namesFile: string
  readonly #options: SidecarOptions
  readonly #restarter: Restarter
  #current: Child | undefined

  constructor(options: SidecarOptions) {
    const { home, pod } = options
    this.#options = options
    this.dir = podDir(home, pod.namespace, pod.name)
    this.adminSocket = podAdminSocket(home, pod.namespace, pod.name)
    this.namesFile = join(this.dir, 'names.json')
    this.#restarter = new Restarter({
      eager: true,
      launch: () => this.#launch(),
      onStart: (child) => void this.#watchReady(child),
      onEnd: (exit, reason) => {
        this.#current = undefined
        options.onReady(false, reason ?? `the sidecar ended with ${exit}; see ${options.logFile}`)
      },
    })
  }

  get status(): { pid: number | null; state: PodState; restarts: number; adminSocket: string } {
    const { pid, state, restarts } = this.#restarter
    return { pid, state, restarts, adminSocket: this.adminSocket }
  }

  /** A pod's first start: nothing of an earlier pod of the same name is kept. */
  start(): void {
    rmSync(this.dir, { recursive: true, force: true })
    mkdirSync(this.dir, { recursive: true, mode: 0o700 })
    this.#restarter.start()
  }

  async stop(drain: boolean): Promise<void> {
    await this.#restarter.stop(drain ? DRAIN_MS + EXIT_MS : EXIT_MS)
    rmSync(this.adminSocket, { force: true })
    rmSync(this.dir, { recursive: true, force: true })
  }

  kill(forMs: number | undefined): boolean {
    return this.#restarter.kill(forMs)
  }

  killNow(): void {
    this.#restarter.killNow()
  }

  async #launch(): Promise<Child> {
    const { entry, pod, logFile, keepers, network } = this.#options
    await network.checkProxy()
    const tokenFile = join(this.dir, 'token')
    const bootstrapFile = join(this.dir, 'bootstrap.json')
    await this.#fetchToken(tokenFile)
    writeFileAtomic(bootstrapFile, JSON.stringify(this.#bootstrap(tokenFile), null, 1))
    rmSync(this.adminSocket, { force: true })
    const what = `${pod.namespace}/${pod.name} istio-proxy`
    const env = { ...processEnvironment(), POCKETMESH_LOG: process.env['POCKETMESH_LOG'] ?? 'info' }
    const line = [...network.proxyPrefix(), entry.command, ...entry.args, '--bootstrap', bootstrapFile]
    const [command = '', ...args] = line
    return startOwn({ what, cwd: this.dir, env, logFile }, command, args, keepers)
  }

  /** Without one it starts with the certificate on disk. */
  async #fetchToken(file: string): Promise<void> {
    const { pod, token } = this.#options
    try {
      const answer = await token({ pod: pod.name, namespace: pod.namespace, serviceAccount: pod.serviceAccount })
      writeFileAtomic(file, answer.token)
    } catch {
      rmSync(file, { force: true })
    }
  }

  #bootstrap(tokenFile: string): SidecarBootstrap {
    const { home, pod, network, trustDomain, logFile } = this.#options
    return {
      node: {
        id: nodeId(pod.address, pod.name, pod.namespace),
        cluster: `${pod.labels['app'] ?? pod.workload}.${pod.namespace}`,
        metadata: {
          NAMESPACE: pod.namespace,
          NAME: pod.name,
          WORKLOAD_NAME: pod.workload,
          SERVICE_ACCOUNT: pod.serviceAccount,
          LABELS: pod.labels,
        },
      },
      trustDomain,
      spiffeId: `spiffe://${trustDomain}/ns/${pod.namespace}/sa/${pod.serviceAccount}`,
      podDir: this.dir,
      xdsSocket: home.xdsSocket,
      caSocket: home.caSocket,
      adminSocket: this.adminSocket,
      rootCertFile: home.rootCertFile,
      tokenFile,
      namesFile: this.namesFile,
      accessLogFile: logFile,
      exitWithStdin: true,
      drainMs: DRAIN_MS,
      ...network.bootstrap(),
    }
  }

  async #watchReady(child: Child): Promise<void> {
    this.#current = child
    let pollMs = READY_POLL_MS
    while (this.#current === child) {
      // as Envoy's: 200 once it has its certificate and all configuration
      if (await answersOk(this.adminSocket, '/ready', READY_WITHIN_MS)) {
        if (this.#current === child) this.#options.onReady(true, null)
        return
      }
      await sleep(pollMs)
      pollMs = Math.min(pollMs * READY_POLL_GROWTH, MAX_READY_POLL_MS)
    }
  }
}

/** What Pocketmesh's own processes inherit: not NODE_OPTIONS or proxies of the user's shell. */
export function processEnvironment(): Record<string, string> {
  const env: Record<string, string> = { ...MALLOC_ENVIRONMENT }
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'XDG_RUNTIME_DIR', 'LANG', 'TZ', 'NODE_EXTRA_CA_CERTS']) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  return env
}
