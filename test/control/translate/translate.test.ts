import t from 'tap'
import type { Pod } from '../../../src/client/contract.ts'
import type { ProxyResources, Resource } from '../../../src/control/translate/snapshot.ts'
import { translate } from '../../../src/control/translate/translate.ts'
import { resourceToJson } from '../../../src/xds/json.ts'
import { RESOURCE_CODEC, XDS_TYPES, type XdsType } from '../../../src/xds/type-urls.ts'
import { objectWrites, podWrite, startMesh, toPod, type TestMesh } from './mesh.ts'

const text = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: thing}
spec: {selector: {app: thing}, ports: [{port: 6000}]}`

const upstreams = ['web 80', 'db 5432', 'thing 6000'].map((entry, i) => {
  const [name, port] = entry.split(' ')
  return { host: `${name}.default.svc.cluster.local`, port: Number(port), listenPort: 24_000 + i }
})
const pods: Pod[] = [
  toPod({ name: 'web-0', labels: { app: 'web', version: 'v1' }, ports: { http: 8080 }, upstreams }, 0),
  toPod({ name: 'web-1', labels: { app: 'web', version: 'v2' }, ports: { http: 8080 } }, 1),
  toPod({ name: 'db-0', labels: { app: 'db' }, ports: { tcp: 5432 } }, 2),
  toPod({ name: 'thing-0', labels: { app: 'thing' }, ports: { main: 6000 } }, 3),
]

const split = (weight: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{route: [{destination: {host: web, subset: v1}, weight: ${weight}}, {destination: {host: web}, weight: 50}]}]}`

const configMap = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: istio-system}\ndata: {mesh: "outbound_traffic_policy: {mode: REGISTRY_ONLY}"}`

function resourcesOf(mesh: TestMesh, name = 'web-0'): ProxyResources {
  const snapshot = mesh.snapshot()
  const pod = snapshot.pods.get(`default/${name}`)
  if (pod === undefined) throw new Error(`no pod ${name}`)
  return translate(snapshot, { pod, grpc: false })
}

/** `RDS 80` of what differs. */
function changed(before: ProxyResources, after: ProxyResources): string[] {
  const names: string[] = []
  for (const type of XDS_TYPES) {
    for (const name of new Set([...before[type].keys(), ...after[type].keys()])) {
      if (before[type].get(name)?.version !== after[type].get(name)?.version) names.push(`${type} ${name}`)
    }
  }
  return names.sort()
}

const rows: [title: string, change: (mesh: TestMesh) => Promise<unknown>, differs: string[]][] = [
  ['nothing that translation reads', (mesh) => mesh.store.commit([{ key: 'ca/x', value: 1 }]), []],
  [
    'a Deployment',
    (mesh) =>
      mesh.store.commit([
        {
          key: 'objects/Deployment/default/x',
          value: { kind: 'Deployment', metadata: { namespace: 'default', name: 'x' }, spec: {} },
        },
      ]),
    [],
  ],
  [
    'a VirtualService',
    (mesh) => mesh.store.commit(objectWrites(split(10))),
    ['RDS 80', 'RDS http_proxy', 'RDS web.default.svc.cluster.local:80'],
  ],
  [
    'a pod that is ready no more',
    (mesh) => mesh.store.commit([podWrite({ ...(pods[1] as Pod), ready: false })]),
    ['EDS outbound|80||web.default.svc.cluster.local'],
  ],
  [
    'a pod of another identity',
    (mesh) => mesh.store.commit([podWrite({ ...(pods[1] as Pod), serviceAccount: 'other', ready: false })]),
    ['CDS outbound|80||web.default.svc.cluster.local', 'EDS outbound|80||web.default.svc.cluster.local'],
  ],
  [
    'mTLS of a workload',
    (mesh) =>
      mesh.store.commit(
        objectWrites(
          'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: db}\nspec: {selector: {matchLabels: {app: db}}, mtls: {mode: DISABLE}}',
        ),
      ),
    ['EDS outbound|5432||db.default.svc.cluster.local'],
  ],
  [
    'a subset',
    (mesh) =>
      mesh.store.commit(
        objectWrites(
          'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\nspec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}',
        ),
      ),
    ['CDS outbound|80|v1|web.default.svc.cluster.local', 'EDS outbound|80|v1|web.default.svc.cluster.local'],
  ],
  [
    'TCP routes',
    (mesh) =>
      mesh.store.commit(
        objectWrites(
          'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: db}\nspec: {hosts: [db], tcp: [{route: [{destination: {host: thing}}]}]}',
        ),
      ),
    ['LDS 127.0.0.1_24001', 'LDS 2001:2::2_5432', 'LDS 240.240.0.2_5432'],
  ],
  ['a ConfigMap that is not of the mesh', (mesh) => mesh.store.commit(objectWrites(configMap('other'))), []],
  [
    'what may leave the mesh',
    (mesh) => mesh.store.commit(objectWrites(configMap('istio'))),
    ['LDS virtualOutbound', 'RDS 6000', 'RDS 80', 'RDS http_proxy'],
  ],
  [
    'the first pod with a UNIX socket',
    (mesh) => mesh.store.commit([podWrite(toPod({ name: 'x', ports: { a: 1 }, pipes: true }, 8))]),
    [
      'CDS outbound|5432||db.default.svc.cluster.local',
      'CDS outbound|6000||thing.default.svc.cluster.local',
      'CDS outbound|80||web.default.svc.cluster.local',
    ],
  ],
]

t.test('a change alters the resources that it is about, and no other', async (t) => {
  for (const [title, change, differs] of rows) {
    const mesh = await startMesh({ text, pods })
    const before = resourcesOf(mesh)
    await change(mesh)
    const after = resourcesOf(mesh)
    t.same(changed(before, after), differs, title)
    for (const type of XDS_TYPES) {
      for (const [name, resource] of after[type]) {
        const same = before[type].get(name)
        if (same?.version === resource.version) t.equal(resource, same, `${title}: ${type} ${name} is not made anew`)
      }
    }
  }
})

t.test('proxies of a namespace share their resources; what came in another order comes out equal', async (t) => {
  const mesh = await startMesh({ text: `${text}\n---\n${split(30)}`, pods })
  const other = await startMesh({ text: `${text}\n---\n${split(30)}`, pods: pods.toReversed() })
  t.equal(resourcesOf(mesh, 'web-0').RDS.get('80'), resourcesOf(mesh, 'db-0').RDS.get('80'))
  t.same(changed(resourcesOf(mesh), resourcesOf(other)), [], 'pods in another order')
  await mesh.store.commit(objectWrites(split(40)))
  await mesh.store.commit(objectWrites(split(30)))
  t.same(changed(resourcesOf(mesh), resourcesOf(other)), [], 'there and back')
})

t.test(
  'what comes out of a pod by the gateway leads to no Service: it would carry the identity of the gateway',
  async (t) => {
    const gateway = toPod({ name: 'gateway-0', egress: true, upstreams }, 9)
    const mesh = await startMesh({
      text,
      pods: [...pods, gateway, toPod({ name: 'ns-0', ns: true, ports: { http: 80 } }, 10)],
    })
    const { LDS } = resourcesOf(mesh, 'gateway-0')
    const listeners = [...LDS.values()].map((r) => resourceToJson(r.any) as { name: string; bindToPort?: boolean })
    t.same(
      listeners.filter((l) => l.bindToPort === false).map((l) => l.name),
      ['10.244.0.12_80', 'fd00:10:244::c_80'],
      'of those that are found by destination, pods alone',
    )
    t.equal(listeners.filter((l) => l.name.startsWith('127.0.0.1_')).length, 3, 'published ports are bound')
  },
)

t.test('every name that a resource refers to is there', async (t) => {
  const gateway = toPod({ name: 'gateway-0', egress: true, upstreams }, 4)
  const transparent = ['ns-0', 'plain-0'].map((name, i) =>
    toPod({ name, ns: true, sidecar: name === 'ns-0', labels: { app: 'web' }, ports: { http: 8080 } }, 5 + i),
  )
  const all = [...pods, gateway, ...transparent]
  const mesh = await startMesh({ text, pods: all })
  for (const { name } of all) {
    const resources = resourcesOf(mesh, name)
    const decode = (type: XdsType): string =>
      JSON.stringify([...resources[type].values()].map((r) => RESOURCE_CODEC[type].decode(bytesOf(r))))
    for (const eds of resources.EDS.keys()) t.ok(resources.CDS.has(eds), `${name}: cluster ${eds}`)
    const clusters = [...decode('CDS').matchAll(/"serviceName":"([^"]+)"/g)].map((m) => m[1] ?? '')
    t.same(new Set(clusters), new Set(resources.EDS.keys()), `${name}: endpoints of every EDS cluster`)
    for (const resource of [...resources.LDS.values(), ...resources.RDS.values()]) {
      const json = JSON.stringify(resourceToJson(resource.any))
      for (const [, cluster = ''] of json.matchAll(/"cluster":"([^"]+)"/g))
        t.ok(resources.CDS.has(cluster), `${name}: ${cluster} of ${resource.name}`)
      for (const [, route = ''] of json.matchAll(/"routeConfigName":"([^"]+)"/g))
        t.ok(resources.RDS.has(route), `${name}: ${route} of ${resource.name}`)
    }
    for (const type of XDS_TYPES) {
      for (const [key, resource] of resources[type]) t.equal(key, resource.name, `${type} ${key}`)
    }
  }
})

t.test('a listener of a Service that is gone, or whose address another has, is not kept', async (t) => {
  const mesh = await startMesh({ text, pods })
  await mesh.store.commit([{ key: 'objects/Service/default/db', value: undefined }])
  const { LDS, CDS, EDS } = resourcesOf(mesh)
  t.same(
    [...LDS.keys(), ...CDS.keys(), ...EDS.keys()].filter((name) => name.includes('5432')),
    [],
  )
})

function bytesOf(resource: Resource): Uint8Array {
  return resource.any.value ?? new Uint8Array(0)
}
