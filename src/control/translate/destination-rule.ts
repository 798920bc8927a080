/**
 * DestinationRules: which holds for a client and a service, and which policy for a port and a subset. Pure.
 *
 * Lookup: the client's namespace, then the service's, then the root namespace; the first with a rule wins, in it the
 * most specific host. Rules with the same host in one namespace are merged: subsets by name, the first policy.
 * Inheritance: a port's settings replace the rule's; a subset's blocks replace blocks; never fields inside a block.
 * Source: Istio 1.30, pilot/pkg/model/push_context.go (destinationRule), destination_rule.go (mergeDestinationRule).
 */
import type { Client } from './client.ts'
import { HostMap, isVisible, resolveHost } from './hosts.ts'
import { hasLabels, type ConfigObject, type Service } from './snapshot.ts'
import type { DestinationRuleSpec, Subset, TrafficBlocks, TrafficPolicy } from './spec.ts'

export interface DestinationRule {
  trafficPolicy: TrafficPolicy | undefined
  subsets: readonly Subset[]
}

/** One namespace's rules as the client sees them: those that select the client itself come first. */
interface Level {
  selecting: HostMap<DestinationRule>
  general: HostMap<DestinationRule>
}

export class DestinationRules {
  readonly #levels = new Map<string, Level>()
  readonly #client: Client
  readonly #rootNamespace: string

  constructor(objects: readonly ConfigObject[], client: Client, rootNamespace: string) {
    this.#client = client
    this.#rootNamespace = rootNamespace
    for (const { metadata, spec } of objects) this.#add(metadata.namespace, spec as DestinationRuleSpec)
  }

  /** The rule for this client's calls to `service`. */
  lookup(service: Service): DestinationRule | undefined {
    const first = this.#client.namespace === this.#rootNamespace ? [] : [this.#client.namespace]
    for (const namespace of [...first, service.namespace, this.#rootNamespace]) {
      const level = this.#levels.get(namespace)
      const rule = level?.selecting.lookup(service.host) ?? level?.general.lookup(service.host)
      if (rule !== undefined) return rule
    }
    return undefined
  }

  #add(namespace: string, spec: DestinationRuleSpec): void {
    if (!isVisible(spec.exportTo, namespace, this.#client.namespace)) return
    const selector = spec.workloadSelector?.matchLabels
    if (selector !== undefined && (namespace !== this.#client.namespace || !hasLabels(this.#client.labels, selector)))
      return
    let level = this.#levels.get(namespace)
    if (level === undefined) this.#levels.set(namespace, (level = { selecting: new HostMap(), general: new HostMap() }))
    const rules = selector === undefined ? level.general : level.selecting
    const host = resolveHost(spec.host, namespace)
    const before = rules.get(host)
    if (before === undefined) rules.add(host, { trafficPolicy: spec.trafficPolicy, subsets: [...(spec.subsets ?? [])] })
    else merge(before, spec)
  }
}

/** Into the older rule, which is of this lookup alone. */
function merge(into: DestinationRule, spec: DestinationRuleSpec): void {
  const names = new Set(into.subsets.map((s) => s.name))
  into.subsets = [...into.subsets, ...(spec.subsets ?? []).filter((s) => !names.has(s.name))]
  into.trafficPolicy ??= spec.trafficPolicy
}

/** What holds for calls to `port` of `subset` (`undefined`: the service as a whole). */
export function effectivePolicy(rule: DestinationRule | undefined, port: number, subset?: Subset): TrafficBlocks {
  const base = portSettings(rule?.trafficPolicy, port) ?? rule?.trafficPolicy
  const own = subset?.trafficPolicy
  const ownPort = portSettings(own, port)
  return ownPort === undefined ? { ...blocksOf(base), ...blocksOf(own) } : blocksOf(ownPort)
}

function portSettings(policy: TrafficPolicy | undefined, port: number): TrafficBlocks | undefined {
  return policy?.portLevelSettings?.find((settings) => settings.port?.number === port)
}

/** Only those that are there, so that they can be laid over others. */
function blocksOf(policy: TrafficBlocks | undefined): TrafficBlocks {
  const { loadBalancer, connectionPool, tls } = policy ?? {}
  return {
    ...(loadBalancer === undefined ? {} : { loadBalancer }),
    ...(connectionPool === undefined ? {} : { connectionPool }),
    ...(tls === undefined ? {} : { tls }),
  }
}
