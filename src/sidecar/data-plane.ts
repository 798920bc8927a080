/**
 * The data path of a sidecar as one object: xDS resources in, traffic served. Compiles each push to immutable values
 * and swaps them in; a resource that cannot be honoured is refused by name, its last good version stays.
 * Owns: listeners, clusters, routes, the timer wheel. Knows neither ADS nor files.
 */
import type net from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { TimerWheel } from '../lib/timer-wheel.ts'
import type { envoy } from '../xds/generated/xds.js'
import { CONNECT_ESTABLISHED, connectTo } from './capture/forward-proxy.ts'
import { destinationKey, listenerFor, readDestination } from './capture/original-dst.ts'
import { Cluster, type ClusterContext } from './cluster/cluster.ts'
import { Clusters } from './cluster/clusters.ts'
import { compileCluster, compileEndpoints } from './cluster/compile.ts'
import type { EndpointSpec } from './cluster/spec.ts'
import { type ListenerRefs, compileListener } from './listener/compile.ts'
import type { ListenerSpec } from './listener/filter-chain.ts'
import { Listener, type ListenerDeps } from './listener/listener.ts'
import { addressLabel, type Dialer } from './pool/dial.ts'
import type { CredentialSource, TelemetrySink } from './ports.ts'
import { compileRoutes } from './route/compile.ts'
import type { RouteCell } from './route/table.ts'
import type { ProxyContext } from './stream/context.ts'
import { encodePeerMetadata } from './stream/peer-metadata.ts'
import { createAcceptor, createTlsDialer } from './tls-links.ts'
import type { Workload } from './workload.ts'

type XdsCluster = envoy.config.cluster.v3.Cluster
type XdsAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment
type XdsListener = envoy.config.listener.v3.Listener
type XdsRoutes = envoy.config.route.v3.RouteConfiguration

/** One bad resource; the others were applied, its last good version stays. */
export interface Rejection {
  name: string
  detail: string
}

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

export interface ListenerStat {
  name: string
  /** As configured; with the port really bound. */
  address: string
  bound: boolean
  connections: number
}

export interface DataPlaneOptions {
  credentials: CredentialSource
  telemetry: TelemetrySink
  self: Workload
  nodeId: string
  trustDomain: string
  clock: Clock
  log: Log
}

/** A compiled listener and the route configurations that it cannot serve without. */
interface Planned {
  spec: ListenerSpec
  routes: readonly RouteCell[]
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
  readonly #listeners = new Map<string, Listener>()
  /** What each active or warming listener was made from. */
  readonly #planned = new Map<string, Planned>()
  readonly #warming = new Set<string>()
  readonly #draining = new Set<Listener>()
  readonly #stopCredentials: () => void
  #destinations = new Map<string, Listener>()
  #names: ReadonlyMap<string, readonly string[]> = new Map()
  readonly #deps: ListenerDeps

  constructor(options: DataPlaneOptions) {
    const { clock, credentials, self, nodeId } = options
    this.#options = options
    this.#wheel = new TimerWheel(clock)
    const dialer: Dialer = { wheel: this.#wheel, tls: createTlsDialer(credentials) }
    this.#proxy = {
      telemetry: options.telemetry,
      wheel: this.#wheel,
      self,
      metadataLines: `x-envoy-peer-metadata: ${encodePeerMetadata(self)}\r\nx-envoy-peer-metadata-id: ${nodeId}\r\n`,
      nowMs: () => clock.nowMs(),
      nowEpochMs: () => clock.nowEpochMs(),
      random: Math.random,
    }
    this.#clusterContext = { dialer, nowMs: this.#proxy.nowMs, random: Math.random }
    this.#deps = {
      proxy: this.#proxy,
      dialer,
      ownId: () => credentials.current()?.spiffeId ?? '',
      acceptor: (tls) => createAcceptor(credentials, tls),
      onCapture: (raw, own) => this.#onCapture(raw, own),
      onConnect: (authority, link, rest, refuse) => {
        const capture = [...this.#listeners.values()].find((l) => l.spec.capture)
        if (capture === undefined) {
          refuse(502)
          return
        }
        const dispatch = (host: string, port: number): void => {
          link.raw.write(CONNECT_ESTABLISHED, 'latin1')
          listenerFor(this.#destinations, host, port, capture).accept(link.raw, rest, { host, port })
        }
        connectTo(authority, link, this.#names, dispatch, refuse)
      },
    }
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
    const wanted = new Set(this.edsNames())
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
    for (const name of this.#warming) {
      void this.#activate(name).then((detail) => {
        if (detail !== '') this.#options.log.error({ listener: name, detail }, 'listener could not be bound')
      })
    }
    return rejections
  }

  /** The whole state of the world. A changed listener keeps its socket and its connections. */
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
        this.#planned.set(name, { spec: compileListener(resource, this.#refs(used)), routes: used })
        this.#warming.add(name)
        ready.push(name)
      })
    }
    for (const name of this.#planned.keys()) {
      if (named.has(name)) continue
      this.#planned.delete(name)
      this.#warming.delete(name)
      this.#retire(name)
    }
    const details = await Promise.all(ready.map((name) => this.#activate(name)))
    details.forEach((detail, i) => {
      if (detail !== '') rejections.push({ name: ready[i]!, detail })
    })
    return rejections
  }

  /** Name -> addresses, for the forward proxy. */
  setNames(table: ReadonlyMap<string, readonly string[]>): void {
    this.#names = table
  }

  /** Assignments that the clusters want. */
  edsNames(): string[] {
    const names = new Set<string>()
    for (const { spec } of this.#clusters.all()) if (spec.kind === 'eds') names.add(spec.edsName)
    return [...names]
  }

  /** Route configurations that the listeners want. */
  rdsNames(): string[] {
    const names = new Set<string>()
    for (const { routes } of this.#planned.values()) for (const { name } of routes) names.add(name)
    return [...names]
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
    return [...this.#listeners.values()].map((listener) => {
      const { name, address } = listener.spec
      const bound = listener.port === 0 || 'path' in address ? address : { ...address, port: listener.port }
      return { name, address: addressLabel(bound), bound: listener.isBound, connections: listener.numConnections }
    })
  }

  /** Closes listeners and idle connections, waits for what is under way, cuts what is left at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.nowMs() + deadlineMs
    const all = [...this.#listeners.values(), ...this.#draining]
    for (const listener of all) listener.drain()
    while (all.some((l) => l.numConnections > 0) && clock.nowMs() < untilMs)
      await new Promise<void>((resolve) => clock.after(DRAIN_POLL_MS, resolve))
    for (const listener of all) listener.destroy()
    for (const cluster of this.#clusters.all()) cluster.close()
    this.#listeners.clear()
    this.#stopCredentials()
    this.#wheel.close()
  }

  /** Puts a planned listener to work once its routes are there. Returns '' or why it cannot be bound. */
  async #activate(name: string): Promise<string> {
    const planned = this.#planned.get(name)
    if (planned === undefined || planned.routes.some((cell) => cell.table === null)) return ''
    this.#warming.delete(name)
    const { spec } = planned
    const present = this.#listeners.get(name)
    if (present !== undefined && sameSocket(present.spec, spec)) {
      present.update(spec)
      this.#index()
      return ''
    }
    const listener = new Listener(spec, this.#deps)
    const detail = spec.bind ? await listener.bind() : ''
    if (detail !== '') return detail
    if (this.#planned.get(name) !== planned) listener.destroy() // another push came meanwhile
    else {
      this.#retire(name)
      this.#listeners.set(name, listener)
      this.#index()
    }
    return ''
  }

  #retire(name: string): void {
    const listener = this.#listeners.get(name)
    if (listener === undefined) return
    this.#listeners.delete(name)
    listener.drain()
    for (const old of this.#draining) if (old.numConnections === 0) this.#draining.delete(old)
    this.#draining.add(listener)
    this.#index()
  }

  #index(): void {
    const index = new Map<string, Listener>()
    for (const listener of this.#listeners.values()) {
      const { address, bind } = listener.spec
      if (!bind && !('path' in address)) index.set(destinationKey(address.host, address.port), listener)
    }
    this.#destinations = index
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
      routes: (name) => {
        const cell = this.#routeCell(name)
        used.push(cell)
        return cell
      },
      inlineRoutes: (config) => ({ name: config.name ?? '', table: compileRoutes(config, this.#clusters) }),
    }
  }

  #onCapture(raw: net.Socket, own: Listener): void {
    readDestination(raw, this.#wheel, (destination, rest) => {
      if (destination === null || 'path' in destination) own.accept(raw, rest, null)
      else listenerFor(this.#destinations, destination.host, destination.port, own).accept(raw, rest, destination)
    })
  }

  #onCredential(generation: number): void {
    for (const cluster of this.#clusters.all())
      for (const endpoint of cluster.endpoints) endpoint.pool.retireOlderThan(generation)
  }
}

function attempt(rejections: Rejection[], name: string, run: () => void): void {
  try {
    run()
  } catch (error) {
    rejections.push({ name, detail: (error as Error).message })
  }
}

function sameSocket(a: ListenerSpec, b: ListenerSpec): boolean {
  return a.bind === b.bind && JSON.stringify(a.address) === JSON.stringify(b.address)
}
