/** What HTTP/2 peers may do at the wrong moment: ends, resets and silence, by frames that the test writes. */
import net from 'node:net'
import t, { type Test } from 'tap'
import { forward } from '../../helpers/data-plane.ts'
import { H2Peer } from '../../helpers/h2-peer.ts'
import * as h2 from '../../helpers/h2-wire.ts'
import { eventually, front, type Front, type FrontInit, settled } from '../listener/front.ts'

const HTTP2 = { explicitHttpConfig: { http2ProtocolOptions: { allowConnect: true } } }
const NO_ERROR = 0
const INTERNAL_ERROR = 2
const REFUSED_STREAM = 7
const MAX_CONCURRENT_STREAMS = 3
const INITIAL_WINDOW_SIZE = 4
const ENABLE_CONNECT_PROTOCOL = 8
/** Says that a stream is answered by 200, and no more. */
const OK = Buffer.of(0x88)

/** A sidecar before a server of HTTP/2 by hand, which has what comes on each connection. */
async function beforeServer(
  t: Test,
  init: FrontInit = {},
  ...settings: [number, number][]
): Promise<{ sidecar: Front; servers: H2Peer[] }> {
  const servers: H2Peer[] = []
  const app = net.createServer((socket) => void servers.push(new H2Peer(socket, 'server', ...settings)))
  return { sidecar: await front(t, app, { upstream: HTTP2, ...init }), servers }
}

const request = (method: string, ...more: [string, string][]): Buffer =>
  h2.block(h2.requestFields(method, '/', ...more))

t.test('what comes of a body while the next attempt waits is not lost', async (t) => {
  const retryPolicy = { retryOn: 'reset', numRetries: { value: 1 }, retryBackOff: { baseInterval: { seconds: 1 } } }
  const { sidecar, servers } = await beforeServer(t, { action: { retryPolicy } })
  const client = H2Peer.connect(t, sidecar.http)
  client.send(h2.headers(1, request('POST'), false), h2.data(1, 'one,'))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.DATA, 1)
  server.send(h2.reset(1, INTERNAL_ERROR))
  await server.heard()
  client.send(h2.data(1, 'two,'))
  await client.heard()
  sidecar.clock.advance(1100)
  await server.frame(h2.FRAME.HEADERS, 3)
  client.send(h2.data(1, 'three', true))
  await server.until(() => server.hasEnded(3))
  t.equal(server.body(3), 'one,two,three')
})

t.test('a refused request that waits for its place has no try that could time out', async (t) => {
  const retryPolicy = {
    retryOn: 'reset',
    numRetries: { value: 1 },
    perTryTimeout: { seconds: 10 },
    retryBackOff: { baseInterval: { seconds: 1 } },
  }
  const cluster = { circuitBreakers: { thresholds: [{ maxConnections: { value: 1 } }] } }
  const { sidecar, servers } = await beforeServer(t, { action: { retryPolicy }, cluster })
  const client = H2Peer.connect(t, sidecar.http)
  client.send(h2.headers(1, request('GET')))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.HEADERS, 1)
  server.send(h2.headers(1, OK, false))
  await client.frame(h2.FRAME.HEADERS, 1)
  client.send(h2.headers(3, request('GET')))
  await server.frame(h2.FRAME.HEADERS, 3)
  server.send(h2.settings([MAX_CONCURRENT_STREAMS, 1]), h2.reset(3, REFUSED_STREAM))
  await server.heard()
  sidecar.clock.advance(10_100)
  server.send(h2.data(1, '', true))
  await server.frame(h2.FRAME.HEADERS, 5)
  server.send(h2.settings([MAX_CONCURRENT_STREAMS, 100]))
  await server.heard()
  sidecar.clock.advance(1100)
  server.send(h2.headers(5, OK))
  await client.until(() => client.hasEnded(3))
  await server.heard()
  t.equal(server.frames.filter((f) => f.type === h2.FRAME.HEADERS).length, 3)
})

t.test('trailers of a request without a body wait for its connection, too', async (t) => {
  const { sidecar, servers } = await beforeServer(t)
  const client = H2Peer.connect(t, sidecar.http)
  client.send(h2.headers(1, request('POST'), false), h2.headers(1, h2.block([['x-sum', '42']])))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.until(() => server.hasEnded(1))
  const blocks = server.frames.filter((f) => f.type === h2.FRAME.HEADERS).map((f) => f.payload.toString('latin1'))
  t.equal(blocks.length, 2)
  t.match(blocks[1], /x-sum.42/)
})

t.test('an exchange that ends with trailers that had to wait serves one other at a time', async (t) => {
  const { sidecar, servers } = await beforeServer(t)
  const client = H2Peer.connect(t, sidecar.http, [INITIAL_WINDOW_SIZE, 1])
  client.send(h2.headers(1, request('GET')))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.HEADERS, 1)
  server.send(h2.headers(1, OK, false), h2.data(1, 'ab'))
  await server.heard()
  await client.frame(h2.FRAME.DATA, 1)
  server.send(h2.headers(1, h2.block([['x-sum', '42']])))
  await server.heard()
  client.send(h2.windowUpdate(1, 100))
  await client.until(() => client.hasEnded(1))
  client.send(h2.headers(3, request('GET')), h2.headers(5, request('GET')))
  await server.frame(h2.FRAME.HEADERS, 5)
  server.send(h2.headers(3, OK), h2.headers(5, OK))
  await server.heard()
  await client.heard()
  t.same([client.hasEnded(3), client.hasEnded(5)], [true, true])
})

t.test('an answer that its client opens no window for is given up, also where all of it has come', async (t) => {
  const { http: port, clock, records } = await front(t, (_req, res) => res.end(Buffer.alloc(10_000)))
  const client = H2Peer.connect(t, port, [INITIAL_WINDOW_SIZE, 0])
  client.send(h2.headers(1, request('GET')), h2.headers(3, request('GET')))
  await records.at(1)
  clock.advance(50_000)
  client.send(h2.windowUpdate(3, 100))
  await client.heard()
  t.equal(client.body(3).length, 100)
  clock.advance(30_000)
  await client.heard()
  const resets = (): number[] => client.frames.filter((f) => f.type === h2.FRAME.RST_STREAM).map((f) => f.stream)
  t.same(resets(), [1], 'whoever takes something has more time')
  client.send(h2.windowUpdate(3, 100_000))
  await client.until(() => client.hasEnded(3))
  clock.advance(200_000)
  await client.heard()
  t.same(resets(), [1])
})

t.test('an answer before its request is whole is not cut where it has to wait', async (t) => {
  const bytes = 10_000
  const app = net.createServer((socket) =>
    socket
      .on('error', () => {})
      .once('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`)),
  )
  const own = {
    name: 'own',
    match: { prefix: '/own' },
    directResponse: { status: 413, body: { inlineString: 'x'.repeat(bytes) } },
  }
  const { http: port, plane, records } = await front(t, app, { routes: [own, forward('app')] })
  for (const [path, isWhole] of [
    ['/own', false],
    ['/app', false],
    ['/app', true],
  ] as const) {
    const client = H2Peer.connect(t, port, [INITIAL_WINDOW_SIZE, 100])
    const before = records.ended.length
    client.send(h2.headers(1, h2.block(h2.requestFields('POST', path)), false), h2.data(1, 'some'))
    await records.at(before)
    await client.heard()
    client.send(h2.data(1, ' more', isWhole))
    await client.heard()
    t.equal(client.body(1).length, 100)
    client.send(h2.windowUpdate(1, bytes))
    await client.heard()
    t.equal(client.body(1).length, bytes)
    t.ok(client.hasEnded(1))
    const resets = client.frames.filter((f) => f.type === h2.FRAME.RST_STREAM).map((f) => f.payload)
    t.same(resets, isWhole ? [] : [h2.reset(1, NO_ERROR).subarray(9)], path)
    t.equal(plane.bufferedBytes(), 0)
  }
})

t.test('what is left of a request whose answer is whole is not sent', async (t) => {
  const { sidecar, servers } = await beforeServer(t, {}, [INITIAL_WINDOW_SIZE, 0])
  const client = H2Peer.connect(t, sidecar.http)
  client.send(h2.headers(1, request('GET')))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.HEADERS, 1)
  server.send(h2.headers(1, OK))
  await client.until(() => client.hasEnded(1)) // from here on the link knows of the window
  client.send(h2.headers(3, request('POST'), false), h2.data(3, 'nobody reads it', true))
  await server.frame(h2.FRAME.HEADERS, 3)
  server.send(h2.headers(3, OK))
  await client.until(() => client.hasEnded(3))
  await server.heard()
  const reset = server.frames.find((f) => f.type === h2.FRAME.RST_STREAM)
  t.match(reset, { stream: 3, payload: h2.reset(3, NO_ERROR).subarray(9) })
})

t.test('a tunnel whose client ends its way with the CONNECT itself is half closed', async (t) => {
  const { sidecar, servers } = await beforeServer(t, {}, [ENABLE_CONNECT_PROTOCOL, 1])
  const client = H2Peer.connect(t, sidecar.http)
  const websocket = request('CONNECT', [':protocol', 'websocket'], ['sec-websocket-version', '13'])
  client.send(h2.headers(1, websocket))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.HEADERS, 1)
  server.send(h2.headers(1, OK, false), h2.data(1, 'bye', true))
  await client.until(() => client.hasEnded(1))
  await server.heard()
  t.equal(client.body(1), 'bye')
  t.ok(server.hasEnded(1))
  t.match(sidecar.records.last, { responseCode: 101, responseFlags: '' })
})

t.test('a client that asks on and reads nothing is not read either', async (t) => {
  const asked = 20_000
  const redirect = { name: 'away', match: { prefix: '/' }, redirect: { hostRedirect: 'elsewhere' } }
  const { http: port, plane, records } = await front(t, (_req, res) => res.end(), { routes: [redirect] })
  const client = H2Peer.connect(t, port)
  client.socket.pause()
  // a few bytes from here on: the client has put all of it into the table
  const fields = h2.requestFields('GET', `/${'x'.repeat(2000)}`)
  const again = Buffer.of(0xc1, 0xc0, 0xbf, 0xbe)
  client.send(h2.headers(1, h2.block(fields, true)))
  for (let i = 1; i < asked; i++) client.socket.write(h2.headers(2 * i + 1, again))
  let most = 0
  await settled(() => {
    most = Math.max(most, plane.bufferedBytes())
    return records.ended.length
  })
  t.ok(most < 4 * 1024 * 1024, `${most} bytes wait for it`)
  t.ok(records.ended.length < asked)
  client.socket.resume()
  await client.until(() => client.hasEnded(2 * asked - 1) || client.ended)
  t.equal(records.ended.length, asked)
  t.equal(client.frames.filter((f) => f.type === h2.FRAME.HEADERS).length, asked)
})

t.test('a server that lets more in by later SETTINGS is asked by those who wait', async (t) => {
  const cluster = { circuitBreakers: { thresholds: [{ maxConnections: { value: 1 } }] } }
  const { sidecar, servers } = await beforeServer(t, { cluster }, [MAX_CONCURRENT_STREAMS, 1])
  const client = H2Peer.connect(t, sidecar.http)
  client.send(h2.headers(1, request('GET')))
  await eventually(() => servers.length === 1)
  const server = servers[0]!
  await server.frame(h2.FRAME.HEADERS, 1)
  await server.heard()
  client.send(h2.headers(3, request('GET')))
  await client.heard()
  server.send(h2.settings([MAX_CONCURRENT_STREAMS, 2]))
  await server.heard()
  t.ok(server.frames.some((f) => f.type === h2.FRAME.HEADERS && f.stream === 3))
})

t.test('a connection against the rules leaves a record, and its requests do not look cancelled', async (t) => {
  const faults: [string, Buffer[]][] = [
    ['http2.PROTOCOL_ERROR{WINDOW_UPDATE_of_0}', [h2.windowUpdate(0, 0)]],
    ['http2.ENHANCE_YOUR_CALM{too_many_SETTINGS_frames}', Array.from({ length: 300 }, () => h2.settings())],
    ['http2.FLOW_CONTROL_ERROR{window_too_large}', [h2.windowUpdate(0, 0x7fffffff)]],
  ]
  for (const [responseCodeDetails, frames] of faults) {
    const { http: port, records, seen } = await front(t, () => {})
    const client = H2Peer.connect(t, port)
    client.send(h2.headers(1, request('GET')))
    await eventually(() => seen.requests === 1)
    client.send(...frames)
    await records.at(1)
    t.match(records.ended, [
      { responseCode: 0, responseFlags: 'DPE', path: '/' },
      { responseCode: 0, responseFlags: 'DPE', responseCodeDetails, path: '' },
    ])
  }
})
