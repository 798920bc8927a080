/**
 * gRPC end to end: grpc-js as client and server, two sidecars with one mTLS link between them. All kinds of calls,
 * deadlines, cancellation, messages that span frames and are never buffered, what the proxy answers by itself.
 */
import grpc from '@grpc/grpc-js'
import http2 from 'node:http2'
import t, { type Test } from 'tap'
import { requireTool } from '../../helpers/tools.ts'
import { get, type RunningProxy } from '../standalone/rig.ts'
import { listen } from './apps.ts'
import { type App, LINK, type Site, startSite } from './rig.ts'

const bytes = { serialize: (b: Buffer) => b, deserialize: (b: Buffer) => b }
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Peer/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
})
const SERVICE = {
  unary: method('Unary', false, false),
  down: method('Down', false, true),
  up: method('Up', true, false),
  both: method('Both', true, true),
  hang: method('Hang', false, false),
}

const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'
const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router'
const denied = { permissions: [{ url_path: { path: { exact: '/test.Peer/Denied' } } }], principals: [{ any: true }] }
const ONE_AT_A_TIME = { circuit_breakers: { thresholds: [{ max_requests: 1 }] } }
const FILTERS = [
  { name: 'rbac', typed_config: { '@type': RBAC, rules: { action: 'DENY', policies: { denied } } } },
  { name: 'router', typed_config: { '@type': ROUTER } },
]

/** Server: echoes; `down` sends as many messages as the request says; `hang` tells of each call and of its end. */
class Peer {
  port = 0
  started = 0
  cancelled = 0
  onCancel: () => void = () => {}
  readonly deadlinesMs: number[] = []
  readonly server = new grpc.Server()

  async start(t: Test): Promise<this> {
    this.server.addService(SERVICE, {
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        if (String(call.request) === 'missing') done({ code: grpc.status.NOT_FOUND, details: 'nicht da: 100 %' })
        else done(null, call.request)
      },
      down: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        for (let i = 0; i < Number(call.request); i++) call.write(Buffer.alloc(3000, i))
        call.end()
      },
      up: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        let sum = 0
        call.on('data', (message: Buffer) => (sum += message.length)).on('end', () => done(null, Buffer.from(`${sum}`)))
      },
      both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
        void call.on('data', (message: Buffer) => call.write(message)).on('end', () => call.end()),
      hang: (call: grpc.ServerUnaryCall<Buffer, Buffer>) => {
        this.started++
        this.deadlinesMs.push(Number(call.getDeadline()) - Date.now())
        call.on('cancelled', () => {
          this.cancelled++
          this.onCancel()
        })
      },
    })
    const credentials = grpc.ServerCredentials.createInsecure()
    this.port = await new Promise((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    )
    t.teardown(() => this.server.forceShutdown())
    return this
  }
}

interface Caller {
  unary: (name: keyof typeof SERVICE, body: Buffer | string, options?: grpc.CallOptions) => Promise<Buffer>
  /** Its call, to be cancelled; rejects with its status. */
  start: (name: keyof typeof SERVICE) => { call: grpc.ClientUnaryCall; ended: Promise<number> }
  client: grpc.Client
}

/** `more`: of its channel; callers whose options differ share no connection. */
function caller(t: Test, port: number, more: grpc.ChannelOptions = {}): Caller {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), more)
  t.teardown(() => client.close())
  const run = (
    name: keyof typeof SERVICE,
    body: Buffer,
    options: grpc.CallOptions,
    done: grpc.requestCallback<Buffer>,
  ) =>
    client.makeUnaryRequest(
      SERVICE[name].path,
      bytes.serialize,
      bytes.deserialize,
      body,
      new grpc.Metadata(),
      options,
      done,
    )
  return {
    client,
    unary: (name, body, options = {}) =>
      new Promise((resolve, reject) => {
        run(name, Buffer.from(body), options, (error, reply) => (error === null ? resolve(reply!) : reject(error)))
      }),
    start: (name) => {
      let end: (code: number) => void = () => {}
      const ended = new Promise<number>((resolve) => (end = resolve))
      const call = run(name, Buffer.from('x'), {}, (error) => end(error?.code ?? 0))
      return { call, ended }
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? NaN

if (requireTool(t, 'openssl')) {
  void t.test('grpc-js through sidecars', async (t) => {
    const peer = await new Peer().start(t)
    const apps: App[] = [
      { name: 'grpc', port: peer.port, speaks: 'http2' },
      { name: 'raw', port: await listen(t, http2.createServer().on('stream', halfMessage)), speaks: 'http2' },
      { name: 'dead', port: 1, speaks: 'http2' },
      { name: 'one-at-a-time', port: peer.port, speaks: 'http2', cluster: ONE_AT_A_TIME },
    ]
    const site = await startSite(t, apps, { manager: { http_filters: FILTERS } })
    for (const hops of LINK)
      await t.test(`all kinds of calls, ${hops}`, (t) => allKinds(t, caller(t, site.port('grpc', hops)), peer))
    await t.test('a streamed half of a message arrives before the rest is sent', (t) => neverBuffered(t, site))
    await t.test('cancellation', (t) => cancellation(t, caller(t, site.port('grpc', 'two sidecars')), peer))
    await t.test('5,000 cancelled calls hurt nobody', (t) => manyCancelled(t, site, peer))
    await t.test('what sidecars answer by themselves', (t) => localErrors(t, site, peer))
  })
}

async function allKinds(t: Test, { unary, client }: Caller, peer: Peer): Promise<void> {
  for (const size of [0, 1, 16_379, 16_380, 100_000, 3_000_000]) {
    const body = Buffer.alloc(size, 'abc')
    t.ok((await unary('unary', body)).equals(body), `a message of ${size} bytes`)
  }
  await t.rejects(
    unary('unary', 'missing'),
    { code: grpc.status.NOT_FOUND, details: 'nicht da: 100 %' },
    'trailers-only',
  )
  const metadata = new grpc.Metadata()
  let messages = 0
  const down = client.makeServerStreamRequest(
    SERVICE.down.path,
    bytes.serialize,
    bytes.deserialize,
    Buffer.from('200'),
    metadata,
  )
  for await (const message of down) messages += (message as Buffer).length / 3000
  t.equal(messages, 200)
  const sum = await new Promise<Buffer | undefined>((resolve, reject) => {
    const up = client.makeClientStreamRequest(
      SERVICE.up.path,
      bytes.serialize,
      bytes.deserialize,
      metadata,
      (error, reply) => (error === null ? resolve(reply as Buffer) : reject(error)),
    )
    for (let i = 0; i < 100; i++) up.write(Buffer.alloc(5000))
    up.end()
  })
  t.equal(String(sum), '500000')
  const both = client.makeBidiStreamRequest(SERVICE.both.path, bytes.serialize, bytes.deserialize, metadata)
  for (let i = 0; i < 20; i++) {
    both.write(Buffer.from(`message ${i}`))
    const reply = await new Promise<Buffer>((resolve) => both.once('data', resolve))
    t.equal(String(reply), `message ${i}`)
  }
  both.end()
  await new Promise((resolve) => both.once('status', resolve))
  const before = peer.cancelled
  const late = unary('hang', 'x', { deadline: Date.now() + 300 })
  await t.rejects(late, { code: grpc.status.DEADLINE_EXCEEDED })
  while (peer.cancelled === before) await turn()
  t.ok(peer.deadlinesMs.at(-1)! <= 300, 'the deadline travels')
}

/** Sends on what comes, as it comes. */
function halfMessage(stream: http2.ServerHttp2Stream): void {
  stream.on('error', () => {}).respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('data', (chunk: Buffer) => stream.write(chunk)).on('end', () => stream.end())
}

async function neverBuffered(t: Test, site: Site): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${site.port('raw', 'two sidecars')}`)
  t.teardown(() => session.destroy())
  const stream = session.request({
    ':method': 'POST',
    ':path': '/test.Peer/Both',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const prefix = Buffer.from([0, 0, 0, 0, 100])
  const got = { bytes: 0 }
  stream.on('data', (chunk: Buffer) => (got.bytes += chunk.length))
  for (const part of [prefix.subarray(0, 3), prefix.subarray(3), Buffer.alloc(50), Buffer.alloc(49), Buffer.alloc(1)]) {
    const wanted = got.bytes + part.length
    stream.write(part)
    while (got.bytes < wanted) await turn()
  }
  const trailers = new Promise<http2.IncomingHttpHeaders>((resolve) => stream.once('trailers', resolve))
  stream.end()
  t.equal((await trailers)['grpc-status'], '0')
}

async function cancellation(t: Test, { start }: Caller, peer: Peer): Promise<void> {
  const tookMs: number[] = []
  for (let i = 0; i < 50; i++) {
    const { started } = peer
    const { call, ended } = start('hang')
    while (peer.started === started) await turn()
    const seen = new Promise<void>((resolve) => (peer.onCancel = resolve))
    const fromMs = performance.now()
    call.cancel()
    await seen
    tookMs.push(performance.now() - fromMs)
    t.equal(await ended, grpc.status.CANCELLED)
  }
  t.comment(`median ${median(tookMs).toFixed(2)} ms, longest ${Math.max(...tookMs).toFixed(2)} ms`)
}

async function manyCancelled(t: Test, site: Site, peer: Peer): Promise<void> {
  const port = site.port('grpc', 'two sidecars')
  const before = peer.cancelled
  const witness = caller(t, port)
  const chat = witness.client.makeBidiStreamRequest(
    SERVICE.both.path,
    bytes.serialize,
    bytes.deserialize,
    new grpc.Metadata(),
  )
  const failures: unknown[] = []
  chat.on('error', (error) => failures.push(error))
  let over = false
  let calls = 0
  const working = (async () => {
    // oxlint-disable-next-line no-unmodified-loop-condition -- set below
    while (!over) {
      const word = `word ${calls++}`
      const reply = new Promise<string>((resolve) => chat.once('data', (b: Buffer) => resolve(String(b))))
      chat.write(Buffer.from(word))
      if ((await reply) !== word) failures.push(word)
      const unary = await witness.unary('unary', word)
      if (String(unary) !== word) failures.push(unary)
    }
  })()
  // callers enough that no stranger's budget is used up between an application and its own sidecar
  const callers = Array.from({ length: 10 }, (_, i) => caller(t, port, { 'grpc.caller': i }))
  for (let round = 0; round < 100; round++) {
    const { started } = peer
    const all = Array.from({ length: 50 }, (_, i) => callers[i % callers.length]!.start('hang'))
    while (peer.started < started + 50) await turn()
    for (const { call } of all) call.cancel()
    await Promise.all(all.map(({ ended }) => ended))
  }
  while (peer.cancelled < before + 5000) await turn()
  over = true
  await working
  chat.end()
  t.same(failures, [])
  t.ok(calls > 10, `${calls} calls beside them`)
  t.equal(await linksOf(site.near, 'link-grpc'), 1, 'over one link')
}

async function linksOf(proxy: RunningProxy, name: string): Promise<number> {
  const { body } = await get(proxy.ports.get('admin') ?? 0, '/clusters?format=json')
  const { clusterStatuses } = JSON.parse(body) as {
    clusterStatuses: { name: string; endpoints: { connections: number }[] }[]
  }
  return clusterStatuses.find((one) => one.name === name)?.endpoints[0]?.connections ?? NaN
}

async function localErrors(t: Test, site: Site, peer: Peer): Promise<void> {
  const raw = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
  const ask = async (app: string, path: string, more = {}): Promise<Record<string, unknown>> => {
    const session = http2.connect(`http://127.0.0.1:${site.port(app, 'two sidecars')}`)
    t.teardown(() => session.destroy())
    const stream = session.request({ ...raw, ':path': path, ':authority': 'a', ...more })
    let head: http2.IncomingHttpHeaders = {}
    let bytes = 0
    stream.on('response', (h) => (head = h)).on('data', (chunk: Buffer) => (bytes += chunk.length))
    stream.end(Buffer.from([0, 0, 0, 0, 1, 120]))
    await new Promise((resolve) => stream.on('close', resolve))
    return { ...head, bytes }
  }
  const trailersOnly = { ':status': 200, 'content-type': 'application/grpc', bytes: 0 }
  t.match(await ask('dead', '/test.Peer/Unary'), { ...trailersOnly, 'grpc-status': '14' }, 'no upstream')
  t.match(await ask('grpc', '/test.Peer/Denied'), { ...trailersOnly, 'grpc-status': '7' }, 'RBAC')
  t.match(
    await ask('grpc', '/test.Peer/Hang', { 'grpc-timeout': '100m' }),
    { ...trailersOnly, 'grpc-status': '4' },
    'a deadline',
  )
  const busy = caller(t, site.port('one-at-a-time', 'two sidecars'))
  const { started } = peer
  const { call } = busy.start('hang')
  while (peer.started === started) await turn()
  t.match(await ask('one-at-a-time', '/test.Peer/Unary'), { ...trailersOnly, 'grpc-status': '8' }, 'overload')
  call.cancel()
}
