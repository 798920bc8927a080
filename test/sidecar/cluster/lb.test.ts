import t from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'
import { Cluster } from '../../../src/sidecar/cluster/cluster.ts'
import { compileCluster, compileEndpoints } from '../../../src/sidecar/cluster/compile.ts'
import type { Endpoint } from '../../../src/sidecar/cluster/endpoint.ts'
import { assignment, edsCluster, meshCluster, staticCluster, type XdsCluster } from '../../helpers/data-plane.ts'

const dialer = {
  wheel: new TimerWheel(systemClock),
  tls: { generation: () => 0, handshake: () => {} },
  ownAddress: { host: '10.244.0.1', port: 0 },
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const make = (cluster: XdsCluster): Cluster =>
  new Cluster(compileCluster(cluster), { dialer, nowMs: () => 0, random: random(7) })

function counts(cluster: Cluster, n: number, busy: (e: Endpoint) => void = () => {}): Record<string, number> {
  const out: Record<string, number> = {}
  for (let i = 0; i < n; i++) {
    const endpoint = cluster.pick([], 0)!
    busy(endpoint)
    out[endpoint.label] = (out[endpoint.label] ?? 0) + 1
  }
  return out
}

void t.test('round robin takes turns, by weight where there are any', async (t) => {
  const even = make({ ...staticCluster('c', 1, 2, 3), lbPolicy: 0 })
  t.same(Object.values(counts(even, 300)), [100, 100, 100])
  const uneven = make({ ...staticCluster('c', { port: 1, weight: 1 }, { port: 2, weight: 3 }), lbPolicy: 0 })
  t.same(counts(uneven, 400), { '127.0.0.1:1': 100, '127.0.0.1:2': 300 })
})

void t.test('random follows the weights', async (t) => {
  const cluster = make({ ...staticCluster('c', { port: 1, weight: 1 }, { port: 2, weight: 3 }), lbPolicy: 3 })
  const { '127.0.0.1:1': light = 0 } = counts(cluster, 4000)
  t.ok(light > 900 && light < 1100, String(light))
})

void t.test('least request avoids the busy one', async (t) => {
  const cluster = make(staticCluster('c', 1, 2, 3))
  const [first] = [...cluster.endpoints]
  first!.numActive = 50
  const seen = counts(cluster, 300)
  t.equal(seen[first!.label] ?? 0, 0)
  const spread = counts(make(staticCluster('c', 1, 2, 3)), 300, (e) => e.numActive++)
  t.ok(Object.values(spread).every((n) => n >= 95 && n <= 105))
})

void t.test('endpoints: unhealthy ones and lower priorities are left out, tried ones avoided', async (t) => {
  const cluster = make(edsCluster('c'))
  t.equal(cluster.pick([], 0), null)
  const list = assignment('c', [1, 2, 3, 4])
  list.endpoints![0]!.lbEndpoints![0]!.healthStatus = 2
  list.endpoints!.push({ priority: 1, lbEndpoints: assignment('c', [9]).endpoints![0]!.lbEndpoints! })
  cluster.setEndpoints(compileEndpoints(list))
  const labels = new Set(Array.from({ length: 100 }, () => cluster.pick([], 0)!.label))
  t.same([...labels].sort(), ['127.0.0.1:2', '127.0.0.1:3', '127.0.0.1:4'])
  const two = make({ ...staticCluster('c', 1, 2), lbPolicy: 0 })
  const tried = two.pick([], 0)!
  t.ok(Array.from({ length: 20 }, () => two.pick([tried], 5)).every((e) => e !== tried))
})

void t.test('a push keeps what it does not change', async (t) => {
  const cluster = make(meshCluster('c', ['spiffe://cluster.local/ns/default/sa/a'], edsCluster('c')))
  cluster.setEndpoints(compileEndpoints(assignment('c', [{ port: 1, mesh: true }, { port: 2 }])))
  const [one, two] = [...cluster.endpoints]
  t.match([one!.tls?.alpn.length, two!.tls], [1, null])
  cluster.setEndpoints(compileEndpoints(assignment('c', [{ port: 2 }, { port: 1, mesh: true }, { port: 3 }])))
  t.ok([...cluster.endpoints].includes(one!) && [...cluster.endpoints].includes(two!), 'same endpoints, same pools')
  cluster.update(compileCluster(meshCluster('c', ['spiffe://cluster.local/ns/default/sa/b'], edsCluster('c'))))
  t.notOk([...cluster.endpoints].includes(one!), 'another identity is another link')
  t.ok([...cluster.endpoints].includes(two!), 'plaintext stays')
})

void t.test('what cannot be honoured is refused', async (t) => {
  t.throws(() => compileCluster({ name: '' }), /needs a name/)
  t.throws(() => compileCluster({ name: 'c', lbPolicy: 2 }), /not supported/)
  t.throws(() => compileCluster({ name: 'c', transportSocket: { typedConfig: { typeUrl: 'x' } } }), /not supported/)
  t.throws(() => compileEndpoints({ clusterName: 'c', endpoints: [{ lbEndpoints: [{}] }] }), /address is missing/)
})
