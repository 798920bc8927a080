/**
 * Where connections to a Service's port go that are not HTTP: as the rules of its VirtualService say that hold for this
 * client, else to the Service. Pure. A match with `destinationSubnets` never holds: a Service's addresses are virtual.
 * Source: Istio 1.30, pilot/pkg/networking/core/tls.go.
 */
import { BLACK_HOLE_CLUSTER, clusterName } from '../../xds/names.ts'
import { matchesSource } from './client.ts'
import type { OutboundContext } from './context.ts'
import { weightedClusters, type Weighted } from './destination.ts'
import type { Service, ServicePort } from './snapshot.ts'
import type { TcpRule, TlsRule } from './spec.ts'
import type { VirtualService } from './virtual-service.ts'

type L4Match = NonNullable<TcpRule['match']>[number]

interface ServerNameTargets {
  /** Lower case, each in one set only. */
  serverNames: readonly string[]
  targets: readonly Weighted[]
}

export interface L4Plan {
  /** Of TLS passed through, most wanted first; empty where no rule asks for server names. */
  byServerName: readonly ServerNameTargets[]
  others: readonly Weighted[]
}

/** `tls` rules are for ports for TLS, `tcp` rules for all others. */
export function l4Plan(service: Service, port: ServicePort, context: OutboundContext, allowAny: boolean): L4Plan {
  const virtualService = context.virtualServices.lookup(service.host)
  const target = (rule: TcpRule | TlsRule | undefined): readonly Weighted[] =>
    targetsOf(rule, virtualService, service, port.port, context)
  if (port.protocol !== 'tls') return { byServerName: [], others: target(tcpRule(virtualService, port.port, context)) }
  const byServerName = serverNames(virtualService, port.port, context).map(([rule, names]) => ({
    serverNames: names,
    targets: target(rule),
  }))
  // other names go where their caller meant to go: to the Service, or nowhere where only what is registered is reached
  const blocked = byServerName.length > 0 && !allowAny
  return { byServerName, others: blocked ? [{ cluster: BLACK_HOLE_CLUSTER, weight: 0 }] : target(undefined) }
}

function tcpRule(
  virtualService: VirtualService | undefined,
  port: number,
  context: OutboundContext,
): TcpRule | undefined {
  return virtualService?.tcp.find(({ match = [] }) => match.length === 0 || match.some((m) => holds(m, port, context)))
}

/** Each name belongs to the first rule that has it, as Envoy refuses it twice. */
function serverNames(
  virtualService: VirtualService | undefined,
  port: number,
  context: OutboundContext,
): [TlsRule, string[]][] {
  const taken = new Set<string>()
  const found: [TlsRule, string[]][] = []
  for (const rule of virtualService?.tls ?? []) {
    const names = rule.match.filter((m) => holds(m, port, context)).flatMap(({ sniHosts }) => sniHosts)
    const fresh = [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => !taken.has(name))
    for (const name of fresh) taken.add(name)
    if (fresh.length > 0) found.push([rule, fresh])
  }
  return found
}

function holds(match: L4Match, port: number, { client }: OutboundContext): boolean {
  return (match.destinationSubnets ?? []).length === 0 && matchesSource(match, client, port)
}

function targetsOf(
  rule: TcpRule | TlsRule | undefined,
  virtualService: VirtualService | undefined,
  service: Service,
  port: number,
  { byHost }: OutboundContext,
): readonly Weighted[] {
  const targets = weightedClusters(rule?.route ?? [], virtualService?.namespace ?? '', port, byHost)
  return targets.length > 0 ? targets : [{ cluster: clusterName('outbound', port, '', service.host), weight: 0 }]
}
