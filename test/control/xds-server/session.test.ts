import t from 'tap'
import { DeliveryLog } from '../../../src/control/xds-server/delivery.ts'
import { Session } from '../../../src/control/xds-server/session.ts'
import { XDS_TYPES, type XdsType } from '../../../src/xds/type-urls.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { proxyResources } from './resources.ts'

/** A session whose proxy answers only when told to. */
function rig(name = 'a.default', clock = new ManualClock()) {
  const sent: string[] = []
  const nonces = new Map<XdsType, string>()
  const deliveries = new DeliveryLog(clock)
  const session = new Session({
    name,
    clock,
    onChange: () => deliveries.check(),
    send: (type, push, nonce) => {
      nonces.set(type, nonce)
      sent.push([type, ...push.resources.map((r) => r.name + r.version), ...push.removed.map((n) => `-${n}`)].join(' '))
    },
  })
  const request = (type: XdsType, more: { subscribe?: string[]; nonce?: string; error?: string } = {}): void =>
    session.onDeltaRequest(type, {
      subscribe: more.subscribe ?? [],
      unsubscribe: [],
      initialVersions: {},
      nonce: more.nonce ?? '',
      error: more.error,
    })
  const answer = (type: XdsType, error?: string): void =>
    request(type, { nonce: nonces.get(type) ?? '', ...(error === undefined ? {} : { error }) })
  /** What was sent since the last call. */
  const take = (): string[] => sent.splice(0)
  return { session, clock, deliveries, request, answer, take }
}

const FIRST = { CDS: { c: '1' }, EDS: { c: '1' }, LDS: { l: '1' }, RDS: { r: '1' }, NDS: { nds: '1' } }

function settledRig(name?: string, clock?: ManualClock): ReturnType<typeof rig> {
  const r = rig(name, clock)
  for (const type of XDS_TYPES)
    r.request(type, { subscribe: type === 'EDS' ? ['c', 'd'] : type === 'RDS' ? ['r'] : [] })
  r.session.update(proxyResources(FIRST), 1, r.clock.nowMs())
  for (const type of XDS_TYPES) r.answer(type)
  r.take()
  return r
}

t.test('a first push walks CDS, EDS, LDS, RDS, NDS, each after the ACK of the one before', async (t) => {
  const r = rig()
  for (const type of XDS_TYPES) r.request(type, { subscribe: type === 'EDS' ? ['c'] : type === 'RDS' ? ['r'] : [] })
  r.session.update(proxyResources(FIRST), 1, 0)
  t.same(r.take(), ['CDS c1'])
  r.answer('CDS')
  t.same(r.take(), ['EDS c1'])
  r.answer('EDS')
  t.same(r.take(), ['LDS l1'])
  r.answer('LDS')
  t.same(r.take(), ['RDS r1'])
  r.answer('RDS')
  t.same(r.take(), ['NDS nds1'])
  t.equal(r.session.settledRevision, 0)
  r.answer('NDS')
  t.same(r.take(), [])
  t.equal(r.session.settledRevision, 1)
})

t.test('a new cluster comes before the routes to it, an old one goes after them', async (t) => {
  const r = settledRig()
  r.session.update(proxyResources({ ...FIRST, CDS: { d: '1' }, EDS: { d: '1' }, RDS: { r: '2' } }), 2, 0)
  t.same(r.take(), ['CDS d1'])
  r.answer('CDS')
  t.same(r.take(), ['EDS d1'])
  r.answer('EDS')
  t.same(r.take(), ['RDS r2'])
  r.answer('RDS')
  t.same(r.take(), ['CDS -c'])
  r.answer('CDS')
  t.same(r.take(), ['EDS -c'], 'unless the proxy has left it already')
  r.answer('EDS')
  t.equal(r.session.settledRevision, 2)
})

t.test('a proxy that does not answer gets only the newest', async (t) => {
  const r = settledRig()
  for (let i = 2; i < 10; i++) r.session.update(proxyResources({ ...FIRST, RDS: { r: String(i) } }), i, 0)
  t.same(r.take(), ['RDS r2'])
  t.equal(r.session.busy, true)
  r.answer('RDS')
  t.same(r.take(), ['RDS r9'])
  r.answer('RDS')
  t.equal(r.session.settledRevision, 9)
})

t.test('after 5 s without an answer the newest goes out all the same', async (t) => {
  const r = settledRig()
  r.session.update(proxyResources({ ...FIRST, RDS: { r: '2' } }), 2, 0)
  r.session.update(proxyResources({ ...FIRST, RDS: { r: '3' } }), 3, 0)
  r.clock.advance(4999)
  t.same(r.take(), ['RDS r2'])
  r.clock.advance(1)
  t.same(r.take(), ['RDS r3'])
  r.answer('RDS')
  t.equal(r.session.settledRevision, 3)
})

t.test('a NACK is recorded, holds nothing back, and is not answered with the same again', async (t) => {
  const r = settledRig()
  r.session.update(proxyResources({ ...FIRST, CDS: { c: 'bad' }, RDS: { r: '2' } }), 2, 0)
  r.take()
  r.answer('CDS', 'c: no such policy')
  t.same(r.take(), ['RDS r2'])
  r.answer('RDS')
  t.match(r.session.nack, { type: 'CDS', detail: 'c: no such policy' })
  t.match(r.session.status(), { types: { CDS: { state: 'STALE' }, RDS: { state: 'SYNCED' } } })
  r.session.update(proxyResources({ ...FIRST, CDS: { c: '3' }, RDS: { r: '2' } }), 3, 0)
  t.same(r.take(), ['CDS c3'])
  r.answer('CDS')
  t.equal(r.session.nack, undefined)
})

t.test('an equal snapshot sends nothing', async (t) => {
  const r = settledRig()
  for (let i = 2; i < 50; i++) r.session.update(proxyResources(FIRST), i, 0)
  t.same(r.take(), [])
  t.equal(r.session.settledRevision, 49)
})

t.test('states: IGNORED, NOT SENT, STALE, SYNCED', async (t) => {
  const r = rig()
  r.request('CDS')
  t.match(r.session.status().types, { CDS: { state: 'NOT SENT' }, LDS: { state: 'IGNORED' } })
  r.session.update(proxyResources(FIRST), 1, 0)
  t.match(r.session.status().types, { CDS: { state: 'STALE' } })
  r.answer('CDS')
  t.match(r.session.status(), {
    name: 'a.default',
    ackedRevision: 1,
    types: { CDS: { state: 'SYNCED', resources: 1 } },
  })
})

t.test('a delivery: who was told, how long it took, who is pending, who refused', async (t) => {
  const clock = new ManualClock()
  const [a, b, c] = [settledRig('a', clock), settledRig('b', clock), settledRig('c', clock)]
  const { deliveries } = a
  deliveries.committed(2, clock.nowMs())
  const next = proxyResources({ ...FIRST, RDS: { r: '2' } })
  a.session.update(next, 2, clock.nowMs())
  b.session.update(proxyResources(FIRST), 2, clock.nowMs())
  c.session.update(next, 2, clock.nowMs())
  const waiting = deliveries.wait(2, [a.session, b.session, c.session], 1000)
  clock.advance(7)
  a.answer('RDS')
  clock.advance(993)
  t.same(await waiting, {
    revision: 2,
    proxies: 3,
    acked: 2,
    ms: { p50: 7, p99: 7, max: 7 },
    pending: ['c'],
    nacks: [],
  })
  c.answer('RDS', 'r: bad')
  t.same(await deliveries.wait(2, [a.session, c.session], 1000), {
    revision: 2,
    proxies: 2,
    acked: 1,
    ms: { p50: 7, p99: 1000, max: 1000 },
    pending: [],
    nacks: [{ proxy: 'c', type: 'RDS', detail: 'r: bad' }],
  })
})

t.test('a proxy that leaves is not waited for', async (t) => {
  const r = settledRig()
  r.deliveries.committed(2, 0)
  r.session.update(proxyResources({ ...FIRST, RDS: { r: '2' } }), 2, 0)
  const waiting = r.deliveries.wait(2, [r.session], 60_000)
  r.deliveries.forget(r.session)
  t.same(await waiting, { revision: 2, proxies: 0, acked: 0, pending: [], nacks: [] })
})

t.test('a revision that changes nothing for the proxy counts as acknowledged', async (t) => {
  const r = settledRig()
  r.session.advance(5)
  t.equal(r.session.settledRevision, 5)
  r.session.update(proxyResources({ ...FIRST, RDS: { r: '2' } }), 6, 0)
  r.session.advance(7)
  t.equal(r.session.settledRevision, 5, 'but not while something is under way')
  r.answer('RDS')
  t.equal(r.session.settledRevision, 7)
})
