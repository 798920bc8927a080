/** gRPC's own xDS client against our control plane: it resolves, balances, follows. */
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { register } from '@grpc/grpc-js-xds'
import t from 'tap'
import type { Pod } from '../../../src/client/contract.ts'
import { Registry } from '../../../src/control/registry/registry.ts'
import { MemoryStore } from '../../../src/control/store/memory.ts'
import type { Json } from '../../../src/control/store/store.ts'
import { translate } from '../../../src/control/translate/translate.ts'
import { AdsServer } from '../../../src/control/xds-server/ads.ts'
import { serverCredentials } from '../../../src/control/ca/server-credentials.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { clientTlsOptions } from '../../../src/sidecar/tls/context.ts'
import { log, pod, Rig, TRUST_DOMAIN } from './rig.ts'

const SERVICE_PORT = 7000
const text: Pick<
  grpc.MethodDefinition<string, string>,
  'requestSerialize' | 'requestDeserialize' | 'responseSerialize' | 'responseDeserialize'
> = {
  requestSerialize: (s) => Buffer.from(s),
  requestDeserialize: (b) => b.toString(),
  responseSerialize: (s) => Buffer.from(s),
  responseDeserialize: (b) => b.toString(),
}
const WHO = { path: '/test.Who/Who', requestStream: false, responseStream: false, ...text } as const

async function whoServer(name: string): Promise<{ port: number; server: grpc.Server }> {
  const server = new grpc.Server()
  server.addService({ Who: WHO }, { Who: (_call: unknown, done: grpc.sendUnaryData<string>) => done(null, name) })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (e, p) => (e ? reject(e) : resolve(p)))
  })
  return { port, server }
}

function serverPod(name: string, port: number, version = 'v1'): Pod {
  return {
    ...pod(name, 'default', false),
    labels: { app: 'service', version },
    ports: [{ name: 'grpc', containerPort: SERVICE_PORT, appPort: port, listenPort: port }],
  }
}

const object = (kind: string, name: string, apiVersion: string, spec: Json): Json => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'default', labels: {}, annotations: {} },
  spec,
  source: { file: 't.yaml', line: 1, dir: '/' },
  createdAt: '2026-01-01T00:00:00Z',
})

t.test('xds:///service resolves to a pod without a sidecar, balances over two, and follows routes', async (t) => {
  const rig = await Rig.open([])
  t.teardown(() => rig.close())
  await rig.stopServer()
  const store = new MemoryStore()
  const registry = new Registry({ store, trustDomain: TRUST_DOMAIN, clock: systemClock })
  const tls = serverCredentials({ ca: rig.ca, requireClientCertificate: true })
  const source = { snapshot: () => registry.snapshot(), onChange: registry.onChange.bind(registry), translate }
  const ads = new AdsServer({ socket: rig.socket, credentials: tls.credentials, source, log, clock: systemClock })
  await ads.start()
  t.teardown(async () => {
    await ads.close()
    tls.close()
    registry.close()
  })

  const credential = rig.credential().current()
  const sockets = new Set<Socket>()
  const relay = createTcpServer((plain) => {
    const options = clientTlsOptions(credential, {
      sni: 'localhost',
      alpn: ['h2'],
      allowedIds: new Set([rig.ca.serverId]),
    })
    const secure = tlsConnect({ ...options, path: rig.socket })
    for (const [from, to] of [
      [plain, secure],
      [secure, plain],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy()).on('close', () => to.destroy())
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const s of sockets) s.destroy()
    relay.close()
  })

  const [one, two] = [await whoServer('one'), await whoServer('two')]
  t.teardown(() => {
    one.server.forceShutdown()
    two.server.forceShutdown()
  })
  const service = {
    selector: { app: 'service' },
    ports: [{ name: 'grpc', port: SERVICE_PORT, targetPort: SERVICE_PORT, protocol: 'TCP' }],
  }
  await store.commit([
    { key: 'objects/Service/default/service', value: object('Service', 'service', 'v1', service) },
    { key: 'pods/default/client', value: pod('client', 'default', false) as unknown as Json },
    { key: 'pods/default/one', value: serverPod('one', one.port) as unknown as Json },
  ])

  process.env['GRPC_XDS_BOOTSTRAP_CONFIG'] = JSON.stringify({
    xds_servers: [
      {
        server_uri: `127.0.0.1:${(relay.address() as AddressInfo).port}`,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3'],
      },
    ],
    node: {
      id: 'sidecar~127.0.0.1~client.default~default.svc.cluster.local',
      cluster: 'client',
      locality: {},
      metadata: { GENERATOR: 'grpc' },
    },
  })
  register()
  const client = new grpc.Client(
    `xds:///service.default.svc.cluster.local:${SERVICE_PORT}`,
    grpc.credentials.createInsecure(),
  )
  t.teardown(() => client.close())
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      const deadline = Date.now() + 20_000
      client.makeUnaryRequest(
        WHO.path,
        text.requestSerialize,
        text.responseDeserialize,
        'who?',
        { deadline },
        (e, who) => (e ? reject(e) : resolve(who ?? '')),
      )
    })
  t.equal(await ask(), 'one')
  t.match(ads.status(), [
    { name: 'client.default', types: { LDS: { state: 'SYNCED', resources: 1 }, NDS: { state: 'IGNORED' } } },
  ])

  const second = await store.commit([
    { key: 'pods/default/two', value: serverPod('two', two.port, 'v2') as unknown as Json },
  ])
  t.match(await ads.waitForDelivery(second.ok ? second.revision : 0, 5000), { proxies: 1, acked: 1, pending: [] })
  const answers = new Set<string>()
  while (answers.size < 2) answers.add(await ask())
  t.same([...answers].sort(), ['one', 'two'])

  const subsets = [{ name: 'v2', labels: { version: 'v2' } }]
  const destination = { host: 'service', subset: 'v2' }
  const routed = await store.commit([
    {
      key: 'objects/DestinationRule/default/service',
      value: object('DestinationRule', 'service', 'networking.istio.io/v1', { host: 'service', subsets }),
    },
    {
      key: 'objects/VirtualService/default/service',
      value: object('VirtualService', 'service', 'networking.istio.io/v1', {
        hosts: ['service'],
        http: [{ route: [{ destination }] }],
      }),
    },
  ])
  t.match(await ads.waitForDelivery(routed.ok ? routed.revision : 0, 5000), { nacks: [], pending: [] })
  for (let inRow = 0; inRow < 20;) inRow = (await ask()) === 'two' ? inRow + 1 : 0
  t.pass('all calls go to the subset')
})
