/** A whole mesh for end-to-end tests: the real control plane, sidecars and gateway, in one of the two modes. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../src/client/control.ts'
import type { InterceptMode, PodStatus } from '../../src/client/contract.ts'
import { SupervisorClient } from '../../src/client/supervisor.ts'
import { homeLayout, type Home } from '../../src/lib/home.ts'
import { createLog } from '../../src/lib/log.ts'
import { startSupervisor, type Supervisor } from '../../src/supervisor/supervisor.ts'

// what runs these tests is not for the programs of the mesh
delete process.env['NODE_OPTIONS']

const EXEC_WITHIN_MS = 30_000

interface Teardown {
  teardown(work: () => unknown): unknown
}

export interface Outcome {
  code: number | null
  out: string
}

export class E2eMesh {
  readonly home: Home
  /** Where the programs' files are. */
  readonly dir: string
  readonly supervisor: Supervisor
  readonly control: ControlClient
  readonly api: SupervisorClient

  private constructor(home: Home, dir: string, supervisor: Supervisor) {
    this.home = home
    this.dir = dir
    this.supervisor = supervisor
    this.control = new ControlClient(home)
    this.api = new SupervisorClient(home)
  }

  static async start(t: Teardown, intercept: InterceptMode): Promise<E2eMesh> {
    const root = mkdtempSync(join(tmpdir(), 'e2e-'))
    const dir = mkdtempSync(join(tmpdir(), 'e2e-programs-'))
    t.teardown(() => {
      for (const one of [root, dir]) rmSync(one, { recursive: true, force: true, maxRetries: 5 })
    })
    const home = homeLayout(join(root, 'home'))
    const log = createLog('supervisor')
    log.level = process.env['POCKETMESH_LOG'] ?? 'silent'
    const mesh = new E2eMesh(home, dir, await startSupervisor({ home, intercept, log }))
    t.teardown(() => mesh.stop())
    return mesh
  }

  /** Applies, and waits until every pod is ready and every proxy knows of it. */
  async apply(text: string): Promise<void> {
    const sources = [{ file: 'mesh.yaml', dir: this.dir, text }]
    await this.control.apply({ sources, namespace: 'default' })
    await this.supervisor.ready()
    await this.control.delivery((await this.control.info()).revision, 10_000)
  }

  async pod(workload: string): Promise<PodStatus> {
    const pod = (await this.api.ps()).pods.find((one) => one.workload === workload)
    if (pod === undefined) throw new Error(`workload ${workload} has no pod`)
    return pod
  }

  /** Runs a shell line in a workload's pod, as `exec` does. */
  async run(workload: string, line: string, container?: string): Promise<Outcome> {
    const { enter, env, cwd } = await this.api.env(workload, 'default', container)
    const [command, ...args] = [...enter, '/bin/sh', '-c', line]
    const child = spawn(command ?? 'false', args, {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: EXEC_WITHIN_MS,
    })
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (out += text))
    const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done))
    return { code, out: out.trim() }
  }

  async stop(): Promise<void> {
    await Promise.all([this.control.close(), this.api.close()])
    await this.supervisor.stop()
  }
}

export interface ProgramYaml {
  name: string
  command: string
  ports?: { name: string; port: number }[]
  replicas?: number
  annotations?: Record<string, string>
  /** More fields of the Service's metadata and of the container, as YAML flow. */
  serviceAnnotations?: string
  container?: string
}

/** A Service (where there are ports), a ServiceAccount and a Deployment. */
export function programYaml({
  name,
  command,
  ports = [],
  replicas = 1,
  annotations = {},
  serviceAnnotations = '{}',
  container = '',
}: ProgramYaml): string {
  const notes = Object.entries({ 'pocketmesh.dev/command': command, ...annotations })
  const service = `
apiVersion: v1
kind: Service
metadata: {name: ${name}, annotations: ${serviceAnnotations}}
spec:
  selector: {app: ${name}}
  ports:
${ports.map((port) => `  - {name: ${port.name}, port: ${port.port}}`).join('\n')}
---`
  return `${ports.length === 0 ? '' : service}
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations:
${notes.map(([key, value]) => `        ${key}: ${JSON.stringify(value)}`).join('\n')}
    spec:
      serviceAccountName: ${name}
      containers:
      - name: main
${container}
        ports:${ports.length === 0 ? ' []' : ''}
${ports.map((port) => `        - {name: ${port.name}, containerPort: ${port.port}}`).join('\n')}
---
`
}

/** STRICT mutual TLS in the whole mesh. */
export const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
`
