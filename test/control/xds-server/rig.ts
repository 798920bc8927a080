/** A control plane with a hand-written source, and sidecar ends for it: real sockets, real mutual TLS. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import type { Pod } from '../../../src/client/contract.ts'
import { CertificateAuthority } from '../../../src/control/ca/ca.ts'
import { serverCredentials } from '../../../src/control/ca/server-credentials.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import { toResource } from '../../../src/control/translate/resource.ts'
import type { Proxy, ProxyResources, Resource, Snapshot } from '../../../src/control/translate/snapshot.ts'
import { AdsServer, type AdsSource } from '../../../src/control/xds-server/ads.ts'
import { systemClock, type Clock } from '../../../src/lib/clock.ts'
import type { Credential, CredentialSource } from '../../../src/sidecar/ports.ts'
import { AdsClient } from '../../../src/sidecar/xds-client/ads.ts'
import type { Rejection } from '../../../src/sidecar/ports.ts'
import { ConfigState, type ConfigTarget } from '../../../src/sidecar/xds-client/snapshot.ts'
import { EXTENSION, pack, XDS_TYPES, type XdsType } from '../../../src/xds/type-urls.ts'
import { nodeId } from '../../../src/xds/names.ts'

export const TRUST_DOMAIN = 'cluster.local'
export const log = pino({ level: 'silent' })

export function pod(name: string, serviceAccount = 'default', sidecar = true): Pod {
  return {
    name,
    namespace: 'default',
    uid: name,
    labels: {},
    serviceAccount,
    workload: name,
    sidecar,
    ready: true,
    terminating: false,
    address: '127.0.0.1',
    ports: [],
  }
}

/** Resources that a translation would make: one EDS cluster, one listener with routes, one name. */
export function world(options: { clusters?: string[]; routeTo?: string; version?: string } = {}): ProxyResources {
  const clusters = options.clusters ?? ['c1']
  const timeout = { seconds: 1, nanos: Number(options.version ?? 0) }
  const all: Record<XdsType, Resource[]> = {
    CDS: clusters.map((name) =>
      toResource('CDS', name, { name, type: 3, edsClusterConfig: { edsConfig: { ads: {} } } }),
    ),
    EDS: clusters.map((name) => toResource('EDS', name, { clusterName: name, endpoints: [] })),
    LDS: [listener('l', 'r')],
    RDS: [
      toResource('RDS', 'r', {
        name: 'r',
        virtualHosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: options.routeTo ?? clusters[0], timeout } }],
          },
        ],
      }),
    ],
    NDS: [toResource('NDS', 'nds', { table: { 'a.default.svc.cluster.local': { ips: ['240.240.0.1'] } } })],
  }
  return Object.fromEntries(
    XDS_TYPES.map((t) => [t, new Map(all[t].map((r) => [r.name, r]))]),
  ) as unknown as ProxyResources
}

function listener(name: string, routes: string): Resource {
  const typedConfig = pack(EXTENSION.httpConnectionManager, {
    rds: { routeConfigName: routes, configSource: { ads: {} } },
  })
  return toResource('LDS', name, { name, filterChains: [{ filters: [{ name: 'hcm', typedConfig }] }] })
}

/** A source that says what it is told to. */
export class FakeSource implements AdsSource {
  #snapshot: Snapshot
  #listeners = new Set<(revision: number, committedAtMs: number) => void>()
  resources: (proxy: Proxy) => ProxyResources = () => world()
  translations = 0

  constructor(pods: Pod[], revision = 1) {
    this.#snapshot = {
      revision,
      trustDomain: TRUST_DOMAIN,
      rootNamespace: 'istio-system',
      services: [],
      pods: new Map(pods.map((p) => [`${p.namespace}/${p.name}`, p])),
      objects: new Map(),
    }
  }

  snapshot(): Snapshot {
    return this.#snapshot
  }

  onChange(run: (revision: number, committedAtMs: number) => void): () => void {
    this.#listeners.add(run)
    return () => this.#listeners.delete(run)
  }

  translate(_snapshot: Snapshot, proxy: Proxy): ProxyResources {
    this.translations++
    return this.resources(proxy)
  }

  /** A commit; `pods` replaces them. Returns its revision. */
  commit(change: { resources?: ProxyResources; pods?: Pod[]; nothing?: boolean } = {}): number {
    const { resources, pods } = change
    if (resources !== undefined) this.resources = () => resources
    const revision = this.#snapshot.revision + 1
    this.#snapshot = {
      ...this.#snapshot,
      revision,
      ...(pods === undefined ? {} : { pods: new Map(pods.map((p) => [`${p.namespace}/${p.name}`, p])) }),
      ...(change.nothing === true ? {} : { objects: new Map() }),
    }
    for (const run of this.#listeners) run(revision, systemClock.nowMs())
    return revision
  }
}

/** Remembers what it was given; refuses what `refuse` says. */
export class FakeTarget implements ConfigTarget {
  calls: string[] = []
  refuse: (name: string) => string | undefined = () => undefined

  #take(what: string, names: (string | undefined)[]): Rejection[] {
    this.calls.push(`${what} ${names.join(' ')}`)
    return names.flatMap((n = '') => {
      const detail = this.refuse(n)
      return detail === undefined ? [] : [{ name: n, detail }]
    })
  }

  setClusters = (list: { name?: string | undefined }[]): Rejection[] =>
    this.#take(
      'clusters',
      list.map((c) => c.name),
    )
  setEndpoints = (list: { clusterName?: string | undefined }[]): Rejection[] =>
    this.#take(
      'endpoints',
      list.map((c) => c.clusterName),
    )
  setRoutes = (list: { name?: string | undefined }[]): Rejection[] =>
    this.#take(
      'routes',
      list.map((c) => c.name),
    )
  setListeners = (list: { name?: string | undefined }[]): Promise<Rejection[]> =>
    Promise.resolve(
      this.#take(
        'listeners',
        list.map((c) => c.name),
      ),
    )
}

export class FixedCredential implements CredentialSource {
  #now: Credential
  constructor(credential: Credential) {
    this.#now = credential
  }
  current(): Credential {
    return this.#now
  }
  onChange(): () => void {
    return () => undefined
  }
}

export class Rig {
  readonly dir = mkdtempSync(join(tmpdir(), 'pm-ads-'))
  readonly socket = join(this.dir, 'xds.sock')
  readonly source: FakeSource
  readonly ca: CertificateAuthority
  readonly clients: AdsClient[] = []
  server: AdsServer | undefined
  #closers: (() => unknown)[] = []
  #stopServer: (() => Promise<void>) | undefined

  static async open(pods: Pod[]): Promise<Rig> {
    const dir = mkdtempSync(join(tmpdir(), 'pm-ca-'))
    const ca = await CertificateAuthority.open({
      dir: join(dir, 'ca'),
      store: new MemoryStore(),
      trustDomain: TRUST_DOMAIN,
      defaultTtlMs: 3_600_000,
      maxTtlMs: 3_600_000,
      clock: systemClock,
      log,
    })
    const rig = new Rig(pods, ca)
    rig.#closers.push(() => rmSync(dir, { recursive: true, force: true }))
    await rig.startServer()
    return rig
  }

  private constructor(pods: Pod[], ca: CertificateAuthority) {
    this.source = new FakeSource(pods)
    this.ca = ca
  }

  async startServer(clock: Clock = systemClock): Promise<AdsServer> {
    const tls = serverCredentials({ ca: this.ca, requireClientCertificate: true })
    const server = new AdsServer({ socket: this.socket, credentials: tls.credentials, source: this.source, log, clock })
    await server.start()
    this.server = server
    this.#stopServer = async () => {
      await server.close()
      tls.close()
    }
    return server
  }

  async stopServer(): Promise<void> {
    await this.#stopServer?.()
    this.#stopServer = undefined
  }

  credential(serviceAccount = 'default', namespace = 'default'): FixedCredential {
    const spiffeId = `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${serviceAccount}`
    const issued = this.ca.issueForServer(spiffeId)
    return new FixedCredential({ ...issued, generation: 1, spiffeId, serial: '', notBeforeEpochMs: 0 })
  }

  sidecar(name: string, options: { credentials?: CredentialSource; socket?: string; serverId?: string } = {}) {
    const target = new FakeTarget()
    const names: unknown[] = []
    const state = new ConfigState({ target, onNames: (table) => names.push(table) })
    const client = new AdsClient({
      socket: options.socket ?? this.socket,
      serverId: options.serverId ?? this.ca.serverId,
      node: { id: nodeId('127.0.0.1', name, 'default'), cluster: name },
      credentials: options.credentials ?? this.credential(),
      state,
      clock: systemClock,
      log,
      onApplied: () => undefined,
    })
    this.clients.push(client)
    client.start()
    return { client, state, target, names }
  }

  /** A UNIX socket in between that counts what passes. */
  async relay(): Promise<{ socket: string; bytes: () => number }> {
    let bytes = 0
    const socket = join(this.dir, `relay-${this.#closers.length}.sock`)
    const sockets = new Set<Socket>()
    const server: Server = createServer((down) => {
      const up = connect(this.socket)
      for (const [from, to] of [
        [down, up],
        [up, down],
      ] as const) {
        sockets.add(from)
        from.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          to.write(chunk)
        })
        from.on('close', () => to.destroy())
        from.on('error', () => to.destroy())
      }
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    this.#closers.push(() => {
      for (const s of sockets) s.destroy()
      server.close()
    })
    return { socket, bytes: () => bytes }
  }

  /** Resolves when all five types of `name` are in sync. */
  async synced(name: string): Promise<void> {
    await until(() => {
      const status = this.server?.status().find((s) => s.name === `${name}.default`)
      return status !== undefined && Object.values(status.types).every((t) => t.state === 'SYNCED')
    })
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close()
    await this.stopServer()
    for (const close of this.#closers) close()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Looks again at every turn of the event loop; the test's own timeout ends a wait that never comes true. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
