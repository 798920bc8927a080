/** PUT /v1/scale/NS/NAME: writes a Deployment's `replicas`; the supervisor, which watches, does the rest. */
import type { WriteResponse } from '../../client/contract.ts'
import { asInteger, asObject } from './body.ts'
import type { ApiContext } from './context.ts'
import { OBJECTS, type StoredValue } from './keys.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'
import type { Json } from '../store/store.ts'

/** Replicas are processes of one machine: a larger number is a slip of the hand. */
const MAX_REPLICAS = 200

export const scaleRoutes: readonly Route[] = [{ method: 'PUT', path: '/v1/scale/:namespace/:name', handle: scale }]

async function scale({ params, body }: ApiRequest, { store }: ApiContext): Promise<WriteResponse> {
  const replicas = asInteger(asObject(body)['replicas'], 'replicas', 0, MAX_REPLICAS)
  const key = `${OBJECTS}Deployment/${params['namespace']}/${params['name']}`
  for (;;) {
    const entry = store.get(key)
    if (entry === undefined) {
      const where = `in namespace "${params['namespace']}"`
      throw new ProblemError('not_found', `there is no Deployment "${params['name']}" ${where}`)
    }
    const before = entry.value as unknown as StoredValue
    const spec = before.spec as { replicas?: number }
    if (spec.replicas === replicas) return { revision: store.revision }
    const value = { ...before, spec: { ...spec, replicas } } as unknown as Json
    const result = await store.commit([{ key, value, ifRevision: entry.modRevision }])
    if (result.ok) return { revision: result.revision }
  }
}
