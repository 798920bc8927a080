import t from 'tap'
import { toResource } from '../../../src/control/translate/resource.ts'
import type { Resource } from '../../../src/control/translate/snapshot.ts'
import { expandNames } from '../../../src/sidecar/xds-client/names.ts'
import { ConfigState } from '../../../src/sidecar/xds-client/snapshot.ts'
import { TYPE_URL, XDS_TYPES, type XdsType } from '../../../src/xds/type-urls.ts'
import { FakeTarget, world } from '../../control/xds-server/rig.ts'

function rig() {
  const target = new FakeTarget()
  const state = new ConfigState({ target, onNames: () => undefined })
  const give = (type: XdsType, resources: Iterable<Resource>, removedResources: string[] = []) =>
    state.apply(type, {
      typeUrl: TYPE_URL[type],
      resources: [...resources].map((r) => ({ name: r.name, version: r.version, resource: r.any })),
      removedResources,
    })
  return { target, state, give }
}

async function filled() {
  const r = rig()
  for (const type of XDS_TYPES) t.same(await r.give(type, world()[type].values()), [])
  r.target.calls = []
  return r
}

t.test('names to subscribe to come from clusters and listeners', async (t) => {
  const { state } = await filled()
  t.same([...state.edsNames()], ['c1'])
  t.same([...state.rdsNames()], ['r'])
  t.same(Object.keys(state.versions('RDS')), ['r'])
})

t.test('it is whole when each type that is wanted has come once', async (t) => {
  const r = rig()
  const whole: boolean[] = []
  for (const type of ['CDS', 'LDS', 'NDS', 'EDS', 'RDS'] as const) {
    await r.give(type, world()[type].values())
    whole.push(r.state.isWhole)
  }
  t.same(whole, [false, false, false, false, true])
  await r.give('CDS', [toResource('CDS', 'new', { name: 'new', type: 3 })])
  t.ok(r.state.isWhole, 'and stays so')
  const bare = rig()
  await bare.give('CDS', [])
  await bare.give('LDS', [])
  t.notOk(bare.state.isWhole)
  await bare.give('NDS', world().NDS.values())
  t.ok(bare.state.isWhole, 'no endpoints, no routes are wanted')
})

t.test('removal: clusters and listeners go, the rest stays', async (t) => {
  const r = await filled()
  await r.give('CDS', [], ['c1'])
  await r.give('LDS', [], ['l'])
  t.same(r.target.calls, ['clusters ', 'listeners '])
  t.equal(r.state.held('CDS').size, 0)
})

t.test('what the cache kept is applied with the routes before the listeners', async (t) => {
  const r = rig()
  const all = world()
  t.same(await r.state.load(new Map(XDS_TYPES.map((type) => [type, [...all[type].values()]]))), [])
  t.same(r.target.calls, ['clusters c1', 'endpoints c1', 'routes r', 'listeners l'])
  t.same([...r.state.applied].sort(), ['CDS', 'EDS', 'LDS', 'NDS', 'RDS'])
})

t.test('what the data path refuses keeps its last version', async (t) => {
  const r = await filled()
  const before = r.state.versions('LDS')
  r.target.refuse = (name) => (name === 'l' ? 'port taken' : undefined)
  t.same(await r.give('LDS', [toResource('LDS', 'l', { name: 'l' }), toResource('LDS', 'k', { name: 'k' })]), [
    { name: 'l', detail: 'port taken' },
  ])
  t.match(r.state.versions('LDS'), before)
  t.same([...r.state.held('LDS').keys()], ['l', 'k'])
  t.same([...r.state.rdsNames()], ['r'])
})

const good = toResource('CDS', 'a', { name: 'a' })
const BAD: [string, Resource[], RegExp][] = [
  ['two of one name', [good, good], /two resources of this name/],
  [
    'bytes that do not parse',
    [{ ...good, any: { typeUrl: TYPE_URL.CDS, value: Uint8Array.from([0x0a, 0x7f]) } }],
    /a: .+/,
  ],
  ['another type', [{ ...good, any: { typeUrl: TYPE_URL.LDS, value: new Uint8Array(0) } }], /a resource of type/],
  ['a name that is not its own', [{ ...good, name: 'b' }], /its own name is a/],
]
for (const [name, resources, detail] of BAD) {
  t.test(`refused: ${name}`, async (t) => {
    const r = await filled()
    t.match((await r.give('CDS', resources)).map((x) => `${x.name}: ${x.detail}`).join(), detail)
    t.same([...r.state.held('CDS').keys()], ['c1'])
  })
}

t.test('names: short forms by the rules of a pod of the namespace', async (t) => {
  const ips = ['240.240.0.1', '2001:2::1']
  const table = {
    table: {
      'A.default.svc.cluster.local': { ips },
      'b.other.svc.cluster.local': { ips: ['240.240.0.2'] },
      'b.other': { ips: ['9.9.9.9'] },
      'api.example.com': { ips: ['240.240.0.3'] },
      'none.default.svc.cluster.local': { ips: [] },
    },
  }
  t.same(Object.fromEntries(expandNames(table, 'default')), {
    'a.default.svc.cluster.local': ips,
    'a.default.svc': ips,
    'a.default': ips,
    a: ips,
    'b.other.svc.cluster.local': ['240.240.0.2'],
    'b.other.svc': ['240.240.0.2'],
    'b.other': ['9.9.9.9'],
    'api.example.com': ['240.240.0.3'],
  })
})
