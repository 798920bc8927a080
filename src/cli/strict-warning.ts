/**
 * Whom STRICT mutual TLS shuts out. In: configuration, about to be applied or in force, and the pods that run.
 * Out: a sentence; undefined where no policy is STRICT, or every pod has a sidecar.
 */
import type { ControlClient } from '../client/control.ts'
import type { Pod } from '../client/contract.ts'
import type { MeshPolicySpec } from '../config/kinds/mesh-policy.ts'
import type { PeerAuthenticationSpec } from '../config/kinds/peer-authentication.ts'
import type { MeshObject } from '../config/object.ts'
import type { Source } from './sources.ts'

const KINDS = ['MeshPolicy', 'PeerAuthentication']

/** Before documents are applied: what they would do. Those at fault are the apply's to tell. */
export async function strictWarningFor(
  control: ControlClient,
  sources: readonly Source[],
  namespace: string,
): Promise<string | undefined> {
  if (!sources.some(({ text }) => KINDS.some((kind) => text.includes(kind)))) return undefined
  const { changes = [] } = await control
    .apply({ sources: [...sources], namespace, dryRun: true })
    .catch(() => ({ changes: [] }))
  const objects = changes.flatMap(({ after }) => (after === undefined ? [] : [after]))
  return strictWarning(objects, (await control.pods()).items)
}

/** Of what is in force. */
export async function strictWarningNow(control: ControlClient): Promise<string | undefined> {
  const lists = await Promise.all(KINDS.map((kind) => control.objects(kind)))
  const policies = lists.flatMap(({ items }) => items)
  return policies.some(isStrict) ? strictWarning(policies, (await control.pods()).items) : undefined
}

export function strictWarning(objects: readonly MeshObject[], pods: readonly Pod[]): string | undefined {
  const policies = objects.filter(isStrict).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  const outside = pods.filter((pod) => !pod.sidecar && !pod.terminating)
  if (policies.length === 0 || outside.length === 0) return undefined
  const names = [...new Set(outside.map(({ workload, namespace }) => named(workload, namespace)))].sort()
  return `${policies.join(', ')} asks for STRICT mutual TLS: callers without a sidecar are refused; running without one: ${names.join(', ')}`
}

function named(workload: string, namespace: string): string {
  return namespace === 'default' ? workload : `${workload}.${namespace}`
}

function isStrict({ kind, spec }: MeshObject): boolean {
  if (kind === 'MeshPolicy') {
    const { peers = [] } = spec as MeshPolicySpec
    return peers.some(({ mtls }) => mtls !== undefined && (mtls.mode ?? 'STRICT') === 'STRICT')
  }
  if (kind !== 'PeerAuthentication') return false
  const { mtls, portLevelMtls = {} } = spec as PeerAuthenticationSpec
  return [mtls, ...Object.values(portLevelMtls)].some((each) => each?.mode === 'STRICT')
}
