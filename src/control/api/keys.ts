/** Keys of the store that the API writes, and the form in which objects lie there. */
import type { StoredObject } from '../../client/contract.ts'
import { objectKey, type MeshObject } from '../../config/object.ts'
import type { Entry } from '../store/store.ts'

export const OBJECTS = 'objects/'
export const PODS = 'pods/'

/** An object as stored; the revision is the entry's. */
export interface StoredValue extends MeshObject {
  createdAt: string
}

export function storeKeyOf(object: MeshObject): string {
  return OBJECTS + objectKey(object.kind, object.metadata.namespace, object.metadata.name)
}

export function podKey(namespace: string, name: string): string {
  return `${PODS}${namespace}/${name}`
}

/** What an apply with this owner brought last. */
export function ownerKey(owner: string): string {
  return `owners/${owner}`
}

export function storedObject(entry: Entry): StoredObject {
  return { ...(entry.value as unknown as StoredValue), revision: entry.modRevision }
}
