/**
 * Which mutual-TLS mode a workload's port has. In: PeerAuthentications, MeshPolicies (Istio 1.0). Pure.
 *
 * Start PERMISSIVE; then the mesh's, the namespace's, the workload's policy, each unless UNSET; of several of one
 * rank the oldest. MeshPolicy `default` sets the mesh's mode where no PeerAuthentication in the root namespace does.
 * A policy with a selector in the root namespace selects nothing, as in Istio. Source: Istio 1.30,
 * pilot/pkg/security/authn/policy_applier.go (ComposePeerAuthentication); Istio 1.0, authentication/v1alpha1.
 */
import { hasLabels, type ConfigObject } from './snapshot.ts'
import type { MeshPolicySpec, MtlsMode, PeerAuthenticationSpec, PeerMode } from './spec.ts'

export interface AuthnWorkload {
  namespace: string
  labels: Record<string, string>
}

export class MtlsModes {
  readonly #meshMode: MtlsMode
  readonly #ofNamespace = new Map<string, MtlsMode | undefined>()
  readonly #ofWorkloads: { namespace: string; selector: Record<string, string>; spec: PeerAuthenticationSpec }[] = []

  /** Both lists oldest first. */
  constructor(
    peerAuthentications: readonly ConfigObject[],
    meshPolicies: readonly ConfigObject[],
    rootNamespace: string,
  ) {
    for (const { metadata, spec: anySpec } of peerAuthentications) {
      const spec = anySpec as PeerAuthenticationSpec
      const { namespace } = metadata
      const selector = spec.selector?.matchLabels ?? {}
      if (Object.keys(selector).length === 0) {
        if (!this.#ofNamespace.has(namespace)) this.#ofNamespace.set(namespace, setMode(spec.mtls?.mode))
      } else if (namespace !== rootNamespace) this.#ofWorkloads.push({ namespace, selector, spec })
    }
    this.#meshMode = this.#ofNamespace.get(rootNamespace) ?? meshPolicyMode(meshPolicies) ?? 'PERMISSIVE'
  }

  /** `port`: the workload's own, not the Service's. */
  modeOf(workload: AuthnWorkload, port: number): MtlsMode {
    const inherited = this.#ofNamespace.get(workload.namespace) ?? this.#meshMode
    const own = this.#ofWorkloads.find(
      (p) => p.namespace === workload.namespace && hasLabels(workload.labels, p.selector),
    )
    if (own === undefined) return inherited
    return setMode(own.spec.portLevelMtls?.[port]?.mode) ?? setMode(own.spec.mtls?.mode) ?? inherited
  }
}

function setMode(mode: PeerMode | undefined): MtlsMode | undefined {
  return mode === 'UNSET' ? undefined : mode
}

/** In Istio 1.0 a policy without peers means no TLS at all, and `mtls: {}` means STRICT. */
function meshPolicyMode(meshPolicies: readonly ConfigObject[]): MtlsMode | undefined {
  const policy = meshPolicies.find((p) => p.metadata.name === 'default')
  if (policy === undefined) return undefined
  const { peers = [], peerIsOptional } = policy.spec as MeshPolicySpec
  const mtls = peers.find((peer) => peer.mtls !== undefined)?.mtls
  if (mtls === undefined) return 'DISABLE'
  return mtls.mode === 'PERMISSIVE' || mtls.allowTls === true || peerIsOptional === true ? 'PERMISSIVE' : 'STRICT'
}
