/**
 * A cluster at run time: its endpoints with their pools, its policy, its circuit limits.
 * In: specs of each push. Out: an endpoint per request. Owns: endpoints; those that a push takes away are drained.
 */
import { addressLabel, type IpAddress } from '../pool/address.ts'
import { type Dialer, proxyHeader } from '../pool/dial.ts'
import type { Limits } from '../pool/limits.ts'
import { Pool } from '../pool/pool.ts'
import { UNKNOWN_WORKLOAD } from '../workload.ts'
import { Endpoint } from './endpoint.ts'
import { LeastRequest } from './least-request.ts'
import type { Picker } from './picker.ts'
import { Random } from './random.ts'
import { RoundRobin } from './round-robin.ts'
import type { ClusterSpec, EndpointSpec, LbPolicy, Transport } from './spec.ts'

/** What clusters need of the world. */
export interface ClusterContext {
  dialer: Dialer
  nowMs: () => number
  random: () => number
}

const PICKERS: Record<LbPolicy, new (random: () => number) => Picker> = {
  least_request: LeastRequest,
  round_robin: RoundRobin,
  random: Random,
}

/** Original destinations beyond this make the unused ones go. */
const MAX_ORIGINAL_DESTINATIONS = 256

export class Cluster {
  spec: ClusterSpec
  readonly limits: Limits
  readonly #context: ClusterContext
  #picker: Picker
  #specs: readonly EndpointSpec[] = []
  /** By address and transport. */
  #endpoints = new Map<string, Endpoint>()
  /** Of a passthrough: one per original destination, each with its own connections. */
  readonly #destinations = new Map<string, Endpoint>()
  /** Healthy ones of the best priority. */
  #ready: Endpoint[] = []

  constructor(spec: ClusterSpec, context: ClusterContext) {
    this.spec = spec
    this.#context = context
    this.limits = {
      maxConnections: spec.maxConnections,
      maxPending: spec.maxPending,
      maxRequests: spec.maxRequests,
      ...retryLimits(spec),
      numConnections: 0,
      numPending: 0,
      numRequests: 0,
      numRetries: 0,
    }
    this.#picker = new PICKERS[spec.lbPolicy](context.random)
    if (spec.kind === 'static') this.setEndpoints(spec.endpoints)
  }

  /** A new version of the cluster; endpoints whose transport stays keep their connections. */
  update(spec: ClusterSpec): void {
    if (spec.lbPolicy !== this.spec.lbPolicy) this.#picker = new PICKERS[spec.lbPolicy](this.#context.random)
    const rebuild =
      spec.passthrough !== this.spec.passthrough ||
      spec.connectTimeoutMs !== this.spec.connectTimeoutMs ||
      spec.idleTimeoutMs !== this.spec.idleTimeoutMs ||
      spec.maxRequestsPerConnection !== this.spec.maxRequestsPerConnection ||
      JSON.stringify(spec.protocol) !== JSON.stringify(this.spec.protocol)
    this.spec = spec
    this.limits.maxConnections = spec.maxConnections
    this.limits.maxPending = spec.maxPending
    this.limits.maxRequests = spec.maxRequests
    Object.assign(this.limits, retryLimits(spec))
    if (rebuild) this.#dropAll()
    this.setEndpoints(spec.kind === 'static' ? spec.endpoints : this.#specs)
  }

  setEndpoints(specs: readonly EndpointSpec[]): void {
    this.#specs = specs
    if (this.spec.kind === 'original_dst') return
    const next = new Map<string, Endpoint>()
    let bestPriority = Infinity
    for (const spec of specs) if (spec.healthy) bestPriority = Math.min(bestPriority, spec.priority)
    const ready: Endpoint[] = []
    for (const spec of specs) {
      const transport = this.#transportOf(spec)
      const key = `${spec.label} ${transportKey(transport)} ${Object.values(spec.workload).join(';')}`
      const endpoint = this.#endpoints.get(key) ?? next.get(key) ?? this.#create(spec, transport, null)
      endpoint.weight = spec.weight
      next.set(key, endpoint)
      if (spec.healthy && spec.priority === bestPriority) ready.push(endpoint)
    }
    const gone = [...this.#endpoints.keys()].filter((key) => !next.has(key))
    drop(this.#endpoints, gone)
    if (gone.length > 0) drop(this.#destinations, [...this.#destinations.keys()]) // they led there
    this.#endpoints = next
    this.#ready = ready
  }

  /** The next endpoint, if there is one; with `attempts`, another than those in `avoid` if there is such a one. */
  pick(avoid: readonly Endpoint[], attempts: number): Endpoint | null {
    if (this.#ready.length === 0) return null
    let endpoint = this.#picker.pick(this.#ready)
    for (let i = 0; i < attempts && avoid.includes(endpoint); i++) endpoint = this.#picker.pick(this.#ready)
    if (attempts === 0 || !avoid.includes(endpoint)) return endpoint
    // Envoy would take the last draw; a host that has not been tried is what was asked for
    return this.#ready.find((other) => !avoid.includes(other)) ?? endpoint
  }

  /**
   * Of a passthrough: what leads to `address`, itself or the proxy that is told of it. A connection serves one
   * destination only.
   */
  originalDestination(address: IpAddress & { publicOnly?: boolean }): Endpoint | null {
    const label = addressLabel(address)
    let endpoint = this.#destinations.get(label)
    if (endpoint === undefined) {
      const relay = this.spec.passthrough === 'relayed' ? this.pick([], 0) : undefined
      if (relay === null) return null
      if (this.#destinations.size >= MAX_ORIGINAL_DESTINATIONS) this.#dropUnused()
      const spec = { address: relay?.address ?? address, label, weight: 1, workload: UNKNOWN_WORKLOAD }
      endpoint = this.#create(spec, this.spec.defaultTransport, address)
      this.#destinations.set(label, endpoint)
    }
    return endpoint
  }

  get endpoints(): Iterable<Endpoint> {
    return [...this.#endpoints.values(), ...this.#destinations.values()]
  }

  /** Gone from the configuration: nothing new, what is under way finishes. */
  close(): void {
    this.#dropAll()
    this.#ready = []
  }

  #transportOf(spec: EndpointSpec): Transport {
    for (const match of this.spec.transports) {
      let fits = true
      for (const [key, value] of match.labels) if (spec.transportLabels.get(key) !== value) fits = false
      if (fits) return match.transport
    }
    return this.spec.defaultTransport
  }

  #create(
    spec: Pick<EndpointSpec, 'address' | 'label' | 'weight' | 'workload'>,
    transport: Transport,
    destination: IpAddress | null,
  ): Endpoint {
    const { tls } = transport
    const { dialer, nowMs } = this.#context
    const announces = transport.proxyHeader && 'path' in spec.address
    const header = announces ? proxyHeader(dialer, null, destination) : null
    const { connectTimeoutMs, idleTimeoutMs, maxRequestsPerConnection } = this.spec
    const { address } = spec
    const { protocol } = this.spec
    const settings = {
      address,
      tls,
      header,
      connectTimeoutMs,
      idleTimeoutMs,
      maxRequestsPerConnection,
      protocol,
    }
    const pool = new Pool(dialer, settings, this.limits, nowMs)
    return new Endpoint({ ...spec, tls, proxyHeader: announces, pool })
  }

  #dropAll(): void {
    for (const endpoints of [this.#endpoints, this.#destinations]) drop(endpoints, [...endpoints.keys()])
  }

  #dropUnused(): void {
    const unused = [...this.#destinations].filter(([, e]) => e.numActive === 0)
    drop(
      this.#destinations,
      unused.map(([key]) => key),
    )
  }
}

function retryLimits({ protocol }: ClusterSpec): Pick<Limits, 'maxRetries' | 'retryPercent' | 'minRetries'> {
  const { maxRetries, retryBudget } = protocol
  return { maxRetries, retryPercent: retryBudget?.percent ?? -1, minRetries: retryBudget?.minConcurrency ?? 0 }
}

function drop(endpoints: Map<string, Endpoint>, keys: readonly string[]): void {
  for (const key of keys) {
    endpoints.get(key)?.pool.close()
    endpoints.delete(key)
  }
}

function transportKey({ tls, proxyHeader: announces }: Transport): string {
  const first = announces ? 'proxy|' : ''
  return tls === null
    ? `${first}raw`
    : `${first}tls|${tls.sni}|${tls.alpn.join(',')}|${[...(tls.allowedIds ?? ['*'])].sort().join(',')}|${tls.files?.key ?? ''}`
}
