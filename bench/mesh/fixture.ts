/**
 * The mesh that the rows measure: ten sidecars, or other manifests, started as a user would start them, from the
 * bundles in dist/. In: a folder or file, the mode. Out: clients and ports. Owns a temporary home and all that runs in it.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ControlClient } from '../../src/client/control.ts'
import { SupervisorClient } from '../../src/client/supervisor.ts'
import type { InterceptMode, Pod, PodStatus } from '../../src/client/contract.ts'
import type { Home } from '../../src/lib/home.ts'
import { homeLayout, podPortSocket } from '../../src/lib/home.ts'

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
const CLI = join(here, '../../dist/pocketmesh.js')
const NAMESPACE = 'default'

export const ECHO_URL = 'http://echo:8080/'

export interface BenchMeshOptions {
  manifests?: string
  /** Rows reach their callers' sidecars by ports of this machine, which only `env` has. */
  intercept?: InterceptMode
}

export class BenchMesh {
  readonly control: ControlClient
  readonly supervisor: SupervisorClient
  readonly #home: Home

  private constructor(home: Home) {
    this.#home = home
    this.control = new ControlClient(home)
    this.supervisor = new SupervisorClient(home)
  }

  static async start(options: BenchMeshOptions = {}): Promise<BenchMesh> {
    const { manifests = here, intercept = 'env' } = options
    const home = homeLayout(await mkdtemp(join(tmpdir(), 'pm-bench-')))
    try {
      await cli(home, 'up', '-d', '--wait', '--timeout', '110', '--intercept', intercept, '-f', manifests)
    } catch (error) {
      await end(home)
      throw error
    }
    return new BenchMesh(home)
  }

  async stop(): Promise<void> {
    await Promise.all([this.control.close(), this.supervisor.close()])
    await end(this.#home)
  }

  /** Where a pod's sidecar would listen on a UNIX socket. */
  portSocket(pod: Pod, containerPort: number): string {
    return podPortSocket(this.#home, pod.namespace, pod.name, containerPort)
  }

  async pods(): Promise<PodStatus[]> {
    return (await this.supervisor.ps()).pods
  }

  async pod(workload: string): Promise<PodStatus> {
    const pod = (await this.pods()).find((candidate) => candidate.workload === workload)
    if (pod === undefined) throw new Error(`no pod of ${workload} runs`)
    return pod
  }

  async controlPid(): Promise<number> {
    const { pid } = (await this.supervisor.ps()).mesh.control
    if (pid === null) throw new Error('the control plane does not run')
    return pid
  }

  /** HTTP proxy port of a caller's sidecar. */
  async callerProxyPort(): Promise<number> {
    const { env } = await this.supervisor.env('caller', NAMESPACE)
    return Number(new URL(env['HTTP_PROXY'] ?? '').port)
  }

  /** `http://127.0.0.1:PORT/`: a caller's explicit port for a service. */
  async callerUrl(service = 'echo'): Promise<string> {
    const { env } = await this.supervisor.env('caller', NAMESPACE)
    const name = `POCKETMESH_UPSTREAM_${service.toUpperCase().replaceAll('-', '_')}`
    const value = env[name]
    if (value === undefined) throw new Error(`${name} is not set`)
    const url = new URL(value.includes('://') ? value : `http://${value}`)
    return `http://${url.host}/`
  }

  /** Sends all requests to one version; resolves when the write is accepted, with its revision. */
  async routeTo(version: 'v1' | 'v2'): Promise<number> {
    const text = JSON.stringify({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'echo' },
      spec: { hosts: ['echo'], http: [{ route: [{ destination: { host: 'echo', subset: version } }] }] },
    })
    const sources = [{ file: 'route.json', dir: here, text }]
    return (await this.control.apply({ sources, namespace: NAMESPACE })).revision
  }
}

async function end(home: Home): Promise<void> {
  await cli(home, 'down', '--purge')
  await rm(home.dir, { recursive: true, force: true })
}

async function cli(home: Home, ...args: string[]): Promise<void> {
  await run(process.execPath, [CLI, '--home', home.dir, ...args], { timeout: 120_000 })
}
