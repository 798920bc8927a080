import t from 'tap'
import { MtlsModes } from '../../../src/control/translate/authn.ts'
import { DestinationRules, effectivePolicy } from '../../../src/control/translate/destination-rule.ts'
import { HostMap, hostIsSubsetOf, hostsMatch, isVisible, resolveHost } from '../../../src/control/translate/hosts.ts'
import type { ConfigObject, Service } from '../../../src/control/translate/snapshot.ts'
import type { PeerAuthenticationSpec, TrafficPolicy } from '../../../src/control/translate/spec.ts'
import { virtualServicesFor } from '../../../src/control/translate/virtual-service.ts'

let revision = 0
/** Each is younger than the one made before it. */
function object(kind: string, id: string, spec: unknown): ConfigObject {
  const [namespace = '', name = ''] = id.split('/')
  return {
    apiVersion: '',
    kind,
    metadata: { name, namespace, labels: {}, annotations: {} },
    spec,
    createRevision: ++revision,
  }
}

const client = (namespace: string, labels = {}) => ({ namespace, labels, key: namespace })
const service = (host: string): Service => {
  const [name = '', namespace = ''] = host.split('.')
  return { host, name, namespace, address: '', address6: '', selector: {}, ports: [] }
}
const REVIEWS = service('reviews.a.svc.cluster.local')

t.test('a host without a dot is of the namespace of the object that names it', (t) => {
  t.equal(resolveHost('reviews', 'a'), 'reviews.a.svc.cluster.local')
  t.equal(resolveHost('Reviews.B', 'a'), 'reviews.b')
  for (const host of ['*', '*.com', '127.0.0.1', '::1']) t.equal(resolveHost(host, 'a'), host)
  t.end()
})

const matches: [a: string, b: string, match: boolean, subset: boolean][] = [
  ['foo.com', 'foo.com', true, true],
  ['foo.com', 'bar.com', false, false],
  ['foo.com', '*', true, true],
  ['*', 'foo.com', true, false],
  ['*', '*', true, true],
  ['bar.foo.com', '*.foo.com', true, true],
  ['foo.com', '*.foo.com', false, false],
  ['*.foo.com', '*.com', true, true],
  ['*.com', '*.foo.com', true, false],
  ['*.foo.com', '*.bar.com', false, false],
]

t.test('wildcards match by suffix', (t) => {
  for (const [a, b, match, subset] of matches) {
    t.equal(hostsMatch(a, b), match, `${a} ~ ${b}`)
    t.equal(hostIsSubsetOf(a, b), subset, `${a} within ${b}`)
  }
  t.end()
})

t.test('the most specific pattern wins, and of equal ones the first', (t) => {
  const map = new HostMap<number>()
  for (const [i, pattern] of ['*', '*.com', 'a.b.com', '*.b.com', '*.b.com', 'a.b.com'].entries()) map.add(pattern, i)
  for (const [host, value] of [
    ['a.b.com', 2],
    ['x.b.com', 3],
    ['b.com', 1],
    ['x.org', 0],
  ] as const)
    t.equal(map.lookup(host), value, host)
  t.end()
})

t.test('exportTo', (t) => {
  const rows: [string[] | undefined, boolean, boolean][] = [
    [undefined, true, true],
    [[], true, true],
    [['*'], true, true],
    [['.'], true, false],
    [['other'], false, true],
    [['~'], false, false],
  ]
  for (const [exportTo, own, other] of rows) {
    t.equal(isVisible(exportTo, 'a', 'a'), own, `${exportTo?.join()} own`)
    t.equal(isVisible(exportTo, 'a', 'other'), other, `${exportTo?.join()} other`)
  }
  t.end()
})

t.test('one VirtualService per host: of the mesh, visible, the oldest', (t) => {
  const objects = [
    object('VirtualService', 'a/gateway', { hosts: ['reviews'], gateways: ['edge'] }),
    object('VirtualService', 'a/hidden', { hosts: ['reviews'], exportTo: ['.'] }),
    object('VirtualService', 'a/first', { hosts: ['reviews'], gateways: ['edge', 'mesh'] }),
    object('VirtualService', 'a/second', { hosts: ['reviews', 'ratings'] }),
    object('VirtualService', 'b/wildcard', { hosts: ['*.a.svc.cluster.local'] }),
  ]
  const names = (namespace: string, ...hosts: string[]): (string | undefined)[] => {
    const map = virtualServicesFor(objects, client(namespace))
    return hosts.map((host) => map.lookup(`${host}.a.svc.cluster.local`)?.name)
  }
  t.same(names('b', 'reviews', 'ratings', 'details'), ['first', 'second', 'wildcard'])
  t.same(names('a', 'reviews'), ['hidden'])
  t.end()
})

t.test(
  'DestinationRules: client namespace, service namespace, root namespace; most specific host; no merge over levels',
  (t) => {
    const rule = (id: string, host: string, more = {}): ConfigObject =>
      object('DestinationRule', id, { host, subsets: [{ name: id }], ...more })
    const root = rule('istio-system/mesh', '*.local')
    const own = rule('a/own', 'reviews')
    const caller = rule('c/caller', 'reviews.a.svc.cluster.local')
    const wildcard = rule('c/wildcard', '*.a.svc.cluster.local')
    const hidden = rule('a/hidden', 'reviews', { exportTo: ['.'] })
    const selecting = rule('c/selecting', 'reviews.a.svc.cluster.local', {
      workloadSelector: { matchLabels: { app: 'x' } },
    })
    const rows: [
      title: string,
      objects: ConfigObject[],
      namespace: string,
      labels: object,
      found: string | undefined,
    ][] = [
      ['root', [root], 'c', {}, 'istio-system/mesh'],
      ['service over root', [root, own], 'c', {}, 'a/own'],
      ['caller over service', [root, own, wildcard], 'c', {}, 'c/wildcard'],
      ['specific over wildcard', [wildcard, caller], 'c', {}, 'c/caller'],
      ['not exported', [hidden], 'c', {}, undefined],
      ['not exported, at home', [hidden], 'a', {}, 'a/hidden'],
      ['a caller in the root namespace asks the service first', [root, own], 'istio-system', {}, 'a/own'],
      ['a selector prefers its workloads', [caller, selecting], 'c', { app: 'x' }, 'c/selecting'],
      ['a selector leaves others out', [selecting, caller], 'c', { app: 'y' }, 'c/caller'],
      ['somebody else', [caller], 'd', {}, undefined],
    ]
    for (const [title, objects, namespace, labels, found] of rows) {
      const rules = new DestinationRules(objects, client(namespace, labels), 'istio-system')
      t.equal(rules.lookup(REVIEWS)?.subsets[0]?.name, found, title)
    }
    t.end()
  },
)

t.test('DestinationRules of one host in one namespace are merged, the oldest first', (t) => {
  const policy: TrafficPolicy = { loadBalancer: { simple: 'RANDOM' } }
  const objects = [
    object('DestinationRule', 'a/one', { host: 'reviews', subsets: [{ name: 'v1', labels: { version: '1' } }] }),
    object('DestinationRule', 'a/two', {
      host: 'reviews',
      trafficPolicy: policy,
      subsets: [{ name: 'v1' }, { name: 'v2' }],
    }),
  ]
  const rule = new DestinationRules(objects, client('a'), 'istio-system').lookup(REVIEWS)
  t.same(rule, { trafficPolicy: policy, subsets: [{ name: 'v1', labels: { version: '1' } }, { name: 'v2' }] })
  t.same((objects[0]?.spec as { subsets: object[] } | undefined)?.subsets.length, 1, 'the object is as it was')
  t.end()
})

t.test('inheritance: a port replaces the rule, a subset replaces blocks, a subset port replaces all', (t) => {
  const random = { loadBalancer: { simple: 'RANDOM' } } as const
  const robin = { loadBalancer: { simple: 'ROUND_ROBIN' } } as const
  const pool = { connectionPool: { tcp: { maxConnections: 1 } } }
  const tls = { tls: { mode: 'DISABLE' } } as const
  const port = { number: 81 }
  const rows: [
    title: string,
    rule: TrafficPolicy | undefined,
    subset: TrafficPolicy | undefined,
    port80: object,
    port81: object,
  ][] = [
    ['nothing', undefined, undefined, {}, {}],
    ['rule', { ...random, ...tls }, undefined, { ...random, ...tls }, { ...random, ...tls }],
    ['port over rule', { ...random, portLevelSettings: [{ port, ...tls }] }, undefined, random, tls],
    [
      'subset over rule',
      { ...random, ...tls },
      { ...robin, ...pool },
      { ...robin, ...pool, ...tls },
      { ...robin, ...pool, ...tls },
    ],
    ['subset over port', { ...random, portLevelSettings: [{ port, ...tls }] }, robin, robin, { ...robin, ...tls }],
    [
      'subset port over all',
      { ...random, ...tls },
      { ...pool, portLevelSettings: [{ port, ...robin }] },
      { ...random, ...tls, ...pool },
      robin,
    ],
  ]
  for (const [title, trafficPolicy, own, port80, port81] of rows) {
    const rule = { trafficPolicy, subsets: [] }
    const subset = own === undefined ? undefined : { name: 's', trafficPolicy: own }
    t.same(effectivePolicy(rule, 80, subset), port80, `${title}: 80`)
    t.same(effectivePolicy(rule, 81, subset), port81, `${title}: 81`)
  }
  t.end()
})

t.test('the mode of a port: mesh, namespace, workload, port; the oldest of a rank; MeshPolicy below all', (t) => {
  const peer = (id: string, spec: PeerAuthenticationSpec): ConfigObject => object('PeerAuthentication', id, spec)
  const mode = (m: 'STRICT' | 'PERMISSIVE' | 'DISABLE' | 'UNSET') => ({ mtls: { mode: m } })
  const selector = { matchLabels: { app: 'x' } }
  const mesh = (peers: object[] | undefined, more = {}): ConfigObject =>
    object('MeshPolicy', '/default', { ...(peers && { peers }), ...more })
  const rows: [title: string, peers: ConfigObject[], meshPolicies: ConfigObject[], mode: string][] = [
    ['nothing', [], [], 'PERMISSIVE'],
    ['mesh', [peer('istio-system/m', mode('STRICT'))], [], 'STRICT'],
    ['namespace over mesh', [peer('istio-system/m', mode('STRICT')), peer('a/n', mode('DISABLE'))], [], 'DISABLE'],
    [
      'UNSET inherits',
      [peer('istio-system/m', mode('STRICT')), peer('a/n', mode('UNSET')), peer('a/w', { selector })],
      [],
      'STRICT',
    ],
    [
      'workload over namespace',
      [peer('a/n', mode('STRICT')), peer('a/w', { selector, ...mode('PERMISSIVE') })],
      [],
      'PERMISSIVE',
    ],
    [
      'another workload',
      [peer('a/w', { selector: { matchLabels: { app: 'z' } }, ...mode('STRICT') })],
      [],
      'PERMISSIVE',
    ],
    ['another namespace', [peer('b/n', mode('STRICT'))], [], 'PERMISSIVE'],
    [
      'port',
      [peer('a/w', { selector, ...mode('STRICT'), portLevelMtls: { 8080: { mode: 'DISABLE' } } })],
      [],
      'DISABLE',
    ],
    [
      'port UNSET',
      [peer('a/w', { selector, ...mode('STRICT'), portLevelMtls: { 8080: { mode: 'UNSET' } } })],
      [],
      'STRICT',
    ],
    [
      'another port',
      [peer('a/w', { selector, ...mode('STRICT'), portLevelMtls: { 1: { mode: 'DISABLE' } } })],
      [],
      'STRICT',
    ],
    ['oldest', [peer('a/x', mode('STRICT')), peer('a/y', mode('DISABLE'))], [], 'STRICT'],
    [
      'a selector in the root namespace selects nothing',
      [peer('istio-system/m', { selector, ...mode('STRICT') })],
      [],
      'PERMISSIVE',
    ],
    ['MeshPolicy', [], [mesh([{ mtls: {} }])], 'STRICT'],
    ['MeshPolicy PERMISSIVE', [], [mesh([{ mtls: { mode: 'PERMISSIVE' } }])], 'PERMISSIVE'],
    ['MeshPolicy allowTls', [], [mesh([{ mtls: { allowTls: true } }])], 'PERMISSIVE'],
    ['MeshPolicy peerIsOptional', [], [mesh([{ mtls: {} }], { peerIsOptional: true })], 'PERMISSIVE'],
    ['MeshPolicy without peers', [], [mesh(undefined)], 'DISABLE'],
    ['MeshPolicy of another name', [], [object('MeshPolicy', '/other', { peers: [{ mtls: {} }] })], 'PERMISSIVE'],
    [
      'PeerAuthentication over MeshPolicy',
      [peer('istio-system/m', mode('PERMISSIVE'))],
      [mesh([{ mtls: {} }])],
      'PERMISSIVE',
    ],
    ['namespace over MeshPolicy', [peer('a/n', mode('DISABLE'))], [mesh([{ mtls: {} }])], 'DISABLE'],
  ]
  for (const [title, peers, meshPolicies, expected] of rows) {
    const modes = new MtlsModes(peers, meshPolicies, 'istio-system')
    t.equal(modes.modeOf({ namespace: 'a', labels: { app: 'x', more: '1' } }, 8080), expected, title)
  }
  t.end()
})
