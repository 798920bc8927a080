/** HTTP/2 through one and two data planes, with Node's own client and server, and gRPC's, at the ends. */
import * as grpc from '@grpc/grpc-js'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import * as wire from '../helpers/h2-wire.ts'
import {
  createPlane,
  exchangeBytes,
  forward,
  httpListener,
  listen,
  type Plane,
  routes,
  speaking,
  staticCluster,
} from '../helpers/data-plane.ts'
import { H2Peer } from '../helpers/h2-peer.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { meshSocket, spiffeId } from '../helpers/credentials.ts'
import { type MeshPair, meshPair, type MeshPairInit } from '../helpers/mesh-pair.ts'

/** Two sidecars with an HTTP/2 link between them; the second speaks `app` to the application. */
async function pair(
  t: Test,
  appPort: number,
  app: 'http1' | 'http2' | 'client',
  more: MeshPairInit = {},
): Promise<MeshPair> {
  const made = await meshPair(appPort, { link: 'auto', app, ...more })
  t.teardown(made.close)
  return made
}

async function http1App(t: Test, handler: http.RequestListener): Promise<number> {
  const app = http.createServer(handler)
  t.teardown(() => {
    app.closeAllConnections()
    app.close()
  })
  return listen(app)
}

async function http2App(
  t: Test,
  handler: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
): Promise<number> {
  const sessions = new Set<http2.ServerHttp2Session>()
  const app = http2.createServer({ settings: { enableConnectProtocol: true } })
  app.on('session', (session) => void sessions.add(session))
  app.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    handler(stream, headers)
  })
  t.teardown(() => {
    for (const session of sessions) session.destroy()
    app.close()
  })
  return listen(app)
}

function connect(t: Test, port: number): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  return session
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

interface Answer {
  headers: http2.IncomingHttpHeaders
  trailers: http2.IncomingHttpHeaders
  body: Buffer
}

function ask(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      { ':path': '/', ':authority': 'server', ...headers },
      { endStream: body === undefined },
    )
    const answer: Answer = { headers: {}, trailers: {}, body: Buffer.alloc(0) }
    const chunks: Buffer[] = []
    stream.on('response', (h) => (answer.headers = h))
    stream.on('trailers', (h) => (answer.trailers = h))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => resolve({ ...answer, body: Buffer.concat(chunks) }))
    if (body !== undefined) stream.end(body)
  })
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

void t.test('HTTP/1.1 and HTTP/2 in every combination, bodies both ways', async (t) => {
  const echo1: http.RequestListener = (req, res) => {
    res.setHeader('x-seen', `${req.httpVersion} ${req.method} ${req.url} ${req.headers.host}`)
    req.pipe(res)
  }
  const onto1 = await pair(t, await http1App(t, echo1), 'http1')
  const onto2 = await pair(
    t,
    await http2App(t, (stream, h) => {
      stream.respond({ 'x-seen': `2.0 ${h[':method']} ${h[':path']} ${h[':authority']}` })
      stream.pipe(stream)
    }),
    'http2',
  )
  for (const [rig, seen] of [
    [onto1, '1.1'],
    [onto2, '2.0'],
  ] as const) {
    const session = connect(t, rig.port)
    for (const size of [0, 1, 1000, 16_384, 70_000, 3_000_000]) {
      const body = randomBytes(size)
      const answer = await ask(session, { ':method': 'POST', ':path': `/p?${size}` }, body)
      t.equal(answer.headers['x-seen'], `${seen} POST /p?${size} server`)
      t.equal(sha(answer.body), sha(body))
      const response = await fetch(`http://127.0.0.1:${rig.port}/p?${size}`, { method: 'POST', body })
      t.equal(response.headers.get('x-seen')?.startsWith(`${seen} POST /p?${size}`), true)
      t.equal(sha(Buffer.from(await response.arrayBuffer())), sha(body))
    }
    const many = await Promise.all(Array.from({ length: 80 }, (_, i) => ask(session, { ':path': `/${i}` })))
    t.same(
      many.map((a) => a.headers[':status']),
      Array(80).fill(200),
    )
    t.match(await rig.client.records.at(0), { httpVersion: 'HTTP/2', upstreamPrincipal: spiffeId('server') })
    t.match(await rig.server.records.at(0), { httpVersion: 'HTTP/2', downstreamPrincipal: spiffeId('client') })
    t.equal(rig.client.plane.clusterStats()[0]!.endpoints[0]!.connections, 1, 'all share one link')
  }
})

void t.test('who speaks what to the application: by the version its client began with', async (t) => {
  // one port that takes both, as a program with an auto port may
  const h1 = http.createServer((req, res) => res.end(req.httpVersion))
  const h2 = http2.createServer((_req, res) => res.end('2.0'))
  const both = net.createServer((socket) => {
    socket.once('data', (chunk) => {
      socket.pause()
      socket.unshift(chunk)
      ;(chunk.toString('latin1').startsWith('PRI') ? h2 : h1).emit('connection', socket)
      process.nextTick(() => socket.resume())
    })
  })
  const sockets = new Set<net.Socket>()
  both.on('connection', (socket) => void sockets.add(socket))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    both.close()
  })
  const { port } = await pair(t, await listen(both), 'client')
  t.equal((await ask(connect(t, port), {})).body.toString(), '2.0')
  t.match(await exchangeBytes(port, 'GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n'), /1\.1$/)
})

void t.test('trailers pass where both ends take them', async (t) => {
  const port2 = await http2App(t, (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc', 'content-length': '1' }))
    stream.end('body')
  })
  const rig = await pair(t, port2, 'http2')
  const answer = await ask(connect(t, rig.port), {})
  t.equal(answer.trailers['x-sum'], 'abc')
  const request = 'GET / HTTP/1.1\r\nHost: server\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n'
  t.match(await exchangeBytes(rig.port, request), /\r\n0\r\nx-sum: abc\r\n\r\n$/)
  t.match(await exchangeBytes(rig.port, request.replace('TE: trailers\r\n', '')), /\r\n0\r\n\r\n$/)
})

const WEBSOCKET =
  'GET /ws HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

void t.test('WebSocket over the link, from HTTP/1.1 and from HTTP/2', async (t) => {
  const app = http.createServer()
  app.on('upgrade', (req, socket) => {
    const accept = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\nhello`,
    )
    socket.pipe(socket)
  })
  const { port, client } = await pair(t, await listen(app), 'http1')
  t.teardown(() => app.close())
  const text = await exchangeBytes(port, `${WEBSOCKET}ping`, true)
  t.match(text, /^HTTP\/1\.1 101 [^]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=[^]*\r\n\r\nhelloping$/)
  t.match(await client.records.at(0), { responseCode: 101, bytesReceived: 4, bytesSent: 9 })
  const stream = connect(t, port).request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws',
    ':authority': 'server',
    'sec-websocket-version': '13',
  })
  stream.setEncoding('utf8')
  stream.write('over h2')
  let got = ''
  for await (const chunk of stream) {
    got += String(chunk)
    if (got === 'helloover h2') stream.end()
  }
  t.equal(got, 'helloover h2')
})

const ENABLE_CONNECT_PROTOCOL = 8

/** A sidecar before an HTTP/2 server of which only bytes are known. */
async function before(t: Test, app: (socket: net.Socket) => void): Promise<Plane & { http: number }> {
  const server = net.createServer((socket) => app(socket.on('error', () => {})))
  const made = createPlane('client')
  made.plane.setClusters([speaking('http2', staticCluster('app', await listen(server)))])
  t.same(await made.plane.setListeners([httpListener('out', { routeConfig: routes('r', forward('app')) })]), [])
  t.teardown(async () => {
    await made.plane.drain(0)
    server.close()
  })
  return { ...made, http: made.port('out') }
}

/** Says that a stream is answered by 200, and no more. */
const OK = Buffer.of(0x88)

void t.test('an upgrade is sent only to a peer that takes extended CONNECT', async (t) => {
  let streams = 0
  const { http: port, records } = await before(t, (socket) => {
    const reader = new wire.FrameReader(wire.PREFACE.length)
    socket.write(wire.settings())
    socket.on('data', (chunk: Buffer) => {
      for (const { type, stream } of reader.push(chunk)) {
        if (type !== wire.FRAME.HEADERS) continue
        streams++
        socket.write(wire.headers(stream, OK))
      }
    })
  })
  const answer = await exchangeBytes(
    port,
    WEBSOCKET + WEBSOCKET.replace(/Connection.*\r\nUpgrade/, 'Connection: close\r\nX'),
  )
  t.match(answer, /^HTTP\/1\.1 503 [^]*reset reason: extended CONNECT not supported[^]*HTTP\/1\.1 200 /)
  t.equal(streams, 1, 'the plain request only')
  t.match(await records.at(0), {
    responseFlags: 'UR',
    responseCodeDetails: 'upstream_reset_before_response_started{extended_connect_not_supported}',
  })
})

void t.test('an upgrade waits for the SETTINGS that say whether it may go', async (t) => {
  const seen: number[] = []
  let connections = 0
  let tell: () => void = () => {}
  const { http: port } = await before(t, (socket) => {
    connections++
    const reader = new wire.FrameReader(wire.PREFACE.length)
    tell = () => socket.write(wire.settings([ENABLE_CONNECT_PROTOCOL, 1]))
    socket.on('data', (chunk: Buffer) => {
      for (const { type, stream } of reader.push(chunk)) {
        if (type !== wire.FRAME.HEADERS) continue
        seen.push(stream)
        if (seen.length === 3)
          socket.write(Buffer.concat([wire.headers(stream, OK, false), wire.data(stream, 'hello', true)]))
      }
    })
  })
  const tunnel = exchangeBytes(port, WEBSOCKET, true)
  // behind it on the same link, and there before it
  const session = connect(t, port)
  for (const path of ['/1', '/2']) session.request({ ':path': path, ':authority': 'server' }).on('error', () => {})
  while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve))
  t.equal(connections, 1)
  tell()
  t.match(await tunnel, /^HTTP\/1\.1 101 [^]*\r\n\r\nhello$/)
  t.same(seen, [1, 3, 5])
})

void t.test('hundreds of cancelled requests in one TLS read are taken in order', async (t) => {
  const { server } = await pair(t, await http1App(t, (_req, res) => res.end('ok')), 'http1')
  const socket = meshSocket(server.port('in'), 'istio-h2')
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  socket.setMaxSendFragment(4096) // several records to one read, each with more than has its turn at once
  const get = wire.block(wire.requestFields('GET', '/'))
  const cancelled = Array.from({ length: 300 }, (_, i) => [wire.headers(2 * i + 1, get), wire.reset(2 * i + 1, 8)])
  socket.write(Buffer.concat([wire.PREFACE, wire.settings(), ...cancelled.flat(), wire.headers(601, get)]))
  let last = ''
  for await (const { type, stream, payload } of wire.framesOf(socket)) {
    if (type === wire.FRAME.GOAWAY) last = `GOAWAY ${payload.readUInt32BE(4)} ${payload.toString('latin1', 8)}`
    if (type === wire.FRAME.DATA && stream === 601) last = payload.toString()
    if (last !== '') break
  }
  t.equal(last, 'ok')
})

void t.test(
  'an upgrade that is answered as a plain request opens no tunnel, and hides no request behind it',
  async (t) => {
    const seen: string[] = []
    const app = http.createServer((req, res) => {
      seen.push(`${req.method} ${req.url}`)
      res.end('not here')
    })
    const { port } = await pair(t, await listen(app), 'http1')
    t.teardown(() => app.close())
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    const text = await exchangeBytes(
      port,
      `GET /ws HTTP/1.1\r\nHost: server\r\n${upgrade}Sec-WebSocket-Version: 13\r\n\r\n` +
        'GET /next HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n',
    )
    t.match(text, /^HTTP\/1\.1 501 [^]*not here[^]*HTTP\/1\.1 200 [^]*not here$/)
    t.same(seen, ['GET /ws', 'GET /next'])
  },
)

const raw = { serialize: (b: Buffer) => b, deserialize: (b: Buffer) => b }
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: raw.serialize,
  requestDeserialize: raw.deserialize,
  responseSerialize: raw.serialize,
  responseDeserialize: raw.deserialize,
})
const SERVICE = {
  unary: method('/t.T/unary', false, false),
  down: method('/t.T/down', false, true),
  up: method('/t.T/up', true, false),
  both: method('/t.T/both', true, true),
  hang: method('/t.T/hang', false, false),
}

void t.test('gRPC: unary and all kinds of streams, status, deadline, cancellation', async (t) => {
  const server = new grpc.Server()
  let cancelled: () => void = () => {}
  const sawCancel = new Promise<void>((resolve) => (cancelled = resolve))
  const deadlines: (grpc.Deadline | undefined)[] = []
  server.addService(SERVICE, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
      call.request.length === 3
        ? done({ code: grpc.status.NOT_FOUND, details: 'nicht da: 100 %' })
        : done(null, call.request),
    down: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let i = 0; i < 50; i++) call.write(Buffer.alloc(2000, i))
      call.end()
    },
    up: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let bytes = 0
      call.on('data', (b: Buffer) => (bytes += b.length))
      call.on('end', () => done(null, Buffer.from(String(bytes))))
    },
    both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
      void call.on('data', (b: Buffer) => call.write(b)).on('end', () => call.end()),
    hang: (call: grpc.ServerUnaryCall<Buffer, Buffer>) => {
      deadlines.push(call.getDeadline())
      call.on('cancelled', cancelled)
    },
  })
  const appPort = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  )
  t.teardown(() => server.forceShutdown())
  const rig = await pair(t, appPort, 'http2')
  const Client = grpc.makeGenericClientConstructor(SERVICE, 'T')
  const client = new Client(`127.0.0.1:${rig.port}`, grpc.credentials.createInsecure())
  t.teardown(() => client.close())
  const unary = (name: string, body: Buffer, options = {}): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client[name]!(body, options, (error: Error | null, reply: Buffer) =>
        error === null ? resolve(reply) : reject(error),
      )
    })
  const big = randomBytes(500_000)
  t.equal(sha(await unary('unary', big)), sha(big), 'a message over many frames')
  await t.rejects(unary('unary', Buffer.alloc(3)), { code: grpc.status.NOT_FOUND, details: 'nicht da: 100 %' })
  t.match(await rig.client.records.at(1), { protocol: 'grpc', responseCode: 200, grpcStatus: '5' })
  let down = 0
  for await (const chunk of client['down']!(Buffer.alloc(1))) down += (chunk as Buffer).length
  t.equal(down, 100_000)
  const up = await new Promise<Buffer>((resolve, reject) => {
    const call = client['up']!((error: Error | null, reply: Buffer) =>
      error === null ? resolve(reply) : reject(error),
    )
    for (let i = 0; i < 20; i++) call.write(Buffer.alloc(10_000))
    call.end()
  })
  t.equal(up.toString(), '200000')
  const both = client['both']!()
  const sink = new PassThrough({ objectMode: true })
  both.pipe(sink)
  for (let i = 0; i < 5; i++) {
    both.write(Buffer.from(`m${i}`))
    t.equal(String(await new Promise((resolve) => sink.once('data', resolve))), `m${i}`)
  }
  both.end()
  await new Promise((resolve) => both.once('status', resolve))
  await t.rejects(unary('hang', Buffer.alloc(1), { deadline: Date.now() + 200 }), {
    code: grpc.status.DEADLINE_EXCEEDED,
  })
  await sawCancel
  t.equal(deadlines.length, 1)
  t.not(deadlines[0], Infinity, 'the deadline travels')
})

void t.test('errors of the proxy are trailers-only answers to a gRPC client', async (t) => {
  const { plane, port } = createPlane('client')
  plane.setClusters([speaking('http2', staticCluster('dead', 1))])
  await plane.setListeners([httpListener('out', { routeConfig: routes('r', forward('dead')) })])
  t.teardown(() => plane.drain(0))
  const answer = await ask(
    connect(t, port('out')),
    { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' },
    Buffer.alloc(5),
  )
  t.match(answer.headers, { ':status': 200, 'grpc-status': '14', 'content-type': 'application/grpc' })
  t.match(answer.headers['grpc-message'], /upstream connect error/)
  t.equal(answer.body.length, 0)
})

void t.test('the text of a direct response is whole whatever its letters, by each protocol', async (t) => {
  const text = 'Grüße: 100 % 🎈'
  const made = createPlane('client')
  const direct = { name: 'own', match: { prefix: '/' }, directResponse: { status: 404, body: { inlineString: text } } }
  await made.plane.setListeners([httpListener('out', { routeConfig: routes('r', direct) })])
  t.teardown(() => made.plane.drain(0))
  const port = made.port('out')
  const length = Buffer.byteLength(text)
  const wire1 = await exchangeBytes(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const [head = '', body = ''] = wire1.split('\r\n\r\n')
  t.match(head, new RegExp(`content-length: ${length}\\b`))
  t.equal(Buffer.from(body, 'latin1').toString(), text)
  const session = connect(t, port)
  const answer = await ask(session, {})
  t.match(answer.headers, { ':status': 404, 'content-length': String(length) })
  t.equal(answer.body.toString(), text)
  const call = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
  const { headers } = await ask(session, call, Buffer.alloc(5))
  t.equal(decodeURIComponent(String(headers['grpc-message'])), text)
  t.same(
    made.records.ended.map((x) => x.bytesSent),
    [length, length, 0],
  )
})

void t.test('a client that resets a stream takes only its own request with it', async (t) => {
  let closed = 0
  const app = http.createServer((req, res) => {
    if (req.url !== '/hang') res.end('ok')
    else req.on('close', () => void closed++)
  })
  const { port, client } = await pair(t, await listen(app), 'http1')
  t.teardown(() => {
    app.closeAllConnections()
    app.close()
  })
  const session = connect(t, port)
  const hanging = Array.from({ length: 20 }, () => session.request({ ':path': '/hang', ':authority': 'server' }))
  for (const stream of hanging) stream.on('error', () => {})
  t.equal((await ask(session, {})).headers[':status'], 200)
  for (const stream of hanging) stream.close(http2.constants.NGHTTP2_CANCEL)
  await client.records.at(20)
  // oxlint-disable-next-line no-unmodified-loop-condition -- its handler counts
  while (closed < 20) await new Promise((resolve) => setImmediate(resolve))
  t.equal((await ask(session, {})).body.toString(), 'ok')
  t.same(
    client.records.ended.map((x) => x.responseFlags).filter((f) => f !== ''),
    Array(20).fill('DC'),
  )
})

void t.test('an application that counts resets sees them on more than one connection', async (t) => {
  const resets = new Map<http2.Http2Session, number>()
  let started = 0
  let ended = 0
  const { port } = await pair(
    t,
    await http2App(t, (stream, headers) => {
      if (headers[':path'] === '/plain') {
        stream.respond()
        stream.end('ok')
        return
      }
      const { session } = stream
      started++
      stream.on('close', () => {
        ended++
        resets.set(session!, (resets.get(session!) ?? 0) + 1)
      })
    }),
    'http2',
  )
  const session = connect(t, port)
  const rounds = 30
  for (let round = 1; round <= rounds; round++) {
    const calls = Array.from({ length: 50 }, () => session.request({ ':path': '/', ':authority': 'server' }))
    for (const call of calls) call.on('error', () => {})
    await until(() => started === round * 50)
    for (const call of calls) call.close(http2.constants.NGHTTP2_CANCEL)
    await until(() => ended === round * 50)
    t.equal((await ask(session, { ':path': '/plain' })).body.toString(), 'ok')
  }
  const counts = [...resets.values()]
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    rounds * 50,
  )
  t.ok(Math.max(...counts) < 1000, `no more than nghttp2 takes: ${counts.join()}`)
})

void t.test('many callers who cancel much do not use up what another sidecar takes of one link', async (t) => {
  const hanging: http.ServerResponse[] = []
  const appPort = await http1App(t, (req, res) => void (req.url === '/hang' ? hanging.push(res) : res.end('ok')))
  // its budgets are not filled up again
  const { port } = await pair(t, appPort, 'http1', { server: { clock: new ManualClock() } })
  const session = connect(t, port)
  const hang = ask(session, { ':path': '/hang' })
  await until(() => hanging.length === 1)
  const numCallers = 6
  const perCaller = 4000
  const get = wire.block(wire.requestFields('GET', '/'))
  for (let i = 0; i < numCallers; i++) {
    const caller = H2Peer.connect(t, port)
    for (let k = 0; k < perCaller; k++) caller.send(wire.headers(2 * k + 1, get), wire.reset(2 * k + 1, 8))
    await caller.heard()
  }
  hanging[0]!.end('still here')
  t.equal((await hang).body.toString(), 'still here')
  t.equal((await ask(session, {})).body.toString(), 'ok')
})

void t.test('a drain lets streams finish, and tells the client', async (t) => {
  const asked: http.ServerResponse[] = []
  const appPort = await http1App(t, (_req, res) => void asked.push(res))
  const { port, client } = await pair(t, appPort, 'http1')
  const session = connect(t, port)
  let goaway = false
  session.on('goaway', () => (goaway = true))
  const under = ask(session, {})
  await new Promise<void>((resolve) => {
    const wait = (): void =>
      void (client.plane.clusterStats()[0]!.endpoints[0]!.activeRequests > 0 ? resolve() : setImmediate(wait))
    wait()
  })
  while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const drained = client.plane.drain(10_000)
  setTimeout(() => asked[0]!.end('late'), 50)
  t.equal((await under).body.toString(), 'late')
  await drained
  t.ok(goaway)
})
