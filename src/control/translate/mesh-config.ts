/**
 * The mesh's own options. In: the ConfigMap `istio` of the root namespace, key `mesh` (checked when it was applied).
 * Out: what of MeshConfig is built. Source: Istio 1.30, mesh.istio.io MeshConfig.
 */
import { parse } from 'yaml'
import { memo } from './memo.ts'
import type { ConfigObject } from './snapshot.ts'

export interface MeshConfig {
  /** Whether connections to destinations that no Service is for go on (ALLOW_ANY, the default), or end. */
  allowAny: boolean
}

interface MeshFields {
  outboundTrafficPolicy?: { mode?: string } | null
}

const DEFAULT: MeshConfig = Object.freeze({ allowAny: true })

export const meshConfigOf = memo((configMaps: readonly ConfigObject[]): MeshConfig => {
  const found = configMaps.find(({ metadata }) => metadata.name === 'istio' && metadata.namespace === 'istio-system')
  const text = (found?.spec as Record<string, string> | undefined)?.['mesh']
  if (text === undefined) return DEFAULT
  const fields = parse(text) as MeshFields | null
  return { allowAny: fields?.outboundTrafficPolicy?.mode !== 'REGISTRY_ONLY' }
})
