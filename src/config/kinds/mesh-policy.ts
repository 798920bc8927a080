/**
 * MeshPolicy of Istio 1.0 (authentication.istio.io/v1alpha1): mutual TLS for the whole mesh. Cluster-wide; only the one
 * named `default` counts. `peers: [{mtls: {}}]` is STRICT; no peers means plain text.
 */
import type { MeshObject } from '../object.ts'
import type { Infer, Report } from '../schema.ts'
import { bool, enumOf, ignored, list, object, refused, supported, withRule } from '../schema.ts'
import type { KindDef } from './kind.ts'

const NO_TOKENS = 'tokens are not checked, and a mesh that seems to check them is worse than one that says so'

const mtls = () =>
  object({
    mode: supported(enumOf({ STRICT: 'Mutual TLS only.', PERMISSIVE: 'Both.' }), 'What is accepted.', {
      default: 'STRICT',
    }),
    allowTls: supported(bool(), 'Accept TLS without a client certificate (old): as PERMISSIVE.', {
      deprecated: true,
      note: 'write mode: PERMISSIVE',
    }),
  })

const spec = object({
  peers: supported(
    list(
      withRule(
        object({
          mtls: supported(mtls(), 'Mutual TLS.', { nullIsEmpty: true }),
          jwt: refused('Tokens of the calling workload.', NO_TOKENS),
        }),
        ['mtls', 'jwt'],
        (peer, report) => {
          if (peer.mtls === undefined) report('PM0157', [], 'an entry of peers needs mtls')
        },
      ),
    ),
    'How the calling workload proves who it is; empty: not at all, plain text.',
  ),
  peerIsOptional: supported(bool(), 'Accept callers that fail the proof: as PERMISSIVE.', { default: 'false' }),
  targets: refused('Services that the policy is for.', 'a MeshPolicy is for the whole mesh'),
  origins: refused('Tokens of the end user.', NO_TOKENS),
  originIsOptional: ignored(bool(), 'Accept requests without a valid token.', 'tokens are not checked'),
  principalBinding: ignored(
    enumOf({ USE_PEER: 'The workload.', USE_ORIGIN: 'The end user.' }),
    'Whose name a request carries.',
    'requests carry that of the workload',
  ),
})

export type MeshPolicySpec = Infer<typeof spec>

/** Old ways to say PERMISSIVE become `mode: PERMISSIVE`. */
function finish(object: MeshObject, report: Report): void {
  const policy = object.spec as MeshPolicySpec
  for (const { mtls: peer } of policy.peers ?? [])
    if (peer !== undefined && (peer.allowTls || policy.peerIsOptional)) peer.mode = 'PERMISSIVE'
  if (object.metadata.name !== 'default')
    report('PM0167', ['metadata', 'name'], `a MeshPolicy must be named default, not ${object.metadata.name}`)
}

export const meshPolicy: KindDef = {
  kind: 'MeshPolicy',
  plural: 'meshpolicies',
  short: ['mp', 'meshpolicy'],
  doc: 'Mutual TLS for the whole mesh (Istio 1.0).',
  apiVersions: ['authentication.istio.io/v1alpha1'],
  scope: 'cluster',
  labelName: false,
  spec,
  open: false,
  finish,
}
