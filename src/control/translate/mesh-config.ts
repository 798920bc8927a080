/**
 * The mesh's own options, as far as they are built. In: the ConfigMaps, of which one has them. Out: what translation
 * asks for; of equal options the very same object, so that other ConfigMaps make nothing anew.
 */
import { meshOptionsText } from '../../config/kinds/config-map.ts'
import { readMeshOptions } from '../../config/mesh-options.ts'
import { memo } from './memo.ts'
import type { ConfigObject } from './snapshot.ts'

export interface MeshConfig {
  /** Whether connections to destinations that no Service is for go on (ALLOW_ANY, the default), or end. */
  allowAny: boolean
}

const ALLOW_ANY: MeshConfig = Object.freeze({ allowAny: true })
const REGISTRY_ONLY: MeshConfig = Object.freeze({ allowAny: false })

/** Faults were told when the object was applied. */
const untold = (): void => undefined

export const meshConfigOf = memo((configMaps: readonly ConfigObject[]): MeshConfig => {
  const text = configMaps.map(meshOptionsText).find((found) => found !== undefined)
  const options = readMeshOptions(text ?? '', untold)
  return options.outboundTrafficPolicy?.mode === 'REGISTRY_ONLY' ? REGISTRY_ONLY : ALLOW_ANY
})
