/** Objects of the configuration: lists by namespace and labels, one by its name, and deletion. */
import type { ObjectList, WriteResponse } from '../../client/contract.ts'
import type { ApiContext } from './context.ts'
import { OBJECTS, storedObject } from './keys.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'
import { matchesLabels, parseLabels } from './labels.ts'

/** In a path, for the namespace of objects that have none. */
const NO_NAMESPACE = '-'

export const objectRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/objects/:kind', query: ['namespace', 'labels'], handle: listObjects },
  { method: 'GET', path: '/v1/objects/:kind/:namespace/:name', handle: getObject },
  { method: 'DELETE', path: '/v1/objects/:kind/:namespace/:name', handle: deleteObject },
]

function listObjects({ params, query }: ApiRequest, { store }: ApiContext): ObjectList {
  const namespace = query.get('namespace')
  const labels = parseLabels(query.get('labels') ?? '')
  const items = store
    .list(`${OBJECTS}${params['kind']}/`)
    .map(storedObject)
    // objects without a namespace belong to each: `get mp -n shop` shows the mesh's policy
    .filter((o) => namespace === undefined || o.metadata.namespace === namespace || o.metadata.namespace === '')
    .filter((o) => matchesLabels(labels, o.metadata.labels))
  return { revision: store.revision, items }
}

function getObject({ params }: ApiRequest, { store }: ApiContext): ObjectList {
  const entry = store.get(keyOf(params))
  if (entry === undefined) throw missing(params)
  return { revision: store.revision, items: [storedObject(entry)] }
}

async function deleteObject({ params }: ApiRequest, { store }: ApiContext): Promise<WriteResponse> {
  const key = keyOf(params)
  for (;;) {
    const entry = store.get(key)
    if (entry === undefined) throw missing(params)
    const result = await store.commit([{ key, value: undefined, ifRevision: entry.modRevision }])
    if (result.ok) return { revision: result.revision }
  }
}

function keyOf(params: Readonly<Record<string, string>>): string {
  const namespace = params['namespace'] === NO_NAMESPACE ? '' : params['namespace']
  return `${OBJECTS}${params['kind']}/${namespace}/${params['name']}`
}

function missing(params: Readonly<Record<string, string>>): ProblemError {
  const where = params['namespace'] === NO_NAMESPACE ? '' : ` in namespace "${params['namespace']}"`
  return new ProblemError('not_found', `there is no ${params['kind']} "${params['name']}"${where}`)
}
