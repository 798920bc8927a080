/** What a route and a cluster allow: durations, silence, deadlines of gRPC, retries, overload. */
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import t from 'tap'
import { exchangeBytes, forward } from '../../helpers/data-plane.ts'
import { eventually, front, get, Wire } from '../listener/front.ts'

const never: http.RequestListener = () => {}
const begins: http.RequestListener = (_req, res) => void res.write('begun')

t.test('a stream lasts as long as the listener, the route or the cluster lets it', async (t) => {
  const seconds = (n: number) => ({ maxStreamDuration: { seconds: n } })
  for (const [name, init, ms, wanted] of [
    ['listener', { manager: { commonHttpProtocolOptions: seconds(5) } }, 5000, / 408 [^]*downstream duration timeout$/],
    [
      'route',
      { manager: { commonHttpProtocolOptions: seconds(1) }, action: { maxStreamDuration: seconds(5) } },
      5000,
      / 408 /,
    ],
    [
      'cluster',
      { upstream: { commonHttpProtocolOptions: seconds(5), explicitHttpConfig: { httpProtocolOptions: {} } } },
      5000,
      / 504 [^]*upstream max stream duration reached$/,
    ],
  ] as const) {
    const { http: port, clock, records, seen } = await front(t, never, init)
    const wire = new Wire(t, port).send(get('/', 'Connection: close\r\n'))
    await eventually(() => seen.requests === 1)
    clock.advance(ms - 100)
    t.equal(wire.text, '', name)
    clock.advance(200)
    t.match(await wire.end(), wanted, name)
    t.match(records.last, { responseFlags: name === 'cluster' ? 'UMSDR' : 'DT' })
  }
})

t.test('an answer that has begun is cut, also one that streams', async (t) => {
  const {
    http: port,
    clock,
    records,
  } = await front(t, begins, { action: { maxStreamDuration: { maxStreamDuration: { seconds: 5 } } } })
  const wire = new Wire(t, port).send(get('/'))
  await wire.sees(/begun/)
  clock.advance(5100)
  t.notMatch(await wire.end(), /\r\n0\r\n/)
  t.match(records.last, { responseCode: 200, responseFlags: 'DT', responseCodeDetails: 'max_duration_timeout' })
})

t.test('a route says how long its streams may be silent', async (t) => {
  const { http: port, clock, records, seen } = await front(t, never, { action: { idleTimeout: { seconds: 2 } } })
  const wire = new Wire(t, port).send(get('/'))
  await eventually(() => seen.requests === 1)
  clock.advance(2100)
  t.match(await wire.sees(/stream timeout/), / 504 /)
  t.match(records.last, { responseFlags: 'SI' })
})

t.test('the deadline of a gRPC caller has a bound, and a default', async (t) => {
  const seenTimeouts: (string | undefined)[] = []
  const app = http.createServer((req, res) => {
    seenTimeouts.push(req.headers['grpc-timeout'] as string | undefined)
    res.end()
  })
  const ask = async (action: object, field: string): Promise<string | undefined> => {
    const server = http.createServer((req, res) => {
      seenTimeouts.push(req.headers['grpc-timeout'] as string | undefined)
      res.end()
    })
    const { http: port } = await front(t, server, { action })
    await exchangeBytes(
      port,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n${field}Connection: close\r\n\r\n`,
    )
    return seenTimeouts.at(-1)
  }
  app.close()
  t.equal(await ask({ maxGrpcTimeout: { seconds: 3 } }, 'grpc-timeout: 10S\r\n'), '3000m')
  t.equal(await ask({ maxGrpcTimeout: { seconds: 3 } }, 'grpc-timeout: 1S\r\n'), '1000m')
  t.equal(await ask({ maxGrpcTimeout: { seconds: 3 } }, ''), '3000m')
  t.equal(await ask({ maxGrpcTimeout: { seconds: 0 } }, 'grpc-timeout: 10S\r\n'), '10000m')
  t.equal(await ask({ maxStreamDuration: { grpcTimeoutHeaderMax: { seconds: 2 } } }, 'grpc-timeout: 10S\r\n'), '2000m')
  t.equal(await ask({}, 'grpc-timeout: 10S\r\n'), '10000m')
})

t.test('what is gRPC by its media type: neither gRPC-Web nor whatever begins the same', async (t) => {
  const { http: port } = await front(t, (_req, res) => res.end(), { routes: [] })
  for (const [type, status] of [
    ['application/grpc', 200],
    ['application/grpc+proto', 200],
    ['application/grpc; charset=utf-8', 200],
    ['application/grpc-web+proto', 404],
    ['application/grpcish', 404],
  ] as const)
    t.match(
      await exchangeBytes(port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n`),
      new RegExp(`^HTTP/1\\.1 ${status} `),
      type,
    )
})

/** Fails each request; those of `/hold` wait. */
const failing: http.RequestListener = (req, res) => {
  if (req.url === '/hold') return
  res.statusCode = 500
  res.end()
}

t.test('a cluster has so many retries under way', async (t) => {
  const policy = {
    retryPolicy: { retryOn: '5xx', numRetries: { value: 1 }, retryBackOff: { baseInterval: { seconds: 1 } } },
  }
  for (const [name, threshold, numHeld, allowed] of [
    ['max_retries', { maxRetries: { value: 1 } }, 0, 1],
    ['a budget', { retryBudget: { budgetPercent: { value: 50 }, minRetryConcurrency: { value: 1 } } }, 1, 2],
    ['nothing said', {}, 0, 3],
  ] as const) {
    const {
      http: port,
      clock,
      records,
      seen,
    } = await front(t, failing, {
      action: policy,
      cluster: { circuitBreakers: { thresholds: [threshold] } },
    })
    for (let i = 0; i < numHeld; i++) new Wire(t, port).send(get('/hold'))
    await eventually(() => seen.requests === numHeld)
    const wires = Array.from({ length: 4 }, () => new Wire(t, port).send(get('/', 'Connection: close\r\n')))
    await eventually(() => records.ended.length === 4 - allowed && seen.requests === numHeld + 4)
    t.match(
      records.ended,
      Array.from({ length: 4 - allowed }, () => ({ responseFlags: 'UO' })),
      name,
    )
    await eventually(() => {
      clock.advance(20)
      return wires.every((wire) => wire.ended)
    })
    for (const wire of wires) t.match(await wire.end(), / 500 /)
    t.equal(seen.requests, numHeld + 4 + allowed, `${name}: ${allowed} were tried again`)
    const again = new Wire(t, port).send(get('/'))
    await eventually(() => {
      clock.advance(20)
      return again.text !== ''
    })
    t.equal(records.last.responseFlags, 'URX', 'places were given back')
  }
})

t.test('who has no room says when to come again', async (t) => {
  const {
    http: port,
    records,
    seen,
  } = await front(t, never, { cluster: { circuitBreakers: { thresholds: [{ maxRequests: { value: 1 } }] } } })
  new Wire(t, port).send(get('/'))
  await eventually(() => seen.requests === 1)
  t.match(
    await exchangeBytes(port, get('/', 'Connection: close\r\n')),
    / 503 [^]*x-envoy-overloaded: true\r\nretry-after: 1\r\n/,
  )
  t.match(records.last, { responseFlags: 'UO' })
  const { http: empty } = await front(t, never, { cluster: { loadAssignment: { clusterName: 'app' } } })
  t.match(
    await exchangeBytes(empty, get('/', 'Connection: close\r\n')),
    / 503 [^]*retry-after: 1\r\n[^]*no healthy upstream$/,
  )
})

/** Answers the first request of each connection, and `then` to the second. */
function server(then: string): net.Server {
  return net.createServer((socket) => {
    let n = 0
    socket.on('error', () => {})
    socket.on('data', () => {
      if (n++ === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na')
      else socket.end(then)
    })
  })
}

t.test('a pooled connection that ends within an answer was not stale', async (t) => {
  for (const [then, wanted, connections] of [
    ['', / 200 [^]* 200 /, 2],
    ['HTTP/1.1 2', / 200 [^]* 503 /, 1],
    ['HTTP/1.1 103 Early Hints\r\n\r\n', / 200 [^]* 103 [^]* 503 /, 1],
  ] as const) {
    const { http: port, seen } = await front(t, server(then))
    const wire = new Wire(t, port).send(get('/'))
    await wire.sees(/\r\na$/)
    wire.send(get('/', 'Connection: close\r\n'))
    t.match(await wire.end(), wanted, JSON.stringify(then))
    t.equal(seen.connections, connections)
  }
})

t.test('interim answers may be so large, all together', async (t) => {
  const hints = `HTTP/1.1 103 Early Hints\r\nLink: ${'a'.repeat(10_000)}\r\n\r\n`
  const app = (n: number): net.Server =>
    net.createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => void socket.write(`${hints.repeat(n)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`))
    })
  const few = await front(t, app(5))
  t.match(await exchangeBytes(few.http, get('/', 'Connection: close\r\n')), / 200 /)
  const many = await front(t, app(8))
  t.match(await exchangeBytes(many.http, get('/', 'Connection: close\r\n')), / 502 /)
  t.match(many.records.last, { responseFlags: 'UPE' })
})

t.test('trailers of a request go to an HTTP/1.1 server that wants them', async (t) => {
  for (const enableTrailers of [true, false]) {
    let seen = ''
    const app = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1')
        if (/\r\n0\r\n([^]*\r\n)?\r\n$/.test(seen)) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      })
    })
    const { http: port } = await front(t, app, {
      upstream: { explicitHttpConfig: { httpProtocolOptions: { enableTrailers } } },
    })
    await exchangeBytes(
      port,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n',
    )
    t.match(seen, enableTrailers ? /\r\n0\r\nX-Sum: 1\r\n\r\n$/i : /a\r\n0\r\n\r\n$/)
  }
})

t.test('an HTTP/2 upstream that does not answer a PING is given up', async (t) => {
  const sockets = new Set<net.Socket>()
  const app = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write('\0\0\0\x04\0\0\0\0\0', 'latin1')
  })
  const http2ProtocolOptions = { connectionKeepalive: { interval: { seconds: 10 }, timeout: { seconds: 2 } } }
  const {
    http: port,
    clock,
    records,
  } = await front(t, app, { upstream: { explicitHttpConfig: { http2ProtocolOptions } } })
  const wire = new Wire(t, port).send(get('/'))
  await eventually(() => [...sockets].some((s) => s.bytesRead > 60))
  clock.advance(10_100)
  t.equal(wire.text, '')
  clock.advance(2100)
  t.match(await wire.sees(/HTTP\/1\.1 \d+/), / 503 /)
  t.match(records.last, { responseFlags: 'UC' })
})

t.test('an upstream connection has its time', async (t) => {
  const {
    http: port,
    clock,
    seen,
  } = await front(t, (_req, res) => void res.end('ok'), {
    upstream: {
      commonHttpProtocolOptions: { maxConnectionDuration: { seconds: 30 } },
      explicitHttpConfig: { httpProtocolOptions: {} },
    },
  })
  const wire = new Wire(t, port)
  for (let i = 1; i <= 3; i++) {
    wire.send(get('/'))
    await wire.until(() => wire.text.split('ok').length === i + 1)
    if (i === 2) clock.advance(30_100)
  }
  t.equal(seen.connections, 2)
})

t.test('with HTTP/2 on both sides limits hold by stream', async (t) => {
  const app = http2.createServer()
  app.on('stream', (stream) => void stream.on('error', () => {}))
  const { http: port, clock } = await front(t, app, {
    action: { maxStreamDuration: { maxStreamDuration: { seconds: 5 } } },
    upstream: { explicitHttpConfig: { http2ProtocolOptions: {} } },
  })
  let streams = 0
  app.on('stream', () => streams++)
  const client = http2.connect(`http://127.0.0.1:${port}`)
  t.teardown(() => client.destroy())
  const first = client.request({ ':path': '/' })
  const answered = new Promise((resolve) => first.on('response', (h) => resolve(h[':status'])))
  await eventually(() => streams === 1)
  clock.advance(5100)
  t.equal(await answered, 408)
  t.notOk(client.destroyed)
})

t.test('silence has the time of its own route, whatever the last one on the connection had', async (t) => {
  const app: http.RequestListener = (req, res) => void (req.url === '/long' ? res.end('ok') : undefined)
  const {
    http: port,
    clock,
    seen,
  } = await front(t, app, {
    manager: { streamIdleTimeout: { seconds: 2 } },
    routes: [forward('app', { match: { prefix: '/long' } }, { idleTimeout: { seconds: 250 } }), forward('app')],
  })
  const wire = new Wire(t, port).send(get('/long'))
  await wire.sees(/ok$/)
  wire.send(get('/'))
  await eventually(() => seen.requests === 2)
  clock.advance(2400) // silence is counted from the last look
  t.match(await wire.sees(/stream timeout/), / 504 /)
})

t.test('silence is noticed in time on a connection that was there', async (t) => {
  const app: http.RequestListener = (req, res) => void (req.url === '/first' ? res.end('ok') : undefined)
  const { http: port, clock, seen } = await front(t, app, { manager: { streamIdleTimeout: { seconds: 80 } } })
  await new Wire(t, port).send(get('/first')).sees(/ok$/)
  const wire = new Wire(t, port).send(get('/'))
  await eventually(() => seen.requests === 2)
  t.equal(seen.connections, 1)
  clock.advance(79_000)
  t.equal(wire.text, '')
  clock.advance(12_000)
  t.match(await wire.sees(/stream timeout/), / 504 /)
})
