import { statSync } from 'node:fs'
import t from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import { pod, Rig, until, world } from './rig.ts'

t.test('a sidecar gets everything in order, and then nobody says anything', async (t) => {
  const rig = await Rig.open([pod('a')])
  t.teardown(() => rig.close())
  t.equal(statSync(rig.socket).mode & 0o777, 0o600)
  const relay = await rig.relay()
  const a = rig.sidecar('a', { socket: relay.socket })
  await rig.synced('a')
  t.same(a.target.calls, ['clusters c1', 'endpoints c1', 'listeners l', 'routes r'])
  t.match(a.names, [{ table: { 'a.default.svc.cluster.local': { ips: ['240.240.0.1'] } } }])
  t.match(rig.server?.status(), [
    {
      name: 'a.default',
      ackedRevision: 1,
      types: { CDS: { state: 'SYNCED', resources: 1 }, NDS: { state: 'SYNCED' } },
    },
  ])
  const before = relay.bytes()
  for (let i = 0; i < 20; i++) {
    rig.source.commit()
    rig.source.commit({ nothing: true })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.equal(relay.bytes(), before, 'not one byte in 400 ms, whatever is committed that changes nothing for it')
})

t.test(
  'a pod without a sidecar takes part with its plain proxy: listed, waited for, with its own certificate',
  async (t) => {
    const rig = await Rig.open([pod('plain', 'cron', false)])
    t.teardown(() => rig.close())
    rig.sidecar('plain', { credentials: rig.credential('cron') })
    await rig.synced('plain')
    t.match(rig.server?.status(), [{ name: 'plain.default', types: { LDS: { state: 'SYNCED', resources: 1 } } }])
    const revision = rig.source.commit({ resources: world({ version: '2' }) })
    t.match(await rig.server?.waitForDelivery(revision, 5000), { proxies: 1, acked: 1, pending: [] })
  },
)

t.test('a change reaches ten sidecars, and the delivery says how long it took', async (t) => {
  const names = Array.from({ length: 10 }, (_, i) => `p${i}`)
  const rig = await Rig.open(names.map((n) => pod(n)))
  t.teardown(() => rig.close())
  const server = rig.server
  for (const name of names) rig.sidecar(name)
  for (const name of names) await rig.synced(name)
  const all: number[] = []
  for (let i = 1; i <= 10; i++) {
    const delivery = await server?.waitForDelivery(
      rig.source.commit({ resources: world({ version: String(i) }) }),
      5000,
    )
    t.match(delivery, { proxies: 10, acked: 10, pending: [], nacks: [] })
    all.push(delivery?.ms?.max ?? Infinity)
  }
  t.comment(`to the last ACK, ms: ${all.map((ms) => ms.toFixed(1)).join(' ')}`)
  t.same(await server?.waitForDelivery(rig.source.commit({ nothing: true }), 5000), {
    revision: rig.source.snapshot().revision,
    proxies: 10,
    acked: 10,
    pending: [],
    nacks: [],
  })
})

t.test('one bad resource is refused, the others are applied, and it is not sent again', async (t) => {
  const rig = await Rig.open([pod('a')])
  t.teardown(() => rig.close())
  const a = rig.sidecar('a')
  await rig.synced('a')
  a.target.refuse = (name) => (name === 'bad' ? 'no such thing' : undefined)
  const revision = rig.source.commit({ resources: world({ clusters: ['c1', 'bad', 'good'] }) })
  const delivery = await rig.server?.waitForDelivery(revision, 5000)
  t.match(delivery, {
    acked: 0,
    pending: [],
    nacks: [{ proxy: 'a.default', type: 'CDS', detail: 'bad: no such thing' }],
  })
  t.same([...a.state.held('CDS').keys()], ['c1', 'good'])
  t.match(rig.server?.status(), [{ nack: { type: 'CDS' }, types: { CDS: { state: 'STALE' } } }])
  const { responses } = a.client.status()
  rig.source.commit()
  await rig.server?.waitForDelivery(rig.source.commit(), 5000)
  t.equal(a.client.status().responses, responses)
  a.target.refuse = () => undefined
  await rig.server?.waitForDelivery(rig.source.commit({ resources: world({ clusters: ['c1', 'good'] }) }), 5000)
  await rig.synced('a')
})

t.test('a restarted control plane sends only what has changed meanwhile', async (t) => {
  const rig = await Rig.open([pod('a')])
  t.teardown(() => rig.close())
  const a = rig.sidecar('a')
  await rig.synced('a')
  const { responses } = a.client.status()
  await rig.stopServer()
  await until(() => !a.client.status().connected)
  await rig.startServer()
  await rig.synced('a')
  t.equal(a.client.status().responses, responses, 'equal content: nothing')
  await rig.stopServer()
  rig.source.commit({ resources: world({ version: '7' }) })
  a.target.calls = []
  await rig.startServer()
  await rig.synced('a')
  t.same(a.target.calls, ['routes r'])
})

t.test('a node is served its own configuration only', async (t) => {
  const rig = await Rig.open([pod('a', 'alice')])
  t.teardown(() => rig.close())
  const wrongAccount = rig.sidecar('a', { credentials: rig.credential('bob') })
  await until(() => wrongAccount.client.status().lastError !== '')
  t.match(wrongAccount.client.status().lastError, /runs as alice/)
  const wrongNamespace = rig.sidecar('a', { credentials: rig.credential('alice', 'other') })
  await until(() => wrongNamespace.client.status().lastError !== '')
  t.match(wrongNamespace.client.status().lastError, /not of the certificate's namespace/)
  t.same([wrongAccount.target.calls, wrongNamespace.target.calls], [[], []])
})

t.test('a node whose pod is not reported yet is kept, and served once it is', async (t) => {
  const rig = await Rig.open([])
  t.teardown(() => rig.close())
  const a = rig.sidecar('a')
  await until(() => rig.server?.status().length === 1)
  t.match(rig.server?.status(), [{ types: { CDS: { state: 'NOT SENT' } } }])
  rig.source.commit({ pods: [pod('a')] })
  await rig.synced('a')
  t.equal(a.client.status().streams, 1)
})

t.test('a server with another identity is refused', async (t) => {
  const rig = await Rig.open([pod('a')])
  t.teardown(() => rig.close())
  const a = rig.sidecar('a', { serverId: 'spiffe://cluster.local/ns/istio-system/sa/other' })
  await until(() => a.client.status().lastError !== '')
  t.match(a.client.status(), { connected: false, lastError: /may not serve/ })
})

t.test('a client that comes without a certificate, or says nonsense, is refused', async (t) => {
  const { Client, ChannelCredentials } = await import('@grpc/grpc-js')
  const { ADS_SERVICE } = await import('../../../src/xds/ads-service.ts')
  const { clientContext } = await import('../../../src/sidecar/tls/context.ts')
  const rig = await Rig.open([pod('a')])
  t.teardown(() => rig.close())
  const fails = (credentials: InstanceType<typeof ChannelCredentials>, node: { id: string }) =>
    new Promise<string>((resolve) => {
      const client = new Client(`unix:${rig.socket}`, credentials)
      const method = ADS_SERVICE.StreamAggregatedResources
      const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize)
      stream.on('error', (error) => {
        client.close()
        resolve(error.message)
      })
      stream.on('data', () => resolve('served'))
      stream.write({ node, typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' })
    })
  const roots = Buffer.from(rig.ca.rootsPem)
  const anyName = { checkServerIdentity: () => undefined }
  t.match(await fails(ChannelCredentials.createSsl(roots, null, null, anyName), { id: 'x' }), /UNAVAILABLE/)
  const { secureContext } = clientContext(rig.credential().current())
  t.match(
    await fails(ChannelCredentials.createFromSecureContext(secureContext, anyName), { id: 'x' }),
    /INVALID_ARGUMENT/,
  )
})

t.test('a stream ends with the certificate that opened it', async (t) => {
  const rig = await Rig.open([pod('a'), pod('b')])
  t.teardown(() => rig.close())
  await rig.stopServer()
  let shiftMs = 0
  await rig.startServer({ ...systemClock, nowEpochMs: () => Date.now() + shiftMs })
  const a = rig.sidecar('a')
  await rig.synced('a')
  shiftMs = 2 * 3_600_000
  rig.sidecar('b')
  await until(() => a.client.status().streams > 1)
  t.match(a.client.status().lastError, /certificate of this connection has expired/)
})
