/**
 * Row `pods`: how long many pods take to come and to go, in each way of interception: from the call of `up` until it
 * says that all are ready, from the call of `down` until nothing is left. Each is a Node server with its sidecar.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InterceptMode } from '../../../src/client/contract.ts'
import { namespaceSupport } from '../../../src/supervisor/ns/support.ts'
import { BenchMesh } from '../../mesh/fixture.ts'
import type { Mode } from '../../options.ts'
import type { Line, RowReport } from '../../stats/table.ts'

const SERVER = `import http from 'node:http'
http.createServer((request, response) => response.end('ok')).listen(8080)
`

const manifest = (replicas: number): string => `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations: { pocketmesh.dev/command: exec node web.mjs }
    spec:
      containers:
        - name: web
          image: web
          ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
`

/** It has meshes of its own: no other may run beside them. */
export async function pods({ mode }: { mode: Mode }): Promise<RowReport> {
  const replicas = { quick: 10, default: 50, full: 50 }[mode]
  const { ok, findings } = await namespaceSupport()
  const folder = await mkdtemp(join(tmpdir(), 'pm-pods-'))
  try {
    await writeFile(join(folder, 'web.mjs'), SERVER)
    await writeFile(join(folder, 'pods.yaml'), manifest(replicas))
    const lines: Line[] = []
    for (const mode of ok ? (['ns', 'env'] as const) : (['env'] as const))
      lines.push(await comeAndGo(mode, join(folder, 'pods.yaml')))
    const why = findings.find((finding) => finding.level === 'bad')?.what ?? ''
    return {
      title: `Pods: ${replicas} at once, a Node server and a sidecar each`,
      lines,
      notes: ['target for 50: ready in under 20 s, gone in under 5 s', ...(ok ? [] : [`mode ns is not there: ${why}`])],
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function comeAndGo(intercept: InterceptMode, manifests: string): Promise<Line> {
  const calledMs = performance.now()
  const mesh = await BenchMesh.start({ manifests, intercept })
  const readyMs = performance.now() - calledMs
  const started = await mesh.pods()
  const pids = started.flatMap((pod) => [pod.pid, pod.sidecar?.pid]).filter((pid) => typeof pid === 'number')
  const endedMs = performance.now()
  await mesh.stop()
  const goneMs = performance.now() - endedMs
  return {
    mode: intercept,
    pods: started.filter((pod) => pod.workload === 'web').length,
    'all ready, s': readyMs / 1000,
    'all gone, s': goneMs / 1000,
    'processes left': pids.filter((pid) => existsSync(`/proc/${pid}`)).length,
  }
}
