/** A mesh for tests: a home of its own, the real control plane and guardian, a stand-in for the sidecars. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { ApplyRequest } from '../../src/client/contract.ts'
import { entryCommand, type EntryCommand, type EntryKind } from '../../src/lib/entry.ts'
import { homeLayout, type Home } from '../../src/lib/home.ts'

export function fakeSidecarEntry(kind: EntryKind): EntryCommand {
  if (kind === 'sidecar') return { command: process.execPath, args: [resolve('test/supervisor/fake-sidecar.mjs')] }
  // programs of these tests are shell lines and plain Node: the hook has tests of its own
  if (kind === 'hook') return { command: process.execPath, args: [] }
  return entryCommand(kind)
}

export function makeHome(t: { teardown(work: () => void): unknown }): Home {
  const dir = mkdtempSync(join(tmpdir(), 'mesh-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  return homeLayout(join(dir, 'home'))
}

export function applyOf(text: string, dir: string): ApplyRequest {
  return { sources: [{ file: 'mesh.yaml', dir, text }], namespace: 'default' }
}

/** A server that answers with its version, its port and its PID. */
export function webYaml(
  options: { version?: string; replicas?: number; command?: string; annotations?: string } = {},
): string {
  const { version = 'v1', replicas = 1, annotations = '' } = options
  const program = `require("http").createServer((q, r) => r.end(process.env.VERSION + " " + process.pid)).listen(process.env.PORT, "127.0.0.1")`
  const command = options.command ?? `exec node -e '${program}'`
  return `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, version: ${version}}
      annotations:
        pocketmesh.dev/command: ${JSON.stringify(command)}
        ${annotations}
    spec:
      containers:
      - name: server
        env: [{name: VERSION, value: ${version}}]
        ports: [{name: http, containerPort: 8080}]
`
}

/** Resolves once `check` gives something; fails with what it waited for. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  ms = 20_000,
): Promise<T> {
  const deadlineMs = performance.now() + ms
  for (;;) {
    const found = await check()
    if (found !== undefined) return found
    if (performance.now() > deadlineMs) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((done) => setTimeout(done, 25))
  }
}
