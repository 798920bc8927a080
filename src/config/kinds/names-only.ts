/** Kinds of which only the name counts: Namespace and ServiceAccount (v1). */
import type { KindDef } from './kind.ts'

export const namespace: KindDef = {
  kind: 'Namespace',
  plural: 'namespaces',
  short: ['ns', 'namespace'],
  doc: 'A space for names. Namespaces also exist without being declared.',
  apiVersions: ['v1'],
  scope: 'cluster',
  labelName: true,
  open: true,
}

export const serviceAccount: KindDef = {
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  short: ['sa', 'serviceaccount'],
  doc: 'An identity for workloads. Identities also exist without being declared.',
  apiVersions: ['v1'],
  scope: 'namespaced',
  labelName: false,
  open: true,
}
