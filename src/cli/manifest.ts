/** A stored object as the manifest that a user would write: what `-o yaml` prints can be applied again. Pure. */
import type { StoredObject } from '../client/contract.ts'
import { findKind } from '../config/kinds/index.ts'
import type { MeshObject } from '../config/object.ts'

export type Manifest = Record<string, unknown>

export function toManifest(object: MeshObject | StoredObject): Manifest {
  const { name, namespace, labels, annotations } = object.metadata
  const stored = 'createdAt' in object ? object : undefined
  const spec = object.spec
  const hasSpec = typeof spec !== 'object' || spec === null || Object.keys(spec).length > 0
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(stored === undefined
        ? {}
        : { creationTimestamp: stored.createdAt, resourceVersion: String(stored.revision) }),
    },
    ...(hasSpec ? { [findKind(object.kind)?.body ?? 'spec']: spec } : {}),
  }
}
