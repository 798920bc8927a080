/** A control API over a real UNIX socket, on a memory store, with stand-ins for ADS and CA. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { ControlClient } from '../../../src/client/control.ts'
import type { Delivery, Pod, TokenRequest } from '../../../src/client/contract.ts'
import { startApi, type ApiServer } from '../../../src/control/api/server.ts'
import { Registry } from '../../../src/control/registry/registry.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { homeLayout, type Home } from '../../../src/lib/home.ts'

export interface Harness {
  home: Home
  store: MemoryStore
  client: ControlClient
  tokens: TokenRequest[]
  /** Ends the server and starts another on the same store, as a control plane that comes back. */
  restart(): Promise<void>
  stopServer(): Promise<void>
  close(): Promise<void>
}

export async function startHarness(maxHistory?: number): Promise<Harness> {
  const dir = mkdtempSync(join(tmpdir(), 'pm-api-'))
  const home = homeLayout(dir)
  mkdirSync(home.socketDir, { recursive: true, mode: 0o700 })
  const store = new MemoryStore(maxHistory === undefined ? {} : { maxHistory })
  const client = new ControlClient(home)
  const tokens: TokenRequest[] = []
  const context = {
    store,
    registry: {
      services: () => ({ revision: store.revision, items: [] }),
      snapshot: () => new Registry({ store, trustDomain: 'cluster.local', clock: systemClock }).snapshot(),
    },
    ads: {
      status: () => [],
      waitForDelivery: (revision: number): Promise<Delivery> =>
        Promise.resolve({ revision, proxies: 2, acked: 2, ms: { p50: 1, p99: 2, max: 4.2 }, pending: [], nacks: [] }),
    },
    ca: {
      issueToken: (request: TokenRequest) => {
        if (request.serviceAccount === 'istiod') throw new TypeError(`the control plane's own identity`)
        tokens.push(request)
        return `token-${tokens.length}`
      },
      certificates: () => ({
        items: [],
        root: { serial: '01', notAfter: '2030-01-01T00:00:00Z', fingerprint256: 'AA' },
      }),
    },
    info: () => ({
      version: '0',
      pid: process.pid,
      startedAt: '',
      revision: store.revision,
      trustDomain: 'cluster.local',
    }),
    clock: systemClock,
    log: pino({ level: 'silent' }),
  }
  let api: ApiServer | undefined = await startApi(home.controlSocket, context)
  const stopServer = async (): Promise<void> => {
    await api?.close()
    api = undefined
  }
  return {
    home,
    store,
    client,
    tokens,
    stopServer,
    restart: async () => {
      await stopServer()
      api = await startApi(home.controlSocket, context)
    },
    close: async () => {
      await client.close()
      await stopServer()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export const ROUTE = (weight: number): string => `apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: checkout-route
  labels: {app: checkout}
spec:
  hosts: [checkout-service]
  http:
  - route:
    - destination: {host: checkout-service, subset: v1}
      weight: ${100 - weight}
    - destination: {host: checkout-service, subset: v2}
      weight: ${weight}
`

export const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: checkout-service}
spec:
  selector: {app: checkout}
  ports: [{name: http, port: 8080}]
`

export const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout-v1}
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    metadata:
      labels: {app: checkout, version: v1}
      annotations: {pocketmesh.dev/command: sleep 1}
    spec:
      containers: [{name: app, image: checkout}]
`

export function source(text: string, file = 'a.yaml'): { file: string; dir: string; text: string } {
  return { file, dir: '/tmp', text }
}

export function pod(name: string, change: Partial<Pod> = {}): Pod {
  return {
    name,
    namespace: 'default',
    uid: 'u1',
    labels: { app: 'checkout' },
    serviceAccount: 'default',
    workload: 'checkout-v1',
    sidecar: true,
    ready: true,
    terminating: false,
    address: '127.0.0.1',
    ports: [{ name: 'http', containerPort: 8080, appPort: 20001, listenPort: 20002 }],
    outbound: { capturePort: 20003, httpProxyPort: 20004, upstreams: [] },
    ...change,
  }
}
