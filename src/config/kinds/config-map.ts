/**
 * ConfigMap (v1). Applied for what Istio reads of one of them: `istio` in `istio-system`, key `mesh`, which holds the
 * mesh's options as YAML of its own. All others are kept as they are.
 */
import { meshOptions, readMeshOptions } from '../mesh-options.ts'
import type { MeshObject } from '../object.ts'
import { map, string, supported, type Report } from '../schema.ts'
import type { KindDef } from './kind.ts'

const MESH = 'mesh'

/** The text of the mesh's options, if the object is the one that has them. */
export function meshOptionsText({ metadata, spec }: Pick<MeshObject, 'metadata' | 'spec'>): string | undefined {
  if (metadata.name !== 'istio' || metadata.namespace !== 'istio-system') return undefined
  return (spec as Record<string, string>)[MESH]
}

function finish(object: MeshObject, report: Report): void {
  readMeshOptions(meshOptionsText(object) ?? '', (code, place, path, message, fix) =>
    report(code, ['data', MESH], path === '' ? message : `${path}: ${message}`, fix, place),
  )
}

export const configMap: KindDef = {
  kind: 'ConfigMap',
  plural: 'configmaps',
  short: ['cm', 'configmap'],
  doc: 'Settings as text. Of effect is one: istio in istio-system, whose key mesh holds the options of the mesh.',
  apiVersions: ['v1'],
  scope: 'namespaced',
  labelName: false,
  body: 'data',
  spec: map(string()),
  texts: { [MESH]: supported(meshOptions, 'Of istio in istio-system: the options of the mesh, as YAML text.') },
  open: true,
  finish,
}
