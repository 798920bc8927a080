/**
 * Who is at the other end of an ADS stream, and may it be the node it says it is. In: certificate, node, snapshot.
 * Out: the pod, or the reason of the refusal. A node gets the configuration of its own pod only.
 */
import type { Pod } from '../../client/contract.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { parseNodeId } from '../../xds/names.ts'
import type { Snapshot } from '../translate/snapshot.ts'

export interface NodeClaim {
  id: string
  pod: string
  namespace: string
  /** Proxyless gRPC. */
  grpc: boolean
}

/** `undefined`: the node has no ID that names a pod. */
export function parseNode(node: envoy.config.core.v3.Node | null | undefined): NodeClaim | undefined {
  const id = node?.id ?? ''
  const parts = parseNodeId(id)
  if (parts === undefined) return undefined
  const generator = node?.metadata?.fields?.['GENERATOR']?.stringValue
  return { id, pod: parts.pod, namespace: parts.namespace, grpc: generator === 'grpc' }
}

export type Admission =
  | { verdict: 'admitted'; pod: Pod }
  /** No such pod yet: keep the stream, ask again with the next snapshot. */
  | { verdict: 'unknown' }
  | { verdict: 'refused'; reason: string }

/** Checks `claim` of a peer whose certificate names `spiffeId`. */
export function admit(claim: NodeClaim, spiffeId: string, snapshot: Snapshot): Admission {
  const prefix = `spiffe://${snapshot.trustDomain}/ns/${claim.namespace}/sa/`
  if (!spiffeId.startsWith(prefix)) {
    return { verdict: 'refused', reason: `node ${claim.id} is not of the certificate's namespace: ${spiffeId}` }
  }
  const pod = snapshot.pods.get(`${claim.namespace}/${claim.pod}`)
  if (pod === undefined) return { verdict: 'unknown' }
  if (spiffeId !== prefix + pod.serviceAccount) {
    const reason = `pod ${claim.pod}.${claim.namespace} runs as ${pod.serviceAccount}, the certificate is for ${spiffeId}`
    return { verdict: 'refused', reason }
  }
  return { verdict: 'admitted', pod }
}
