/**
 * Which fields of a message are honoured: those that compiling it reads. In: decoded messages. Out: the same behind
 * proxies that write down each read; then the fields that were given and that nobody has asked for.
 * No table of supported fields that could differ from what the data path does; only limits.ts, of what is done in any case.
 */
import { presetUnpacked } from '../../xds/type-urls.ts'
import type { Decoder, Origin } from './decode.ts'
import type { Fault } from './fault.ts'
import { isAlwaysDone, whyRefused } from './limits.ts'

/**
 * Names for people and for statistics that this proxy does not keep, and what marks a thing without changing what is
 * done with it: `MESSAGE.FIELD`.
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'envoy.config.accesslog.v3.AccessLog.name',
  'envoy.config.cluster.v3.Cluster.altStatName',
  'envoy.config.cluster.v3.Cluster.metadata',
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch.name',
  'envoy.config.core.v3.TransportSocket.name',
  'envoy.config.core.v3.TypedExtensionConfig.name',
  'envoy.config.endpoint.v3.ClusterLoadAssignment.clusterName',
  'envoy.config.endpoint.v3.LbEndpoint.metadata',
  'envoy.config.endpoint.v3.LocalityLbEndpoints.locality',
  'envoy.config.listener.v3.Filter.name',
  'envoy.config.listener.v3.FilterChain.metadata',
  'envoy.config.listener.v3.FilterChain.name',
  'envoy.config.listener.v3.Listener.metadata',
  'envoy.config.listener.v3.ListenerFilter.name',
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate.name',
  'envoy.config.route.v3.Route.metadata',
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit.statPrefix',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.statPrefix',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.name',
  'envoy.extensions.filters.network.rbac.v3.RBAC.statPrefix',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.statPrefix',
])

export class Observer {
  /** The last field of the file that was read: where a fault that is thrown next has its place. */
  last: Origin | undefined
  readonly #decoder: Decoder
  readonly #watched = new WeakMap<object, object>()
  readonly #reads = new WeakMap<object, Set<string>>()

  constructor(decoder: Decoder) {
    this.#decoder = decoder
  }

  /** `value`, its reads written down. */
  watch<T extends object>(value: T): T {
    const known = this.#watched.get(value)
    if (known !== undefined) return known as T
    const reads = new Set<string>()
    const fields = this.#decoder.parts.get(value)?.fields
    const proxy = new Proxy(value, {
      get: (target, key) => {
        const origin = typeof key === 'string' ? fields?.get(key) : undefined
        if (origin !== undefined) {
          reads.add(key as string)
          this.last = origin
        }
        const child: unknown = Reflect.get(target, key)
        return this.#isOurs(child) ? this.watch(child) : child
      },
    })
    this.#watched.set(value, proxy)
    this.#reads.set(value, reads)
    const packed = this.#decoder.packed.get(value)
    if (packed !== undefined) presetUnpacked(proxy, this.watch(packed))
    return proxy
  }

  /** Faults of the fields below `value` that were given and not read, or whose value is not honoured. */
  refused(value: object): Fault[] {
    const packed = this.#decoder.packed.get(value)
    if (packed !== undefined) return this.refused(packed)
    const { type, fields } = this.#decoder.parts.get(value) ?? { type: '', fields: new Map<string, Origin>() }
    const reads = this.#reads.get(value)
    return [...fields].flatMap(([key, origin]) => {
      if (WITHOUT_EFFECT.has(`${type}.${key}`)) return []
      const child = (value as Record<string, unknown>)[key]
      // a list of scalars is passed on as a whole
      const isElement = Array.isArray(value) && typeof child !== 'object'
      const isHonoured = isElement || reads?.has(key) === true || isAlwaysDone(type, key)
      const message = isHonoured ? whyRefused(type, key, child, origin.path) : 'not supported'
      if (message !== undefined) return [{ ...origin, message }]
      return this.#isOurs(child) ? this.refused(child) : []
    })
  }

  #isOurs(value: unknown): value is object {
    return (
      typeof value === 'object' && value !== null && (this.#decoder.parts.has(value) || this.#decoder.packed.has(value))
    )
  }
}
