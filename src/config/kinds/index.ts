/** The table of kinds. A kind is added by its file and one line here. */
import { authorizationPolicy } from './authorization-policy.ts'
import { configMap } from './config-map.ts'
import { deployment } from './deployment.ts'
import { destinationRule } from './destination-rule.ts'
import type { KindDef } from './kind.ts'
import { meshPolicy } from './mesh-policy.ts'
import { namespace, serviceAccount } from './names-only.ts'
import { peerAuthentication } from './peer-authentication.ts'
import { service } from './service.ts'
import { virtualService } from './virtual-service.ts'

export const KINDS: readonly KindDef[] = [
  namespace,
  serviceAccount,
  configMap,
  service,
  deployment,
  virtualService,
  destinationRule,
  peerAuthentication,
  authorizationPolicy,
  meshPolicy,
]

/** A kind by its name, plural or short name, in any case. */
export function findKind(name: string): KindDef | undefined {
  const wanted = name.toLowerCase()
  return KINDS.find((k) => k.kind.toLowerCase() === wanted || k.plural === wanted || k.short.includes(wanted))
}

/** The group of an apiVersion; '' for v1. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : ''
}
