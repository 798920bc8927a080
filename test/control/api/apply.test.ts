import t from 'tap'
import { ApiError } from '../../../src/client/errors.ts'
import { DEPLOYMENT, ROUTE, SERVICE, source, startHarness } from './api-harness.ts'

/** tap's types know no further fields of an error; its matching does. */
const problem = (status: number): Error => ({ status }) as unknown as Error

const h = await startHarness()
t.teardown(() => h.close())

const actions = (answer: { objects: { name: string; action: string }[] }): string[] =>
  answer.objects.map((o) => `${o.name} ${o.action}`)

t.test('objects are created, configured, left unchanged, and keep the time of their creation', async (t) => {
  const first = await h.client.apply({ sources: [source(ROUTE(10))], namespace: 'default' })
  t.same(actions(first), ['checkout-route created'])
  const createdAt = (await h.client.object('VirtualService', 'default', 'checkout-route')).items[0]?.createdAt
  const again = await h.client.apply({ sources: [source(ROUTE(10), 'moved.yaml')], namespace: 'default' })
  t.same(actions(again), ['checkout-route unchanged'])
  t.equal(again.revision, first.revision, 'nothing changed: no revision')
  const changed = await h.client.apply({ sources: [source(ROUTE(50))], namespace: 'default' })
  t.same(actions(changed), ['checkout-route configured'])
  t.ok(changed.revision > first.revision)
  const [object] = (await h.client.object('VirtualService', 'default', 'checkout-route')).items
  t.equal(object?.createdAt, createdAt)
  t.equal(object?.revision, changed.revision)
})

t.test('one bad document keeps the whole apply out, and every fault is told with its place', async (t) => {
  const before = h.store.revision
  const bad = ROUTE(10).replace('weight: 90', 'wieght: 90').replace('hosts:', 'hostz:')
  const error = await h.client
    .apply({ sources: [source(SERVICE), source(bad, 'bad.yaml')], namespace: 'default' })
    .catch((e: unknown) => e)
  t.ok(error instanceof ApiError)
  if (!(error instanceof ApiError)) return
  t.equal(error.status, 422)
  t.equal(error.code, 'invalid_document')
  t.equal(error.exitCode, 65)
  t.ok(error.issues.length >= 2)
  t.ok(error.issues.every((issue) => issue.file === 'bad.yaml' && issue.line > 0))
  t.equal(h.store.revision, before)
  await t.rejects(h.client.object('Service', 'default', 'checkout-service'), problem(404))
})

t.test('a dry run says what would be, and stores nothing', async (t) => {
  const before = h.store.revision
  const answer = await h.client.apply({
    sources: [source(SERVICE), source(ROUTE(20))],
    namespace: 'default',
    dryRun: true,
  })
  t.same(actions(answer), ['checkout-service created', 'checkout-route configured'])
  t.equal(answer.changes?.length, 2)
  t.equal(answer.changes?.[0]?.before, undefined)
  t.equal(answer.changes?.[1]?.after?.metadata.name, 'checkout-route')
  t.equal(h.store.revision, before)
})

t.test('an owner’s objects that it no longer brings are pruned; those of others stay', async (t) => {
  const both = { sources: [source(SERVICE), source(DEPLOYMENT)], namespace: 'owned', pruneOwner: 'up' }
  t.same(actions(await h.client.apply(both)), ['checkout-service created', 'checkout-v1 created'])
  await h.client.apply({ sources: [source(ROUTE(10))], namespace: 'owned' })
  const one = await h.client.apply({ ...both, sources: [source(DEPLOYMENT)] })
  t.same(actions(one), ['checkout-v1 unchanged', 'checkout-service deleted'])
  t.same((await h.client.objects('Service', { namespace: 'owned' })).items, [])
  t.equal((await h.client.objects('VirtualService', { namespace: 'owned' })).items.length, 1)
  const unchanged = await h.client.apply({ ...both, sources: [source(DEPLOYMENT)] })
  t.equal(unchanged.revision, one.revision)
})

t.test('concurrent applies all succeed, and each object ends as the last revision has it', async (t) => {
  const weights = Array.from({ length: 20 }, (_, i) => i + 1)
  const answers = await Promise.all(
    weights.map((weight) => h.client.apply({ sources: [source(ROUTE(weight)), source(SERVICE)], namespace: 'race' })),
  )
  const last = answers.reduce((a, b) => (b.revision > a.revision ? b : a))
  const index = answers.indexOf(last)
  const [object] = (await h.client.object('VirtualService', 'race', 'checkout-route')).items
  const spec = object?.spec as { http: { route: { weight: number }[] }[] }
  t.equal(spec.http[0]?.route[1]?.weight, weights[index])
  t.equal(answers.filter((a) => a.objects[1]?.action === 'created').length, 1, 'one of them made the Service')
})

t.test('lists are filtered by namespace and labels', async (t) => {
  const names = async (filter: { namespace?: string; labels?: string }): Promise<string[]> =>
    (await h.client.objects('VirtualService', filter)).items.map((o) => `${o.metadata.namespace}/${o.metadata.name}`)
  const all = ['default/checkout-route', 'owned/checkout-route', 'race/checkout-route']
  for (const [filter, expected] of [
    [{}, all],
    [{ namespace: 'race' }, ['race/checkout-route']],
    [{ labels: 'app=checkout' }, all],
    [{ labels: 'app!=checkout' }, []],
    [{ labels: 'app,tier!=db', namespace: 'owned' }, ['owned/checkout-route']],
    [{ labels: 'tier' }, []],
  ] as const)
    t.same(await names(filter), expected, JSON.stringify(filter))
  await t.rejects(names({ labels: 'a=b=c' }), problem(400))
})

t.test('scale writes replicas, once', async (t) => {
  const first = await h.client.scale('owned', 'checkout-v1', { replicas: 3 })
  t.equal((await h.client.scale('owned', 'checkout-v1', { replicas: 3 })).revision, first.revision)
  const [object] = (await h.client.object('Deployment', 'owned', 'checkout-v1')).items
  t.match(object?.spec, { replicas: 3 })
  await t.rejects(h.client.scale('owned', 'nobody', { replicas: 3 }), problem(404))
  for (const replicas of [-1, 1.5, 1e9])
    await t.rejects(h.client.scale('owned', 'checkout-v1', { replicas }), problem(400))
})

t.test('objects are deleted, those without a namespace too', async (t) => {
  const policy =
    'apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\nspec: {peers: [{mtls: {}}]}\n'
  await h.client.apply({ sources: [source(policy)], namespace: 'default' })
  t.equal(
    (await h.client.objects('MeshPolicy', { namespace: 'race' })).items.length,
    1,
    'it belongs to every namespace',
  )
  const { revision } = await h.client.deleteObject('MeshPolicy', '', 'default')
  t.equal(revision, h.store.revision)
  await t.rejects(h.client.deleteObject('MeshPolicy', '', 'default'), {
    status: 404,
    message: /no MeshPolicy "default"/,
  })
})
