import t from 'tap'
import { portProtocol } from '../../../src/control/registry/protocol.ts'
import { Registry } from '../../../src/control/registry/registry.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import type { Pod } from '../../../src/client/contract.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { objectWrites, podWrite, startMesh, toPod } from '../translate/mesh.ts'

const service = (name: string, more = ''): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}${more}}\nspec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: web}]}`

const protocols: [name: string, appProtocol: string | undefined, port: number, protocol: string][] = [
  ['http', undefined, 80, 'http'],
  ['http-web', undefined, 80, 'http'],
  ['HTTP-Web', undefined, 80, 'http'],
  ['http2', undefined, 80, 'http2'],
  ['grpc-api', undefined, 80, 'grpc'],
  ['grpc-web-api', undefined, 80, 'http'],
  ['https', undefined, 443, 'tls'],
  ['tcp-db', undefined, 1, 'tcp'],
  ['redis', undefined, 6379, 'tcp'],
  ['mongo-db', undefined, 8080, 'tcp'],
  ['mysql', undefined, 8080, 'tcp'],
  ['postgres-main', undefined, 5432, 'tcp'],
  ['', 'postgresql', 5432, 'tcp'],
  ['', 'grpc', 80, 'grpc'],
  ['', 'HTTP2', 80, 'http2'],
  ['tls-db', undefined, 5432, 'tls'],
  ['web', undefined, 8080, 'auto'],
  ['', undefined, 8080, 'auto'],
  ['httpx', undefined, 8080, 'auto'],
  ['db', undefined, 3306, 'tcp'],
  ['', undefined, 27017, 'tcp'],
  ['http', undefined, 3306, 'http'],
  ['http', 'tcp', 80, 'tcp'],
  ['', 'kubernetes.io/h2c', 80, 'http2'],
  ['', 'kubernetes.io/ws', 80, 'http'],
  ['tcp', 'kubernetes.io/wss', 80, 'tls'],
  ['http', 'example.com/own', 80, 'http'],
]

t.test('the protocol of a port comes from appProtocol, then its name, then well-known numbers', (t) => {
  for (const [name, appProtocol, port, protocol] of protocols) {
    t.equal(portProtocol(name, appProtocol, port), protocol, `${name} ${appProtocol ?? ''} ${port}`)
  }
  t.end()
})

t.test('virtual addresses are given once, kept in the store, and survive a restart in another order', async (t) => {
  const { store, registry } = await startMesh({ text: `${service('b')}\n---\n${service('a')}`, pods: [] })
  const addresses = (r: Registry): string[] => r.services().items.map((s) => `${s.name} ${s.addresses.join(' ')}`)
  t.same(addresses(registry), ['b 240.240.0.1 2001:2::1', 'a 240.240.0.2 2001:2::2'])
  t.same(store.get('addresses/default/a')?.value, { number: 2 })
  await store.commit([{ key: 'objects/Service/default/b', value: undefined }])
  await store.commit(objectWrites(service('c')))
  t.same(addresses(registry), ['a 240.240.0.2 2001:2::2', 'c 240.240.0.3 2001:2::3'])
  const again = new Registry({ store, trustDomain: 'cluster.local', clock: systemClock })
  await store.commit(objectWrites(service('b')))
  t.same(
    addresses(again),
    ['a 240.240.0.2 2001:2::2', 'c 240.240.0.3 2001:2::3', 'b 240.240.0.1 2001:2::1'],
    'b has its own again',
  )
})

t.test('a Service that is new has its address in the very revision that brought it', async (t) => {
  const { store, registry } = await startMesh({ text: service('a'), pods: [] })
  const seen: [number, number][] = []
  registry.onChange((revision) => seen.push([revision, registry.snapshot().services.length]))
  const { revision } = (await store.commit(objectWrites(service('b')))) as { revision: number }
  t.same(seen[0], [revision, 2])
  t.equal(registry.snapshot().services[1]?.address, '240.240.0.2')
})

t.test('endpoints are the ready pods that a Service selects in its namespace', async (t) => {
  const pods: Pod[] = [
    toPod({ name: 'ready', labels: { app: 'a', x: 'y' }, ports: { web: 8080 } }, 0),
    toPod({ name: 'unready', labels: { app: 'a' }, ports: { web: 8080 }, ready: false }, 1),
    { ...toPod({ name: 'ending', labels: { app: 'a' }, ports: { web: 8080 } }, 2), terminating: true },
    toPod({ name: 'other-label', labels: { app: 'b' }, ports: { web: 8080 } }, 3),
    toPod({ name: 'elsewhere', namespace: 'other', labels: { app: 'a' }, ports: { web: 8080 } }, 4),
    toPod({ name: 'other-port', labels: { app: 'a' }, ports: { admin: 8080 } }, 5),
    toPod({ name: 'plain', labels: { app: 'a' }, ports: { web: 8080 }, sidecar: false }, 6),
    toPod({ name: 'relayed', labels: { app: 'a' }, ports: { web: 8080 }, advertisedPort: 4444 }, 7),
  ]
  const { store, registry } = await startMesh({
    text: service('a', ', annotations: {pocketmesh.dev/publish: "8000"}'),
    pods,
  })
  const [view] = registry.services().items
  t.same(
    view?.endpoints.map((e) => `${e.pod} ${e.address}:${e.port} ${e.sidecar}`),
    ['ready 127.0.0.1:21000 true', 'plain 127.0.0.1:20060 false', 'relayed 127.0.0.1:4444 true'],
  )
  t.equal(view?.publish, 8000)
  await store.commit([podWrite({ ...(pods[0] as Pod), ready: false }), { key: 'pods/default/plain', value: undefined }])
  t.same(
    registry.services().items[0]?.endpoints.map((e) => e.pod),
    ['relayed'],
  )
})

t.test(
  'a Service without a selector has no endpoints, one of type ExternalName is not of the mesh, UDP is left out',
  async (t) => {
    const text = `
apiVersion: v1
kind: Service
metadata: {name: bare}
spec: {ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: a}, ports: [{port: 1234}]}`
    const { registry } = await startMesh({
      text,
      pods: [toPod({ name: 'a-0', labels: { app: 'a' }, ports: { x: 1234 } }, 0)],
    })
    const items = registry.services().items
    t.same(
      items.map((s) => `${s.name} ${s.ports.length} ${s.endpoints.length}`),
      ['bare 1 0', 'headless 1 1'],
    )
  },
)

t.test('a commit makes anew only what it touches', async (t) => {
  const pods = [toPod({ name: 'a-0', labels: { app: 'a' }, ports: { web: 8080 } }, 0)]
  const { store, registry } = await startMesh({ text: `${service('a')}\n---\n${service('b')}`, pods })
  const first = registry.snapshot()
  await store.commit([{ key: 'ca/anything', value: 1 }])
  const second = registry.snapshot()
  t.equal(second.revision, store.revision)
  for (const part of ['services', 'pods', 'objects'] as const) t.equal(second[part], first[part], `${part} untouched`)
  await store.commit([podWrite({ ...(pods[0] as Pod), ready: false })])
  const third = registry.snapshot()
  t.equal(third.services, second.services)
  t.not(third.pods, second.pods)
  t.equal(second.pods.get('default/a-0')?.ready, true, 'the old snapshot is as it was')
  await store.commit(objectWrites(service('b').replace('port: 80', 'port: 81')))
  const fourth = registry.snapshot()
  t.equal(fourth.services[0], third.services[0], 'a untouched')
  t.equal(fourth.services[1]?.ports[0]?.port, 81)
  t.throws(() => Object.assign(fourth.services[0] as object, { host: 'x' }), 'frozen')
})

t.test('objects of a kind are ordered by age, by name within one commit, and an update keeps the age', async (t) => {
  const store = new MemoryStore()
  const registry = new Registry({ store, trustDomain: 'cluster.local', clock: systemClock })
  await store.commit(objectWrites(service('z')))
  await store.commit(objectWrites(`${service('c')}\n---\n${service('b')}`))
  await store.commit(objectWrites(service('z').replace('80', '90')))
  const names = (): string[] => (registry.snapshot().objects.get('Service') ?? []).map((o) => o.metadata.name)
  t.same(names(), ['z', 'b', 'c'])
  await store.commit([{ key: 'objects/Service/default/b', value: undefined }])
  t.same(names(), ['z', 'c'])
  const again = new Registry({ store, trustDomain: 'cluster.local', clock: systemClock })
  t.same(again.snapshot().objects.get('Service'), registry.snapshot().objects.get('Service'))
})

t.test('listeners hear of each commit once, with the time of it, until they stop', async (t) => {
  const store = new MemoryStore()
  const registry = new Registry({ store, trustDomain: 'cluster.local', clock: { ...systemClock, nowMs: () => 42 } })
  const heard: [number, number][] = []
  const stop = registry.onChange((revision, atMs) => heard.push([revision, atMs]))
  await store.commit([
    { key: 'pods/a/b', value: {} },
    { key: 'pods/a/c', value: {} },
  ])
  stop()
  await store.commit([{ key: 'pods/a/b', value: undefined }])
  t.same(heard, [[1, 42]])
  registry.close()
  await store.commit([{ key: 'pods/a/c', value: undefined }])
  t.equal(registry.snapshot().revision, 2, 'closed')
})
