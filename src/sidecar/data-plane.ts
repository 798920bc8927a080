/**
 * The data path of a sidecar as one object: xDS resources in, traffic served. Compiles each push to immutable values
 * and swaps them in; a resource that cannot be honoured is refused by name, its last good version stays.
 * Owns: listeners, clusters, routes, the timer wheel. Knows neither ADS nor files.
 */
import { isIP, type Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { TimerWheel } from '../lib/timer-wheel.ts'
import type { envoy } from '../xds/generated/xds.js'
import { CONNECT_ESTABLISHED, connectTo } from './capture/forward-proxy.ts'
import { type DestinationIndex, indexDestinations, listenerFor, originOf } from './capture/original-dst.ts'
import { Cluster, type ClusterContext } from './cluster/cluster.ts'
import { Clusters } from './cluster/clusters.ts'
import { headerName } from './codec/names.ts'
import { compileCluster, compileEndpoints } from './cluster/compile.ts'
import type { EndpointSpec } from './cluster/spec.ts'
import { type ListenerRefs, compileListener } from './listener/compile.ts'
import type { ConnectHandler, Origin } from './listener/connection.ts'
import type { ChainTls } from './listener/filter-chain.ts'
import type { Listener } from './listener/listener.ts'
import { ListenerSet, type ListenerStat } from './listener/listeners.ts'
import type { Opening } from './listener/proxy-header.ts'
import type { IpAddress } from './pool/address.ts'
import type { Dialer } from './pool/dial.ts'
import type { CredentialSource, LogSpec, Rejection, TelemetrySink } from './ports.ts'
import { compileRoutes } from './route/compile.ts'
import type { RouteCell } from './route/table.ts'
import type { ProxyContext } from './stream/context.ts'
import { encodePeerMetadata } from './stream/peer-metadata.ts'
import { createAcceptor, createTlsDialer } from './tls-links.ts'
import type { FileTls } from './tls/files.ts'
import { FileStore } from './tls/file-store.ts'
import type { Workload } from './workload.ts'

type XdsCluster = envoy.config.cluster.v3.Cluster
type XdsAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment
type XdsListener = envoy.config.listener.v3.Listener
type XdsRoutes = envoy.config.route.v3.RouteConfiguration

export interface EndpointStat {
  address: string
  mutualTls: boolean
  activeRequests: number
  totalRequests: number
  failures: number
  connections: number
}

export interface ClusterStat {
  name: string
  kind: 'static' | 'eds' | 'original_dst'
  endpoints: EndpointStat[]
}

export interface DataPlaneOptions {
  credentials: CredentialSource
  telemetry: TelemetrySink
  /** Who is told of what goes through a listener that names access logs; absent: `telemetry`, whose log is the mesh's. */
  accessLogs?: (logs: readonly LogSpec[]) => TelemetrySink
  self: Workload
  nodeId: string
  /** Whose a connection to another proxy is that serves several clients; absent: the address in the node ID. */
  ownAddress?: string
  /** That a listener keeps of one source; absent or 0: any number. */
  maxConnectionsPerSource?: number
  clock: Clock
  log: Log
}

const DRAIN_POLL_MS = 20

export class DataPlane {
  readonly #options: DataPlaneOptions
  readonly #wheel: TimerWheel
  readonly #proxy: ProxyContext
  readonly #clusterContext: ClusterContext
  readonly #clusters = new Clusters()
  readonly #assignments = new Map<string, readonly EndpointSpec[]>()
  readonly #routes = new Map<string, RouteCell>()
  readonly #listeners: ListenerSet
  readonly #files = new FileStore()
  readonly #stopCredentials: () => void
  /** Made anew when listeners have changed. */
  #destinations: DestinationIndex | null = null
  #names: ReadonlyMap<string, readonly string[]> = new Map()

  constructor(options: DataPlaneOptions) {
    const { clock, credentials, self, nodeId } = options
    this.#options = options
    this.#wheel = new TimerWheel(clock)
    const dialer: Dialer = {
      wheel: this.#wheel,
      tls: createTlsDialer(credentials, this.#files, clock),
      ownAddress: ownAddressOf(options),
    }
    this.#proxy = {
      telemetry: options.telemetry,
      wheel: this.#wheel,
      self,
      metadata: [
        [headerName('x-envoy-peer-metadata'), encodePeerMetadata(self)],
        [headerName('x-envoy-peer-metadata-id'), nodeId],
      ],
      nowMs: () => clock.nowMs(),
      nowEpochMs: () => clock.nowEpochMs(),
      random: Math.random,
    }
    this.#clusterContext = { dialer, nowMs: this.#proxy.nowMs, random: Math.random }
    const deps = {
      proxy: this.#proxy,
      maxConnectionsPerSource: options.maxConnectionsPerSource ?? 0,
      dialer,
      ownId: () => credentials.current()?.spiffeId ?? '',
      acceptor: (tls: ChainTls) => createAcceptor(credentials, this.#files, tls, clock),
      onCapture: (raw: Socket, own: Listener, opening: Opening, rest: Buffer | null) => {
        this.#dispatch(raw, rest, originOf(raw, opening), own)
      },
      onConnect: this.#onConnect,
    }
    const onChange = (): void => void (this.#destinations = null)
    this.#listeners = new ListenerSet({ deps, clock, log: options.log, onChange })
    this.#stopCredentials = credentials.onChange((credential) => this.#onCredential(credential.generation))
  }

  /** The whole state of the world: what is absent is drained and gone. */
  setClusters(list: XdsCluster[]): Rejection[] {
    const rejections: Rejection[] = []
    const named = new Set<string>()
    for (const resource of list) {
      const name = resource.name ?? ''
      named.add(name)
      attempt(rejections, name, () => {
        const spec = compileCluster(resource)
        const cell = this.#clusters.cell(name)
        if (cell.cluster === null) cell.cluster = new Cluster(spec, this.#clusterContext)
        else cell.cluster.update(spec)
        const known = this.#assignments.get(spec.edsName)
        if (spec.kind === 'eds' && known !== undefined) cell.cluster.setEndpoints(known)
      })
    }
    for (const cluster of this.#clusters.all()) {
      if (named.has(cluster.spec.name)) continue
      this.#clusters.cell(cluster.spec.name).cluster = null
      cluster.close()
    }
    const wanted = new Set<string>()
    for (const { spec } of this.#clusters.all()) if (spec.kind === 'eds') wanted.add(spec.edsName)
    for (const name of this.#assignments.keys()) if (!wanted.has(name)) this.#assignments.delete(name)
    return rejections
  }

  /** Only the assignments named. */
  setEndpoints(list: XdsAssignment[]): Rejection[] {
    const rejections: Rejection[] = []
    for (const resource of list) {
      const name = resource.clusterName ?? ''
      attempt(rejections, name, () => {
        const endpoints = compileEndpoints(resource)
        this.#assignments.set(name, endpoints)
        for (const cluster of this.#clusters.all())
          if (cluster.spec.kind === 'eds' && cluster.spec.edsName === name) cluster.setEndpoints(endpoints)
      })
    }
    return rejections
  }

  /** Only the configurations named. Takes effect with the next request, also on live connections. */
  setRoutes(list: XdsRoutes[]): Rejection[] {
    const rejections: Rejection[] = []
    for (const resource of list) {
      const name = resource.name ?? ''
      attempt(rejections, name, () => {
        this.#routeCell(name).table = compileRoutes(resource, this.#clusters)
      })
    }
    this.#listeners.activateWarm()
    return rejections
  }

  /**
   * The whole state of the world. A changed listener keeps its connections, and the sockets of the addresses that stay.
   * One that cannot be bound is refused, and tried again until a push leaves it out.
   */
  async setListeners(list: XdsListener[]): Promise<Rejection[]> {
    const rejections: Rejection[] = []
    const named = new Set<string>()
    const ready: string[] = []
    for (const resource of list) {
      const name = resource.name ?? ''
      if (resource.apiListener) continue
      named.add(name)
      attempt(rejections, name, () => {
        const used: RouteCell[] = []
        this.#listeners.plan(name, { spec: compileListener(resource, this.#refs(used)), routes: used })
        ready.push(name)
      })
    }
    this.#listeners.keepOnly(named)
    const details = await Promise.all(ready.map((name) => this.#listeners.activate(name)))
    details.forEach((detail, i) => {
      if (detail !== '') rejections.push({ name: ready[i]!, detail, retried: true })
    })
    return rejections
  }

  /** Name -> addresses, for the forward proxy. */
  setNames(table: ReadonlyMap<string, readonly string[]>): void {
    this.#names = table
  }

  clusterStats(): ClusterStat[] {
    return [...this.#clusters.all()].map((cluster) => ({
      name: cluster.spec.name,
      kind: cluster.spec.kind,
      endpoints: [...cluster.endpoints].map((e) => ({
        address: e.label,
        mutualTls: e.tls !== null,
        activeRequests: e.numActive,
        totalRequests: e.numTotal,
        failures: e.numFailed,
        connections: e.pool.numConnections,
      })),
    }))
  }

  listenerStats(): ListenerStat[] {
    return this.#listeners.stats()
  }

  /** Bytes that wait in this process for a slower side, summed over all connections. */
  bufferedBytes(): number {
    let bytes = this.#listeners.bufferedBytes
    for (const cluster of this.#clusters.all())
      for (const endpoint of cluster.endpoints) bytes += endpoint.pool.bufferedBytes
    return bytes
  }

  /** Listeners that should be bound and are not, each with the reason. */
  unbound(): string[] {
    return this.#listeners.unbound()
  }

  /** Reads certificate files that handshakes would only read when they come. Throws where one is not usable. */
  loadCertificates(all: readonly FileTls[]): void {
    for (const tls of all) this.#files.get(tls)
  }

  /** Files of certificates that are in use. */
  certificateFiles(): string[] {
    return this.#files.files()
  }

  /** Reads them again, for the next handshakes. Returns why some could not be used; those stay as they were. */
  reloadCertificates(): string[] {
    return this.#files.reload()
  }

  /** Closes listeners and idle connections, waits for what is under way, cuts what is left at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.nowMs() + deadlineMs
    this.#listeners.drain()
    while (this.#listeners.numConnections > 0 && clock.nowMs() < untilMs)
      await new Promise<void>((resolve) => clock.after(DRAIN_POLL_MS, resolve))
    this.#listeners.destroy()
    for (const cluster of this.#clusters.all()) cluster.close()
    this.#stopCredentials()
    this.#wheel.close()
  }

  #routeCell(name: string): RouteCell {
    let cell = this.#routes.get(name)
    if (cell === undefined) {
      cell = { name, table: null }
      this.#routes.set(name, cell)
    }
    return cell
  }

  #refs(used: RouteCell[]): ListenerRefs {
    return {
      proxy: this.#proxy,
      clusters: this.#clusters,
      telemetry: this.#options.accessLogs ?? (() => this.#options.telemetry),
      routes: (name) => {
        const cell = this.#routeCell(name)
        used.push(cell)
        return cell
      },
      inlineRoutes: (config) => ({ name: config.name ?? '', table: compileRoutes(config, this.#clusters) }),
    }
  }

  readonly #onConnect: ConnectHandler = (authority, link, rest, refuse) => {
    const capture = [...this.#listeners.active()].find((l) => l.spec.useOriginalDst)
    if (capture === undefined) {
      refuse(502)
      return
    }
    const dispatch = (host: string, port: number): void => {
      link.raw.write(CONNECT_ESTABLISHED, 'latin1')
      this.#dispatch(link.raw, rest, { source: null, local: null, originalDst: { host, port } }, capture)
    }
    connectTo(authority, link, this.#names, dispatch, refuse)
  }

  /** To the listener of its destination; `own`: of the listener that captured it. */
  #dispatch(raw: Socket, rest: Buffer | null, origin: Origin, own: Listener): void {
    this.#destinations ??= indexDestinations(this.#listeners.active())
    const { originalDst: to } = origin
    const listener = to === null ? own : listenerFor(this.#destinations, to.host, to.port, own)
    listener.accept(raw, rest, origin)
  }

  #onCredential(generation: number): void {
    for (const cluster of this.#clusters.all())
      for (const endpoint of cluster.endpoints) endpoint.pool.retireOlderThan(generation)
  }
}

function ownAddressOf({ ownAddress, nodeId }: DataPlaneOptions): IpAddress {
  const host = ownAddress ?? nodeId.split('~')[1] ?? ''
  return { host: isIP(host) === 0 ? '0.0.0.0' : host, port: 0 }
}

function attempt(rejections: Rejection[], name: string, run: () => void): void {
  try {
    run()
  } catch (error) {
    rejections.push({ name, detail: (error as Error).message })
  }
}
