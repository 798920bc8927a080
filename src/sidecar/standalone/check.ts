/**
 * A bootstrap file, checked as a whole. In: its text. Out: the resources that ADS would deliver, or all faults with their
 * places. Each resource is compiled once, by what the data path compiles it with, for nothing but its faults.
 */
import { nearest } from '../../lib/nearest.ts'
import { UNKNOWN_WORKLOAD, type Workload } from '../workload.ts'
import { envoy } from '../../xds/generated/xds.js'
import { type ClusterCell, Clusters } from '../cluster/clusters.ts'
import { compileAddress, compileCluster } from '../cluster/compile.ts'
import { compileListener, type ListenerRefs } from '../listener/compile.ts'
import type { FilterChain } from '../listener/filter-chain.ts'
import { compileRoutes } from '../route/compile.ts'
import { type Address, addressLabel } from '../pool/address.ts'
import { loadTls } from '../tls/file-store.ts'
import type { FileTls } from '../tls/files.ts'
import { Decoder, type Origin } from './decode.ts'
import type { Fault } from './fault.ts'
import { Observer } from './observe.ts'
import { readTree } from './tree.ts'

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap
type Cluster = envoy.config.cluster.v3.Cluster
type Listener = envoy.config.listener.v3.Listener

/** What a proxy that stands alone is made of. */
export interface Standalone {
  nodeId: string
  self: Workload
  /** `null`: no admin interface. */
  admin: Address | null
  clusters: Cluster[]
  listeners: Listener[]
  /** All that TLS is made of, on both sides. */
  tls: readonly FileTls[]
}

const TOP: Origin = { path: '', at: { line: 1, column: 1 } }
/** It goes into a header field. */
const NODE_ID = /^[\x21-\x7e]+$/

export function checkBootstrap(text: string): { bootstrap: Standalone | null; faults: Fault[] } {
  const { root, faults } = readTree(text)
  return root === null ? { bootstrap: null, faults } : new Checker(root).run()
}

class Checker {
  readonly #decoder = new Decoder()
  readonly #bootstrap: Bootstrap
  readonly #faults: Fault[]
  readonly #bound = new Set<string>()
  readonly #tls: FileTls[] = []

  constructor(root: NonNullable<ReturnType<typeof readTree>['root']>) {
    this.#bootstrap = this.#decoder.bootstrap(root)
    this.#faults = this.#decoder.faults
  }

  run(): { bootstrap: Standalone | null; faults: Fault[] } {
    const { node, admin, staticResources } = this.#bootstrap
    const clusters = staticResources?.clusters ?? []
    const listeners = staticResources?.listeners ?? []
    if (listeners.length === 0 && this.#faults.length === 0)
      this.#fault(TOP, 'static_resources.listeners is empty: there is nothing to serve')
    this.#checkNames(clusters)
    for (const [i, listener] of listeners.entries()) listener.name ||= `listener_${i}`
    this.#checkNames(listeners)
    for (const [i, cluster] of clusters.entries()) this.#checkCluster(cluster, this.#origin(clusters, i))
    const known = new KnownClusters(clusters.map((c) => c.name ?? ''))
    for (const [i, listener] of listeners.entries()) this.#checkListener(listener, this.#origin(listeners, i), known)
    const address = this.#checkAdmin(admin)
    const nodeId = node?.id || 'unknown'
    if (!NODE_ID.test(nodeId)) this.#fault(this.#origin(node ?? {}, 'id'), 'must be visible ASCII characters')
    if (this.#faults.length > 0) return { bootstrap: null, faults: this.#faults }
    return {
      bootstrap: { nodeId, self: selfOf(node), admin: address, clusters, listeners, tls: this.#tls },
      faults: [],
    }
  }

  #checkCluster(cluster: Cluster, at: Origin): void {
    if (cluster.type === envoy.config.cluster.v3.Cluster.DiscoveryType.EDS) {
      this.#fault(this.#origin(cluster, 'type'), 'EDS needs a control plane; name the endpoints in load_assignment')
      return
    }
    const spec = this.#compile(cluster, at, compileCluster)
    if (spec === null) return
    const socket = this.#origin(cluster, 'transportSocket')
    for (const { tls } of [spec.defaultTransport, ...spec.transports.map((t) => t.transport)])
      if (tls !== null) this.#checkTls(tls.files ?? null, socket)
  }

  #checkListener(listener: Listener, at: Origin, clusters: Clusters): void {
    const spec = this.#compile(listener, at, (watched) => compileListener(watched, refsFor(clusters)))
    if (spec === null) return
    const check = ({ tls }: FilterChain, chain: object): void => {
      if (tls !== null) this.#checkTls(tls.files, this.#origin(chain, 'transportSocket'))
    }
    const seen = new Set<string>()
    spec.chains.forEach((chain, i) => {
      check(chain, listener.filterChains?.[i] ?? {})
      const key = JSON.stringify([chain.transport, chain.protocols, chain.serverNames])
      if (seen.has(key))
        this.#fault(this.#origin(listener.filterChains ?? [], i), 'an earlier chain matches the same: none gets here')
      seen.add(key)
    })
    if (spec.bind) this.#checkAddresses(spec.addresses, at)
    if (spec.defaultChain !== null) check(spec.defaultChain, listener.defaultFilterChain ?? {})
  }

  /** One socket can be bound to a port only; port 0 is another one each time. */
  #checkAddresses(addresses: readonly Address[], at: Origin): void {
    for (const address of addresses) {
      const label = addressLabel(address)
      if (this.#bound.has(label)) this.#fault(at, `${label} is another listener's already`)
      if ('path' in address || address.port !== 0) this.#bound.add(label)
    }
  }

  #checkTls(files: FileTls | null, at: Origin): void {
    if (files === null) {
      const remedy = 'name certificates by tls_certificates and validation_context'
      this.#fault(at, `a TLS context without certificate files is the mesh's, which needs a control plane; ${remedy}`)
      return
    }
    try {
      loadTls(files)
      this.#tls.push(files)
    } catch (error) {
      this.#fault(at, (error as Error).message)
    }
  }

  #checkAdmin(admin: Bootstrap['admin']): Address | null {
    if (!admin) return null
    return this.#compile(admin, this.#origin(this.#bootstrap, 'admin'), (watched) => compileAddress(watched.address))
  }

  /** Compiles for the faults: what is thrown, and what is not read. */
  #compile<T extends object, R>(message: T, at: Origin, compile: (watched: T) => R): R | null {
    const observer = new Observer(this.#decoder)
    let result: R
    try {
      result = compile(observer.watch(message))
    } catch (error) {
      const place = observer.last ?? at
      // a part that could not be decoded is missing now: what follows from that is no fault of its own
      const around = place.path.slice(0, Math.max(place.path.lastIndexOf('.'), place.path.lastIndexOf('[')))
      const follows = this.#faults.some(
        ({ path }) => path.startsWith(at.path) && (path.startsWith(around) || place.path.startsWith(`${path}.`)),
      )
      if (!follows) this.#fault(place, (error as Error).message)
      return null
    }
    this.#faults.push(...observer.refused(message))
    return result
  }

  #checkNames(resources: readonly { name?: string | undefined }[]): void {
    const seen = new Set<string>()
    resources.forEach((resource, i) => {
      const name = resource.name ?? ''
      if (seen.has(name)) this.#fault(this.#origin(resources, i), `the name "${name}" stands twice`)
      seen.add(name)
    })
  }

  /** Where a part of a message or a list stood, else the whole. */
  #origin(parent: object, key: string | number): Origin {
    return this.#decoder.parts.get(parent)?.fields.get(String(key)) ?? TOP
  }

  #fault({ path, at }: Origin, message: string): void {
    this.#faults.push({ path, at, message })
  }
}

/** A reference to a cluster that is not in the file is a fault of the file: nothing else brings one. */
class KnownClusters extends Clusters {
  readonly #names: ReadonlySet<string>

  constructor(names: readonly string[]) {
    super()
    this.#names = new Set(names)
  }

  override cell(name: string): ClusterCell {
    if (this.#names.has(name)) return super.cell(name)
    const guess = nearest(name, this.#names)
    throw new Error(`there is no cluster "${name}"${guess === undefined ? '' : `; did you mean "${guess}"?`}`)
  }
}

/** Nothing is served by what is compiled here. */
function refsFor(clusters: Clusters): ListenerRefs {
  const sink = { onEnd: () => {}, onTcpOpen: () => {} }
  return {
    proxy: {} as ListenerRefs['proxy'],
    clusters,
    telemetry: () => sink,
    routes: () => {
      throw new Error('RDS needs a control plane; give the routes as route_config')
    },
    inlineRoutes: (config) => ({ name: config.name ?? '', table: compileRoutes(config, clusters) }),
  }
}

function selfOf(node: Bootstrap['node']): Workload {
  const workload = node?.cluster || 'unknown'
  return Object.freeze({ ...UNKNOWN_WORKLOAD, workload, app: workload, canonicalService: workload })
}
