import http from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import { credential } from '../../helpers/credentials.ts'
import {
  createPlane,
  exchangeBytes,
  forward,
  httpListener,
  listen,
  meshCluster,
  routes,
  staticCluster,
  TestCredentials,
  weighted,
} from '../../helpers/data-plane.ts'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'

/** A plane with one outbound listener in front of `handler`. */
async function front(test: Test, handler: http.RequestListener, action: object = {}) {
  const app = http.createServer(handler)
  const appPort = await listen(app)
  const { plane, records, port } = createPlane()
  plane.setClusters([staticCluster('outbound|8080||app.default.svc.cluster.local', appPort)])
  plane.setRoutes([routes('8080', forward('outbound|8080||app.default.svc.cluster.local', {}, action))])
  t.same(await plane.setListeners([httpListener('http', { rds: '8080' })]), [])
  test.teardown(async () => {
    await plane.drain(0)
    app.closeAllConnections()
    app.close()
  })
  return { app, appPort, plane, records, port: port('http') }
}

void t.test('a GET goes through and back', async (t) => {
  const seen: http.IncomingHttpHeaders[] = []
  const { port, records } = await front(t, (req, res) => {
    seen.push(req.headers)
    res.setHeader('x-app', 'yes')
    res.end(`hello ${req.method} ${req.url}`)
  })
  const text = await exchangeBytes(
    port,
    'GET /a?b=c HTTP/1.1\r\nHost: app:8080\r\nX-Mine: 1\r\nX-Envoy-Internal: true\r\nConnection: close, x-drop\r\nX-Drop: 1\r\n\r\n',
  )
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(text, /hello GET \/a\?b=c$/)
  t.match(text, /\r\nserver: envoy\r\nx-envoy-upstream-service-time: \d+\r\n/)
  t.match(text, /\r\nconnection: close\r\n/)
  t.match(seen[0], { host: 'app:8080', 'x-mine': '1', 'x-forwarded-proto': 'http', 'x-envoy-attempt-count': '1' })
  t.match(seen[0]!['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.notOk(seen[0]!['x-envoy-internal'])
  t.notOk(seen[0]!['x-drop'])
  const x = await records.at(0)
  t.match(x, {
    method: 'GET',
    path: '/a?b=c',
    authority: 'app:8080',
    responseCode: 200,
    responseFlags: '',
    responseCodeDetails: 'via_upstream',
    clusterName: 'outbound|8080||app.default.svc.cluster.local',
    destinationService: 'app.default.svc.cluster.local',
    bytesSent: 'hello GET /a?b=c'.length,
  })
})

void t.test('a POST with a body, many times over one keep-alive connection', async (t) => {
  const { port, records } = await front(t, (req, res) => {
    req.pipe(res)
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const sizes = [0, 1, 5, 1000, 70_000, 3, 1_000_000]
  for (const size of sizes) {
    const body = Buffer.alloc(size, 'x')
    const got = await new Promise<{ status: number; bytes: number }>((resolve, reject) => {
      const req = http.request({ port, host: '127.0.0.1', method: 'POST', agent, path: '/echo' }, (res) => {
        let bytes = 0
        res.on('data', (c: Buffer) => (bytes += c.length))
        res.on('end', () => resolve({ status: res.statusCode ?? 0, bytes }))
      })
      req.on('error', reject)
      req.end(body)
    })
    t.same(got, { status: 200, bytes: size })
  }
  t.equal(records.ended.length, sizes.length)
  t.same(
    records.ended.map((x) => x.bytesReceived),
    sizes,
  )
})

void t.test('answers of all sizes at once, each with its own bytes', async (t) => {
  const { port } = await front(t, (req, res) => {
    const [, letter = '', size = ''] = (req.url ?? '').split('/')
    res.end(Buffer.alloc(Number(size), letter))
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 12 })
  t.teardown(() => agent.destroy())
  const sizes = [1, 1000, 8191, 8192, 8193, 65_535, 65_536, 65_537, 300_000]
  const asked = 'abcdefghijkl'.split('').flatMap((letter) => sizes.map((size) => ({ letter, size })))
  const wrong = await Promise.all(
    asked.map(
      ({ letter, size }) =>
        new Promise<string>((resolve, reject) => {
          const req = http.get({ port, host: '127.0.0.1', agent, path: `/${letter}/${size}` }, (res) => {
            const chunks: Buffer[] = []
            res.on('data', (c: Buffer) => chunks.push(c))
            res.on('end', () => {
              resolve(Buffer.concat(chunks).equals(Buffer.alloc(size, letter)) ? '' : `${letter} ${size}`)
            })
          })
          req.on('error', reject)
        }),
    ),
  )
  t.same(
    wrong.filter((text) => text !== ''),
    [],
  )
})

void t.test('pipelined requests are answered in order', async (t) => {
  const { port } = await front(t, (req, res) => {
    setTimeout(() => res.end(`[${req.url}]`), req.url === '/1' ? 20 : 0)
  })
  const one = (path: string, close = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${close}\r\n`
  const text = await exchangeBytes(port, one('/1') + one('/2') + one('/3') + one('/4', 'Connection: close\r\n'))
  t.same(text.match(/\[\/\d\]/g), ['[/1]', '[/2]', '[/3]', '[/4]'])
})

/** A raw upstream: `answer` gets each connection's socket and what came so far. */
async function rawFront(
  test: Test,
  answer: (socket: net.Socket, text: string, n: number) => void,
  action: object = {},
) {
  let n = 0
  const app = net.createServer((socket) => {
    const mine = n++
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const before = text
      answer(socket, text, mine)
      if (before.endsWith('\r\n\r\n')) text = ''
    })
  })
  const appPort = await listen(app)
  const { plane, records, port } = createPlane()
  plane.setClusters([staticCluster('app', appPort)])
  plane.setRoutes([routes('r', forward('app', {}, action))])
  await plane.setListeners([httpListener('http', { rds: 'r' })])
  test.teardown(async () => {
    await plane.drain(0)
    app.close()
  })
  return { plane, records, port: port('http'), connections: () => n }
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
const CLOSE = 'Connection: close\r\n'

void t.test('answers without a body: HEAD, 204, 304, and interim ones before', async (t) => {
  const { port } = await rawFront(t, (socket, text) => {
    if (!text.endsWith('\r\n\r\n')) return
    if (text.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    else if (text.startsWith('GET /204')) socket.write('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n')
    else if (text.startsWith('GET /304')) socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n')
    else
      socket.write(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n',
      )
  })
  const head = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
  const text = await exchangeBytes(port, head + get('/204') + get('/304') + get('/', CLOSE))
  const heads = text.split('HTTP/1.1 ').slice(1)
  t.same(
    heads.map((h) => h.slice(0, 3)),
    ['200', '204', '304', '103', '200'],
  )
  t.match(heads[0], /content-length: 5\r\n/)
  t.notMatch(heads[1], /content-length/i)
  t.match(heads[2], /content-length: 5\r\n/)
  t.match(heads[3], /Link: <\/a>/)
  t.match(heads[4], /transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n$/)
})

void t.test('an HTTP/1.0 client gets no chunks and no interim answers', async (t) => {
  const { port } = await rawFront(t, (socket, text) => {
    if (text.endsWith('\r\n\r\n'))
      socket.write(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      )
  })
  t.match(await exchangeBytes(port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n\r\nok$/)
})

void t.test('100-continue: the upstream says whether the body may come', async (t) => {
  const { port } = await rawFront(t, (socket, text) => {
    if (text.endsWith('\r\n\r\n') && text.startsWith('POST'))
      socket.write(
        text.startsWith('POST /no')
          ? 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'
          : 'HTTP/1.1 100 Continue\r\n\r\n',
      )
    else if (text.includes('body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  const post = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`
  t.match(await exchangeBytes(port, post('/no')), /^HTTP\/1\.1 403 Forbidden\r\n[^]*connection: close\r\n\r\n$/)
  const answers = await new Promise<string[]>((resolve, reject) => {
    const got: string[] = []
    const socket = net.connect(port, '127.0.0.1', () => socket.write(post('/yes')))
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      got.push(chunk.toString().slice(0, 12))
      if (got.length === 1) socket.write('body')
      else {
        socket.destroy()
        resolve(got)
      }
    })
  })
  t.same(answers, ['HTTP/1.1 100', 'HTTP/1.1 200'])
})

void t.test('an early answer ends both connections', async (t) => {
  const { port, connections } = await rawFront(t, (socket, text) => {
    if (text.startsWith('POST') && !text.includes('answered'))
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')
    if (text.startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  t.match(
    await exchangeBytes(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nxxx'),
    /^HTTP\/1\.1 413 [^]*connection: close\r\n\r\nbig$/,
  )
  t.match(await exchangeBytes(port, get('/', CLOSE)), /^HTTP\/1\.1 200/)
  t.equal(connections(), 2, 'the first upstream connection was not used again')
})

void t.test('a cut body is a cut connection, forged answers are 502', async (t) => {
  const { port, records } = await rawFront(t, (socket, text) => {
    if (!text.endsWith('\r\n\r\n')) return
    if (text.startsWith('GET /cut')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    else if (text.startsWith('GET /chunk'))
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    else if (text.startsWith('GET /both'))
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    else if (text.startsWith('GET /101'))
      socket.end('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    else if (text.startsWith('GET /extra'))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    else socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
  })
  t.notMatch(await exchangeBytes(port, get('/cut', CLOSE)).catch(() => ''), /abcdef/)
  t.match((await records.at(0)).responseFlags, 'UC')
  t.notMatch(await exchangeBytes(port, get('/chunk', CLOSE)).catch(() => ''), /0\r\n\r\n$/)
  t.match(await exchangeBytes(port, get('/both', CLOSE)), /^HTTP\/1\.1 502 [^]*reset reason: protocol error$/)
  t.match(await exchangeBytes(port, get('/101', CLOSE)), /^HTTP\/1\.1 502 /)
  t.match(await exchangeBytes(port, get('/extra') + get('/', CLOSE)), /ok[^]*to the end/)
  t.same(
    records.ended.slice(2, 4).map((x) => x.responseFlags),
    ['UPE', 'UPE'],
  )
})

void t.test('WebSocket: bytes both ways after 101; another answer stays HTTP', async (t) => {
  const { port, records } = await rawFront(t, (socket, text) => {
    if (text.startsWith('GET /ws') && text.includes('upgrade: websocket') && text.endsWith('\r\n\r\n'))
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst')
    else if (text.startsWith('GET /no') && text.endsWith('\r\n\r\n'))
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno')
    else if (text.endsWith('ping')) socket.end('pong')
  })
  const handshake = (path: string): string =>
    get(
      path,
      'Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n',
    )
  t.match(
    await exchangeBytes(port, `${handshake('/ws')}ping`),
    /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*\r\n\r\nfirstpong$/,
  )
  t.match(await records.at(0), { responseCode: 101, bytesReceived: 4, bytesSent: 9 })
  t.match(await exchangeBytes(port, handshake('/no') + get('/no', CLOSE)), /no[^]*no$/)
})

void t.test('a stale pooled socket is retried for GET, never for POST', async (t) => {
  const served = new Map<net.Socket, number>()
  const { port, records, connections } = await rawFront(t, (socket, text) => {
    if (!text.endsWith('\r\n\r\n')) return
    const n = (served.get(socket) ?? 0) + 1
    served.set(socket, n)
    if (n > 1) socket.destroy() // as a server does that closes an idle connection just now
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const post = `POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${CLOSE}\r\n`
  t.match(await exchangeBytes(port, get('/first') + get('/second', CLOSE)), /ok[^]*ok$/)
  t.equal(connections(), 2)
  t.match(await exchangeBytes(port, post), /HTTP\/1\.1 503 [^]*reset reason: connection termination$/)
  t.match(await exchangeBytes(port, post), /HTTP\/1\.1 200/)
  t.same(
    records.ended.map((x) => x.responseFlags),
    ['', '', 'UC', ''],
  )
})

void t.test('retries on connect failure go to another host; exhausted, they say so', async (t) => {
  const gone = net.createServer()
  const free = await listen(gone)
  await new Promise((resolve) => gone.close(resolve))
  const app = http.createServer((req, res) => res.end(`attempt ${String(req.headers['x-envoy-attempt-count'])}`))
  const appPort = await listen(app)
  const retryPolicy = {
    retryOn: 'connect-failure,refused-stream',
    numRetries: { value: 2 },
    retryHostPredicate: [{ typedConfig: pack(EXTENSION.previousHosts, {}) }],
    hostSelectionRetryMaxAttempts: 5,
  }
  const { plane, records, port } = createPlane()
  plane.setClusters([staticCluster('half', free, appPort), staticCluster('none', free)])
  plane.setRoutes([
    routes('r', forward('none', { match: { prefix: '/none' } }, { retryPolicy }), forward('half', {}, { retryPolicy })),
  ])
  await plane.setListeners([httpListener('http', { rds: 'r' })])
  t.teardown(async () => {
    await plane.drain(0)
    app.closeAllConnections()
    app.close()
  })
  for (let i = 0; i < 20; i++) t.match(await exchangeBytes(port('http'), get('/', CLOSE)), /attempt [12]$/)
  t.match(
    await exchangeBytes(port('http'), get('/none', CLOSE)),
    /disconnect\/reset before headers\. retried and the latest reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused$/,
  )
  t.equal(records.last.responseFlags, 'URX,UF')
})

void t.test("the route's timeout answers 504", async (t) => {
  const { port, records } = await rawFront(t, () => {}, { timeout: { seconds: 0, nanos: 50_000_000 } })
  t.match(await exchangeBytes(port, get('/', CLOSE)), /^HTTP\/1\.1 504 [^]*\r\n\r\nupstream request timeout$/)
  t.match(await records.at(0), { responseFlags: 'UT', responseCodeDetails: 'response_timeout' })
})

void t.test("the route's timeout runs while a body waits for a connection that does not come up", async (t) => {
  const dialled: net.Socket[] = []
  const mute = net.createServer((socket) => dialled.push(socket.on('error', () => {}).resume()))
  const { plane, records, port } = createPlane('client', new TestCredentials(credential('client')))
  // a handshake that nobody answers
  plane.setClusters([meshCluster('mute', [], staticCluster('mute', { port: await listen(mute), mesh: true }))])
  plane.setRoutes([routes('r', forward('mute', {}, { timeout: { seconds: 0, nanos: 50_000_000 } }))])
  await plane.setListeners([httpListener('http', { rds: 'r' })])
  t.teardown(async () => {
    await plane.drain(0)
    for (const socket of dialled) socket.destroy()
    mute.close()
  })
  const post = `POST / HTTP/1.1\r\nHost: app\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`
  t.match(await exchangeBytes(port('http'), post), /^HTTP\/1\.1 504 /)
  t.match(await records.at(0), { responseFlags: 'UT', responseCodeDetails: 'response_timeout' })
})

void t.test('a client that goes away takes its request with it', async (t) => {
  let closed = (): void => {}
  const gone = new Promise<void>((resolve) => (closed = resolve))
  const { port, records } = await rawFront(t, (app) => {
    app.on('close', closed)
    socket.resetAndDestroy() // it has seen the request
  })
  const socket = net.connect(port, '127.0.0.1', () => socket.write(get('/')))
  socket.on('error', () => {})
  t.match(await records.at(0), {
    responseFlags: 'DC',
    responseCode: 0,
    responseCodeDetails: 'downstream_remote_disconnect',
  })
  await gone
})

void t.test('64 MiB down to a slow reader: the proxy holds little of it', async (t) => {
  const total = 64 * 1024 * 1024
  const { port } = await front(t, (_req, res) => {
    res.setHeader('content-length', total)
    const chunk = Buffer.alloc(1 << 20, 'z')
    let sent = 0
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length
        if (!res.write(chunk)) {
          res.once('drain', more)
          return
        }
      }
      res.end()
    }
    more()
  })
  const before = process.memoryUsage().rss
  let peak = 0
  const got = await new Promise<number>((resolve, reject) => {
    let bytes = 0
    const req = http.get({ port, host: '127.0.0.1', path: '/', agent: false }, (res) => {
      res.on('data', (c: Buffer) => {
        bytes += c.length
        if (bytes < 1 << 20) {
          res.pause()
          setTimeout(() => res.resume(), 20)
        }
        peak = Math.max(peak, process.memoryUsage.rss())
      })
      res.on('end', () => resolve(bytes))
    })
    req.on('error', reject)
  })
  t.equal(got, total)
  t.ok(peak - before < 100 * 1024 * 1024, `${Math.round((peak - before) / 1048576)} MiB more`)
})

void t.test('a split of 90 to 10 is what it says, by request on one connection', async (t) => {
  const apps = ['v1', 'v2'].map((name) => http.createServer((_req, res) => res.end(name)))
  const ports = await Promise.all(apps.map(listen))
  const { plane, records, port } = createPlane()
  plane.setClusters([staticCluster('v1', ports[0]!), staticCluster('v2', ports[1]!)])
  plane.setRoutes([routes('r', weighted(['v1', 90], ['v2', 10], ['gone', 0]))])
  await plane.setListeners([httpListener('http', { rds: 'r' })])
  t.teardown(async () => {
    await plane.drain(0)
    for (const app of apps) app.closeAllConnections()
    for (const app of apps) app.close()
  })
  await exchangeBytes(port('http'), get('/').repeat(1999) + get('/', CLOSE))
  const v2 = records.ended.filter((x) => x.clusterName === 'v2').length
  t.equal(records.ended.length, 2000)
  t.ok(v2 > 130 && v2 < 270, `${v2} of 2000`)
})

void t.test('bad requests: the status, then the connection ends', async (t) => {
  const { port } = await rawFront(t, () => {})
  for (const [bytes, status] of [
    ['GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n', 400],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}`, 431],
    ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
    ['POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n', 417],
    ['GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ] as const)
    t.match(
      await exchangeBytes(port, bytes),
      new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close\\r\\n\\r\\n$`),
      bytes.slice(0, 40),
    )
})
