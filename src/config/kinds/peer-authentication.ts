/** PeerAuthentication: whether workloads demand mutual TLS of their callers. Istio API: security.istio.io v1, v1beta1. */
import type { MeshObject } from '../object.ts'
import type { Infer, Report, StringCheck } from '../schema.ts'
import { enumOf, map, object, supported, withRule } from '../schema.ts'
import { selector } from './common.ts'
import type { KindDef } from './kind.ts'

const ROOT_NAMESPACE = 'istio-system'

const mode = () =>
  object({
    mode: supported(
      enumOf({
        UNSET: 'As the wider policy has it; PERMISSIVE at the end.',
        DISABLE: 'Plain text only.',
        PERMISSIVE: 'Both.',
        STRICT: 'Mutual TLS only.',
      }),
      'What is accepted.',
      { default: 'UNSET' },
    ),
  })

const portNumber: StringCheck = (text) =>
  /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535
    ? undefined
    : { code: 'PM0105', message: `${text.slice(0, 80)} is not a port: 1 to 65535` }

const spec = withRule(
  object({
    selector: supported(selector(), 'Workloads that the policy is for; none: the whole namespace.'),
    mtls: supported(mode(), 'Mutual TLS.', { nullIsEmpty: true }),
    portLevelMtls: supported(
      map(mode(), { key: portNumber, min: 1 }),
      'Mutual TLS for single ports of the workloads (not of the Service).',
    ),
  }),
  ['selector', 'portLevelMtls'],
  (policy, report) => {
    const selects = Object.keys(policy.selector?.matchLabels ?? {}).length > 0
    if (policy.portLevelMtls !== undefined && !selects)
      report(
        'PM0165',
        ['portLevelMtls'],
        'portLevelMtls needs a selector with labels: its ports are those of certain workloads',
      )
  },
)

export type PeerAuthenticationSpec = Infer<typeof spec>

function finish(object: MeshObject, report: Report): void {
  if (object.metadata.namespace === ROOT_NAMESPACE && (object.spec as PeerAuthenticationSpec).selector !== undefined) {
    report('PM0204', ['spec', 'selector'], `a policy with a selector in ${ROOT_NAMESPACE} has no effect outside it`)
  }
}

export const peerAuthentication: KindDef = {
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  short: ['pa', 'peerauthentication'],
  doc: 'Whether workloads demand mutual TLS of their callers.',
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  scope: 'namespaced',
  labelName: false,
  spec,
  open: false,
  finish,
}
