/**
 * Whose outbound side is translated: a namespace, and the labels where some rule asks for them. Proxies with the same
 * key get the very same resources.
 */
import { memo } from './memo.ts'
import { hasLabels, type ConfigObject, type Proxy, type Snapshot } from './snapshot.ts'
import type { DestinationRuleSpec, SourceMatch, VirtualServiceSpec } from './spec.ts'

export interface Client {
  namespace: string
  /** Empty where no rule asks for labels: then they must not be read, since they are not in the key. */
  labels: Record<string, string>
  key: string
}

const NONE: readonly ConfigObject[] = Object.freeze([])

/** Objects of one kind, oldest first; the same empty list each time where there are none. */
export function objectsOf(snapshot: Snapshot, kind: string): readonly ConfigObject[] {
  return snapshot.objects.get(kind) ?? NONE
}

export function clientOf(snapshot: Snapshot, { pod }: Proxy): Client {
  const { namespace } = pod
  const byLabels = rulesReadLabels(objectsOf(snapshot, 'VirtualService'), objectsOf(snapshot, 'DestinationRule'))
  if (!byLabels) return { namespace, labels: {}, key: namespace }
  const sorted = Object.entries(pod.labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return { namespace, labels: pod.labels, key: `${namespace} ${JSON.stringify(sorted)}` }
}

const rulesReadLabels = memo(
  (virtualServices: readonly ConfigObject[], destinationRules: readonly ConfigObject[]): boolean => {
    if (destinationRules.some((o) => (o.spec as DestinationRuleSpec).workloadSelector !== undefined)) return true
    return virtualServices.some((o) => {
      const { http = [], tcp = [], tls = [] } = o.spec as VirtualServiceSpec
      return [...http, ...tcp, ...tls].some((rule) => rule.match?.some((m) => m.sourceLabels !== undefined))
    })
  },
)

/** Is the rule for this client's sidecar, on this service port? Naming gateways makes the source fields void. */
export function matchesSource(match: SourceMatch, client: Client, port: number): boolean {
  if (match.port !== undefined && match.port !== 0 && match.port !== port) return false
  if (match.gateways !== undefined && match.gateways.length > 0) return match.gateways.includes('mesh')
  if (!hasLabels(client.labels, match.sourceLabels ?? {})) return false
  return (
    match.sourceNamespace === undefined || match.sourceNamespace === '' || match.sourceNamespace === client.namespace
  )
}
