/**
 * The configuration that a sidecar has accepted, by type and name. In: delta responses, or what the cache kept.
 * Out: calls of the data path in the order that breaks no traffic, and the rejections to NACK with. Owns the resources.
 * One bad resource keeps its last good version, the others are applied (as Envoy does for listeners and clusters).
 * Warming is the data path's: a listener whose routes have not come yet stays as it was until then.
 */
import type { DeltaDiscoveryResponse } from '../../xds/ads-service.ts'
import type { envoy, istio } from '../../xds/generated/xds.js'
import { EXTENSION, RESOURCE_CODEC, TYPE_URL, unpack, type Any, type XdsType } from '../../xds/type-urls.ts'
import type { Rejection } from '../ports.ts'

type Cluster = envoy.config.cluster.v3.Cluster
type Listener = envoy.config.listener.v3.Listener
type RouteConfiguration = envoy.config.route.v3.RouteConfiguration
type EndpointList = envoy.config.endpoint.v3.ClusterLoadAssignment
type NameTable = istio.networking.nds.v1.NameTable
type Message = Cluster | Listener | RouteConfiguration | EndpointList | NameTable

/** The part of the data path that configuration goes to. */
export interface ConfigTarget {
  setClusters(clusters: Cluster[]): Rejection[]
  setEndpoints(list: EndpointList[]): Rejection[]
  setListeners(listeners: Listener[]): Promise<Rejection[]>
  setRoutes(list: RouteConfiguration[]): Rejection[]
}

export interface Held {
  name: string
  version: string
  any: Any
}

export interface ConfigStateOptions {
  target: ConfigTarget
  /** A new table of names. */
  onNames: (table: NameTable) => void
}

/** What the cache holds is all there at once: with the routes first, no listener has to wait for them. */
const LOAD_ORDER = ['CDS', 'EDS', 'RDS', 'LDS', 'NDS'] as const satisfies readonly XdsType[]

export class ConfigState {
  readonly #target: ConfigTarget
  readonly #onNames: (table: NameTable) => void
  readonly #held: Record<XdsType, Map<string, Held>> = {
    CDS: new Map(),
    EDS: new Map(),
    LDS: new Map(),
    RDS: new Map(),
    NDS: new Map(),
  }
  readonly #clusters = new Map<string, Cluster>()
  readonly #listeners = new Map<string, Listener>()
  readonly #applied = new Set<XdsType>()

  constructor(options: ConfigStateOptions) {
    this.#target = options.target
    this.#onNames = options.onNames
  }

  /** Types of which something has been applied, from ADS or the cache. */
  get applied(): ReadonlySet<XdsType> {
    return this.#applied
  }

  /** Each type that is wanted has come once: a sidecar that starts with what is held, serves. */
  get isWhole(): boolean {
    const applied = this.#applied
    if (!applied.has('CDS') || !applied.has('LDS') || !applied.has('NDS')) return false
    return (applied.has('EDS') || this.edsNames().size === 0) && (applied.has('RDS') || this.rdsNames().size === 0)
  }

  held(type: XdsType): ReadonlyMap<string, Held> {
    return this.#held[type]
  }

  /** Name -> version, for the first request on a stream. */
  versions(type: XdsType): Record<string, string> {
    return Object.fromEntries([...this.#held[type].values()].map((h) => [h.name, h.version]))
  }

  /** Names of the endpoint lists that the clusters want. */
  edsNames(): Set<string> {
    const names = new Set<string>()
    for (const cluster of this.#clusters.values()) {
      const name = edsNameOf(cluster)
      if (name !== undefined) names.add(name)
    }
    return names
  }

  /** Names of the route configurations that the listeners want. */
  rdsNames(): Set<string> {
    const names = new Set<string>()
    for (const listener of this.#listeners.values()) for (const name of rdsNamesOf(listener)) names.add(name)
    return names
  }

  /** Forgets what is not subscribed to any more. */
  retain(type: 'EDS' | 'RDS', names: ReadonlySet<string>): void {
    for (const name of this.#held[type].keys()) if (!names.has(name)) this.#held[type].delete(name)
  }

  /** Applies one response. The rejections are for its NACK; none: ACK. */
  async apply(type: XdsType, response: DeltaDiscoveryResponse): Promise<Rejection[]> {
    const rejections: Rejection[] = []
    const changed = decodeAll(type, response, rejections)
    if (changed === undefined) return rejections
    await this.#put(type, changed, response.removedResources ?? [], rejections)
    return rejections
  }

  /** Applies what the cache kept. Rejections are returned for the log. */
  async load(saved: ReadonlyMap<XdsType, readonly Held[]>): Promise<Rejection[]> {
    const rejections: Rejection[] = []
    for (const type of LOAD_ORDER) {
      const list = saved.get(type)
      if (list === undefined || list.length === 0) continue
      const resources = list.map((h) => ({ name: h.name, version: h.version, resource: h.any }))
      rejections.push(...(await this.apply(type, { resources })))
    }
    return rejections
  }

  async #put(type: XdsType, changed: Decoded[], removed: readonly string[], rejections: Rejection[]): Promise<void> {
    let bad: Rejection[]
    switch (type) {
      case 'CDS':
        bad = this.#putClusters(changed, removed)
        break
      case 'EDS':
        bad = this.#target.setEndpoints(changed.map((c) => c.message as EndpointList))
        break
      case 'LDS':
        bad = await this.#putListeners(changed, removed)
        break
      case 'RDS':
        bad = this.#target.setRoutes(changed.map((c) => c.message as RouteConfiguration))
        break
      case 'NDS':
        bad = []
        for (const c of changed) this.#onNames(c.message as NameTable)
        break
      default:
        return type satisfies never
    }
    const refused = new Set(bad.map((r) => r.name))
    for (const { held } of changed) if (!refused.has(held.name)) this.#held[type].set(held.name, held)
    for (const name of removed) this.#held[type].delete(name)
    rejections.push(...bad)
    this.#applied.add(type)
  }

  #putClusters(changed: Decoded[], removed: readonly string[]): Rejection[] {
    const before = new Map(changed.map((c) => [c.held.name, this.#clusters.get(c.held.name)]))
    for (const { held, message } of changed) this.#clusters.set(held.name, message as Cluster)
    for (const name of removed) this.#clusters.delete(name)
    const bad = this.#target.setClusters([...this.#clusters.values()])
    for (const { name } of bad) restore(this.#clusters, name, before.get(name))
    return bad
  }

  async #putListeners(changed: Decoded[], removed: readonly string[]): Promise<Rejection[]> {
    const before = new Map(changed.map((c) => [c.held.name, this.#listeners.get(c.held.name)]))
    for (const { held, message } of changed) this.#listeners.set(held.name, message as Listener)
    for (const name of removed) this.#listeners.delete(name)
    const bad = await this.#target.setListeners([...this.#listeners.values()])
    for (const { name, retried } of bad)
      if (retried !== true && before.has(name)) restore(this.#listeners, name, before.get(name))
    return bad
  }
}

interface Decoded {
  held: Held
  message: Message
}

/** `undefined`: the response as a whole is wrong. Single bad resources go to `rejections`. */
function decodeAll(type: XdsType, response: DeltaDiscoveryResponse, rejections: Rejection[]): Decoded[] | undefined {
  const out: Decoded[] = []
  const seen = new Set<string>()
  for (const resource of response.resources ?? []) {
    const name = resource.name ?? ''
    if (seen.has(name)) {
      rejections.push({ name, detail: 'the response has two resources of this name' })
      return undefined
    }
    seen.add(name)
    const any = resource.resource
    if (any?.typeUrl !== TYPE_URL[type]) {
      rejections.push({
        name,
        detail: `a resource of type ${any?.typeUrl ?? 'none'} in a response for ${TYPE_URL[type]}`,
      })
      continue
    }
    try {
      const message: Message = RESOURCE_CODEC[type].decode(any.value ?? new Uint8Array(0))
      const inner = nameOf(type, message)
      if (inner !== undefined && inner !== name) throw new Error(`its own name is ${inner}`)
      out.push({ held: { name, version: resource.version ?? '', any }, message })
    } catch (error) {
      rejections.push({ name, detail: error instanceof Error ? error.message : String(error) })
    }
  }
  return out
}

/** The name inside the resource; a name table has none. */
function nameOf(type: XdsType, message: Message): string | undefined {
  if (type === 'NDS') return undefined
  if (type === 'EDS') return (message as EndpointList).clusterName ?? ''
  return (message as Cluster).name ?? ''
}

function edsNameOf(cluster: Cluster): string | undefined {
  const config = cluster.edsClusterConfig
  if (config === undefined || config === null) return undefined
  return config.serviceName === undefined || config.serviceName === '' ? cluster.name : config.serviceName
}

function rdsNamesOf(listener: Listener): string[] {
  const names: string[] = []
  for (const chain of [...(listener.filterChains ?? []), listener.defaultFilterChain]) {
    for (const filter of chain?.filters ?? []) {
      const name = unpack(EXTENSION.httpConnectionManager, filter.typedConfig)?.rds?.routeConfigName
      if (name !== undefined && name !== '') names.push(name)
    }
  }
  return names
}

function restore<T>(map: Map<string, T>, name: string, last: T | undefined): void {
  if (last === undefined) map.delete(name)
  else map.set(name, last)
}
