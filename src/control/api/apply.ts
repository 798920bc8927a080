/**
 * POST /v1/apply. In: documents as text. Out: what became of each object; all of it is stored in one revision or
 * nothing is. Two applies at once: the later one finds its conditions broken, and looks again at what is there now.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Action, ApplyRequest, ApplyResponse } from '../../client/contract.ts'
import { parseSources } from '../../config/parse.ts'
import type { MeshObject } from '../../config/object.ts'
import type { Json, Store, Write } from '../store/store.ts'
import { asArray, asBoolean, asName, asObject, asString } from './body.ts'
import type { ApiContext } from './context.ts'
import { ownerKey, storeKeyOf, type StoredValue } from './keys.ts'
import { ProblemError } from './problem.ts'
import type { ApiRequest, Route } from './router.ts'

export const applyRoutes: readonly Route[] = [{ method: 'POST', path: '/v1/apply', handle: apply }]

/** Each failed try means that somebody else's write went through; so many in one apply's time is a fault. */
const MAX_TRIES = 50

async function apply(request: ApiRequest, { store, clock }: ApiContext): Promise<ApplyResponse> {
  const input = parseRequest(request.body)
  const { objects, issues } = parseSources(input.sources, {
    namespace: input.namespace,
    ...(input.strict === undefined ? {} : { strict: input.strict }),
  })
  const errors = issues.filter((issue) => issue.level === 'error').length
  if (errors > 0) {
    const detail = `${errors} ${errors === 1 ? 'error' : 'errors'}; nothing was applied`
    throw new ProblemError('invalid_document', detail, { issues })
  }
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const plan = planApply(store, objects, input.pruneOwner, new Date(clock.nowEpochMs()).toISOString())
    const answer = { objects: plan.objects, issues }
    if (input.dryRun === true) return { ...answer, revision: store.revision, changes: plan.changes }
    const result = await store.commit(plan.writes)
    if (result.ok) return { ...answer, revision: result.revision }
  }
  throw new ProblemError(
    'conflict',
    `these objects changed ${MAX_TRIES} times while they were being applied; try again`,
  )
}

interface Plan {
  objects: ApplyResponse['objects']
  changes: NonNullable<ApplyResponse['changes']>
  writes: Write[]
}

/** What to write, each write bound to the state that it was decided on. */
function planApply(store: Store, objects: readonly MeshObject[], owner: string | undefined, nowIso: string): Plan {
  const plan: Plan = { objects: [], changes: [], writes: [] }
  // of two documents for one object the last counts, as with kubectl
  const byKey = new Map(objects.map((object) => [storeKeyOf(object), object]))
  for (const [key, object] of byKey) planObject(plan, store, key, object, nowIso)
  if (owner !== undefined) planPrune(plan, store, owner, new Set(byKey.keys()))
  return plan
}

function planObject(plan: Plan, store: Store, key: string, object: MeshObject, nowIso: string): void {
  const entry = store.get(key)
  const before = entry?.value as unknown as StoredValue | undefined
  const action: Action = before === undefined ? 'created' : sameObject(before, object) ? 'unchanged' : 'configured'
  plan.objects.push(summary(object, action))
  plan.changes.push({ before, after: action === 'unchanged' ? before : object })
  if (action === 'unchanged') return
  const value: StoredValue = { ...object, createdAt: before?.createdAt ?? nowIso }
  plan.writes.push({ key, value: toJson(value), ifRevision: entry?.modRevision ?? 0 })
}

function planPrune(plan: Plan, store: Store, owner: string, keep: ReadonlySet<string>): void {
  const ownerEntry = store.get(ownerKey(owner))
  const owned = (ownerEntry?.value ?? []) as string[]
  for (const key of owned) {
    const entry = keep.has(key) ? undefined : store.get(key)
    if (entry === undefined) continue
    const before = entry.value as unknown as StoredValue
    plan.objects.push(summary(before, 'deleted'))
    plan.changes.push({ before, after: undefined })
    plan.writes.push({ key, value: undefined, ifRevision: entry.modRevision })
  }
  const now = [...keep].sort()
  if (isDeepStrictEqual(owned, now)) return
  plan.writes.push({ key: ownerKey(owner), value: now, ifRevision: ownerEntry?.modRevision ?? 0 })
}

/** Where an object was read is no difference, save for the folder in which a Deployment's programs run. */
function sameObject(before: StoredValue, after: MeshObject): boolean {
  if (after.kind === 'Deployment' && before.source?.dir !== after.source?.dir) return false
  return isDeepStrictEqual(content(before), content(after))
}

function content(object: MeshObject): Json {
  const { apiVersion, kind, metadata, spec } = object
  return toJson({ apiVersion, kind, metadata, spec })
}

function summary(object: MeshObject, action: Action): ApplyResponse['objects'][number] {
  const { namespace, name } = object.metadata
  return { kind: object.kind, apiVersion: object.apiVersion, namespace, name, action }
}

/** As the store will give it back: without fields that are undefined. */
function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

function parseRequest(value: unknown): ApplyRequest {
  const body = asObject(value)
  const sources = asArray(body['sources'], 'sources').map((entry, i) => {
    const source = asObject(entry, `sources[${i}]`)
    return {
      file: asString(source['file'], `sources[${i}].file`),
      dir: asString(source['dir'], `sources[${i}].dir`),
      text: asString(source['text'], `sources[${i}].text`),
    }
  })
  return {
    sources,
    namespace: asName(body['namespace'], 'namespace'),
    ...(body['dryRun'] === undefined ? {} : { dryRun: asBoolean(body['dryRun'], 'dryRun') }),
    ...(body['strict'] === undefined ? {} : { strict: asBoolean(body['strict'], 'strict') }),
    ...(body['pruneOwner'] === undefined ? {} : { pruneOwner: asName(body['pruneOwner'], 'pruneOwner') }),
  }
}
