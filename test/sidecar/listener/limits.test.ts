/* oxlint-disable no-control-regex -- frames of HTTP/2 are matched as bytes */
/** Limits and deadlines of connections that are accepted, HTTP/1.1 and HTTP/2, by a clock that the test moves. */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import t, { type Test } from 'tap'
import * as h2 from '../../helpers/h2-wire.ts'
import { createPlane, exchangeBytes, httpListener, NO_CREDENTIALS, routes } from '../../helpers/data-plane.ts'
import { eventually, front, get, settled, Wire } from './front.ts'

const ok: http.RequestListener = (req, res) => void req.resume().on('end', () => res.end('ok'))
const INVALID_MESSAGE = 'http2.violation.of.messaging.rule'
const TOO_LARGE = 'http2.too_many_headers'
const CLOSED = /connection: close\r\n/

function session(t: Test, port: number, options: http2.ClientSessionOptions = {}): http2.ClientHttp2Session {
  const client = http2.connect(`http://127.0.0.1:${port}`, options)
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  return client
}

/** Status of a request, or the code of its reset. */
function status(stream: http2.ClientHttp2Stream): Promise<number | string> {
  return new Promise((resolve) => {
    stream.on('error', () => {})
    stream.on('response', (h) => resolve(h[':status'] ?? 0))
    stream.on('close', () => resolve(`reset ${stream.rstCode}`))
    stream.resume()
  })
}

t.test('a request must be whole in its time', async (t) => {
  const { http: port, clock, records, seen } = await front(t, ok, { manager: { requestTimeout: { seconds: 5 } } })
  const wire = new Wire(t, port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc')
  await eventually(() => seen.requests === 1)
  clock.advance(4900)
  t.equal(wire.text, '')
  clock.advance(200)
  t.match(await wire.end(), /^HTTP\/1\.1 408 [^]*connection: close\r\n[^]*request timeout$/)
  t.match(await records.at(0), { responseCode: 408, responseCodeDetails: 'request_overall_timeout' })
  const whole = new Wire(t, port).send(get('/'))
  t.match(await whole.sees(/ok$/), / 200 /)
})

t.test('the beginning of a preface that does not go on is a head that does not', async (t) => {
  const { http: port, clock } = await front(t, ok, { manager: { requestHeadersTimeout: { seconds: 5 } } })
  for (const part of ['P', 'PRI', 'PRI * HTTP/2.0\r\n\r\nS']) {
    // the client has said its last
    t.match(await exchangeBytes(port, part, true), /^HTTP\/1\.1 [45]\d\d [^]*connection: close\r\n/)
    const wire = new Wire(t, port).send(part)
    await settled(() => wire.text.length)
    clock.advance(4900)
    t.equal(wire.text, '')
    clock.advance(200)
    t.match(await wire.end(), /^HTTP\/1\.1 408 /)
  }
  t.match(await exchangeBytes(port, 'P', true), / 4\d\d /)
  t.match(
    await new Wire(t, port).send('P').send('OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n').sees(/ok$/),
    / 200 /,
  )
})

t.test('a body that drips is refused, one that comes at its pace is not', async (t) => {
  const { http: port, clock, records, seen } = await front(t, ok)
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n'
  const slow = new Wire(t, port).send(`${head}abc`)
  const fast = new Wire(t, port).send(`${head}${'x'.repeat(1000)}`)
  const h2 = session(t, port)
  const slow2 = h2.request({ ':method': 'POST' })
  const grpc = h2.request({ ':method': 'POST', 'content-type': 'application/grpc' })
  slow2.write('abc')
  grpc.write('abc')
  await eventually(() => seen.requests === 4)
  await settled(() => records.ended.length)
  clock.advance(9900)
  t.equal(slow.text, '')
  clock.advance(1200)
  t.match(await slow.end(), / 408 /)
  t.equal(await status(slow2), 408)
  t.match(records.ended[0], { responseCode: 408, responseCodeDetails: 'request_body_too_slow' })
  clock.advance(8000)
  t.equal(fast.text, '', '1000 bytes buy 10 s')
  fast.send('x'.repeat(2000))
  t.match(await fast.sees(/ok$/), / 200 /)
  t.notOk(grpc.closed, 'a stream of messages may be silent')
})

t.test('a long body buys no time for the next one', async (t) => {
  const { http: port, clock, records, seen } = await front(t, ok, { manager: { streamIdleTimeout: { seconds: 0 } } })
  const head = (bytes: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`
  const wire = new Wire(t, port).send(`${head(1_000_001)}${'x'.repeat(1_000_000)}`)
  await eventually(() => seen.requests === 1)
  await settled(() => records.ended.length)
  clock.advance(11_000)
  await wire.send('x').sees(/ok$/)
  wire.send(`${head(9)}x`)
  await eventually(() => seen.requests === 2)
  await settled(() => records.ended.length)
  clock.advance(11_000)
  t.match(await wire.end(), / 200 [^]* 408 /)
})

t.test('a body that the upstream does not take is not slow', async (t) => {
  const app = net.createServer((socket) => void socket.on('error', () => {}).pause())
  const { http: port, clock } = await front(t, app)
  const wire = new Wire(t, port).send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n')
  const chunk = 'x'.repeat(1_000_000)
  for (let i = 0; i < 20; i++) wire.send(chunk)
  await settled(() => wire.socket.bytesWritten - wire.socket.writableLength)
  clock.advance(200_000)
  t.equal(wire.text, '')
})

t.test('a client that reads nothing loses its answer', async (t) => {
  const answers: http.ServerResponse[] = []
  const app: http.RequestListener = (_req, res) => {
    answers.push(res)
    res.end(Buffer.alloc(30_000_000))
  }
  const { http: port, clock, records } = await front(t, app, { manager: { streamIdleTimeout: { seconds: 0 } } })
  const wire = new Wire(t, port)
  wire.socket.pause()
  wire.send(get('/'))
  const h2 = session(t, port, { settings: { initialWindowSize: 0 } })
  const stream = h2.request({ ':path': '/' })
  stream.on('error', () => {})
  await eventually(() => answers.length === 2)
  await settled(() => answers.reduce((sum, res) => sum + (res.socket?.bytesWritten ?? 0), 0))
  clock.advance(59_000)
  t.equal(records.ended.length, 0)
  for (let i = 0; i < 4; i++) clock.advance(60_000)
  await records.at(1)
  for (const x of records.ended) t.match(x, { responseFlags: 'DC', responseCodeDetails: 'downstream_write_stalled' })
})

t.test('a connection has its time: idle it closes, busy it finishes', async (t) => {
  const { http: port, clock } = await front(t, (_req, res) => void pending.push(res), {
    manager: { commonHttpProtocolOptions: { maxConnectionDuration: { seconds: 30 } } },
  })
  const pending: http.ServerResponse[] = []
  const idle = new Wire(t, port)
  const busy = new Wire(t, port).send(get('/'))
  const h2 = session(t, port)
  const answered = status(h2.request({ ':path': '/' }))
  await eventually(() => pending.length === 2)
  clock.advance(30_100)
  await idle.end()
  for (const res of pending) res.end('late')
  t.match(await busy.end(), /connection: close\r\n[^]*late$/)
  t.equal(await answered, 200)
  await eventually(() => {
    clock.advance(50)
    return h2.destroyed
  })
})

t.test('so many requests on one connection', async (t) => {
  const { http: port, clock } = await front(t, ok, {
    manager: { commonHttpProtocolOptions: { maxRequestsPerConnection: { value: 2 } } },
  })
  const text = await exchangeBytes(port, get('/1') + get('/2') + get('/3'))
  const answers = text.split('HTTP/1.1 200').slice(1)
  t.equal(answers.length, 2)
  t.notMatch(answers[0], CLOSED)
  t.match(answers[1], CLOSED)
  const h2 = session(t, port)
  const goaway = new Promise((resolve) => h2.on('goaway', resolve))
  t.same(await Promise.all([status(h2.request()), status(h2.request())]), [200, 200])
  await goaway
  await eventually(() => {
    clock.advance(50)
    return h2.destroyed
  })
})

t.test('so many fields in one head', async (t) => {
  const { http: port } = await front(t, ok, {
    manager: { commonHttpProtocolOptions: { maxHeadersCount: { value: 5 } } },
  })
  const many = (n: number): string => get('/', `${'X: a\r\n'.repeat(n - 2)}Connection: close\r\n`)
  t.match(await exchangeBytes(port, many(5)), / 200 /)
  t.match(await exchangeBytes(port, many(6)), / 431 /)
  const h2 = session(t, port)
  const some = (n: number): object => Object.fromEntries(Array.from({ length: n }, (_, i) => [`x-${i}`, 'a']))
  t.equal(await status(h2.request({ ...some(5) })), 200)
  t.equal(await status(h2.request({ ...some(6) })), 431)
})

t.test('more fields than usual, where the configuration takes them', async (t) => {
  const { http: port } = await front(t, (req, res) => void res.end(String(req.rawHeaders.length / 2)), {
    manager: { commonHttpProtocolOptions: { maxHeadersCount: { value: 500 } } },
  })
  const text = await exchangeBytes(port, get('/', `${'X: a\r\n'.repeat(400)}Connection: close\r\n`))
  t.ok(Number(/\d+$/.exec(text)?.[0]) > 400)
})

t.test('names with underscores', async (t) => {
  for (const [action, field, wanted] of [
    [0, 'my_field', /my_field/],
    [1, 'my_field', /^HTTP\/1\.1 400/],
    [1, 'my-field', /my-field/],
    [2, 'my_field', /^(?![^]*my_field)HTTP\/1\.1 200/],
    [0, 'content_type', /^(?![^]*content_type)HTTP\/1\.1 200/],
  ] as const) {
    const { http: port } = await front(t, (req, res) => void res.end(Object.keys(req.headers).join()), {
      manager: { commonHttpProtocolOptions: { headersWithUnderscoresAction: action } },
    })
    t.match(await exchangeBytes(port, get('/', `${field}: 1\r\nConnection: close\r\n`)), wanted)
    const stream = session(t, port).request({ [field]: '1' })
    t.equal(await status(stream), wanted.source.includes('400') ? 400 : 200, `HTTP/2, ${field}`)
  }
})

t.test('HTTP/1.0: refused with 426 where it is not accepted, else it may do without Host', async (t) => {
  const plain = await front(t, ok, { manager: { httpProtocolOptions: {} } })
  const text = await exchangeBytes(plain.http, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  t.match(text, /^HTTP\/1\.1 426 Upgrade Required\r\n[^]*upgrade: HTTP\/1\.1\r\nconnection: upgrade, close\r\n/)
  t.match(plain.records.last, { responseCode: 426, responseCodeDetails: 'low_version' })
  const old = await front(t, (req, res) => void res.end(req.headers.host), {
    manager: { httpProtocolOptions: { acceptHttp_10: true, defaultHostForHttp_10: 'old.test' } },
  })
  t.match(await exchangeBytes(old.http, 'GET / HTTP/1.0\r\n\r\n'), /old\.test$/)
  t.match(await exchangeBytes(old.http, 'GET / HTTP/1.0\r\nHost: new.test\r\n\r\n'), /new\.test$/)
  t.match(await exchangeBytes(old.http, 'GET / HTTP/1.1\r\n\r\n'), / 400 /)
})

t.test('keepalive: a peer that does not answer a PING is gone', async (t) => {
  const { http: port, clock } = await front(t, ok, {
    manager: {
      http2ProtocolOptions: { connectionKeepalive: { interval: { seconds: 10 }, timeout: { seconds: 2 } } },
    },
  })
  const dead = new Wire(t, port).send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
  const live = session(t, port)
  t.equal(await status(live.request()), 200)
  await dead.sees(/\0\0\0\x04\x01\0\0\0\0/)
  const pinged = new Promise((resolve) => live.on('ping', resolve))
  clock.advance(10_050)
  await pinged
  await dead.sees(/\0\0\x08\x06\0\0\0\0\0/)
  t.equal(await status(live.request()), 200, 'its answer to the PING came before this')
  clock.advance(2050)
  await dead.end()
  t.equal(await status(live.request()), 200)
})

t.test('a malformed message ends its stream, or the connection where that is asked for', async (t) => {
  const bad = async (port: number): Promise<string> => {
    const wire = new Wire(t, port)
    // HEADERS with `:path` missing: indexed GET and http, authority by literal
    const block = '\x82\x86\x41\x01a'
    wire.send(
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0${String.fromCharCode(block.length)}\x01\x05\0\0\0\x01${block}`,
    )
    return wire.sees(/\0\0\x04\x03\0\0\0\0\x01|\0\0.\x07\0\0\0\0\0/)
  }
  const RESET = /\0\0\x04\x03\0\0\0\0\x01\0\0\0\x01/
  const lenient = await front(t, ok)
  t.match(await bad(lenient.http), RESET)
  const strict = await front(t, ok, {
    manager: { http2ProtocolOptions: { overrideStreamErrorOnInvalidHttpMessage: { value: false } } },
  })
  t.notMatch(await bad(strict.http), RESET)
})

t.test('a connection that ends waits for its last answer to be read, as long as it is told', async (t) => {
  for (const [delayedCloseTimeout, ms] of [
    [{ seconds: 3 }, 3000],
    [undefined, 1000],
    [{ seconds: 0 }, 0],
  ] as const) {
    const {
      http: port,
      clock,
      plane,
    } = await front(t, ok, {
      manager: delayedCloseTimeout === undefined ? {} : { delayedCloseTimeout },
    })
    const wire = new Wire(t, port).send(get('/', 'Connection: close\r\n'))
    await wire.sees(/ok$/)
    const open = (): number => plane.listenerStats()[0]!.connections
    if (ms > 0) {
      clock.advance(ms - 100)
      t.equal(open(), 1)
    }
    clock.advance(150)
    await eventually(() => open() === 0)
  }
})

t.test('paths: slashes that are escaped, slashes that are many', async (t) => {
  for (const [action, merges, path, wanted] of [
    [0, false, '/a%2fb//c?d=%2F//', / 200 [^]*\/a%2Fb\/\/c\?d=%2F\/\/$/],
    [0, true, '/a///b%2Fc?x=//', / 200 [^]*\r\n\/a\/b%2Fc\?x=\/\/$/],
    [2, false, '/a%2Fb', /^HTTP\/1\.1 400 /],
    [2, false, '/a%5cb', /^HTTP\/1\.1 400 /],
    [2, false, '/a?b=%2F', / 200 /],
    [3, false, '/a%2F..%2fb?c=%2f', /^HTTP\/1\.1 307 [^]*location: \/b\?c=%2f\r\n/],
    [3, false, '/a/b', / 200 /],
    [3, false, '/%2Fother.test/', /^HTTP\/1\.1 307 [^]*location: \/\.\/\/other\.test\/\r\n/],
    [3, false, '/%5cother.test', /^HTTP\/1\.1 307 [^]*location: \/\.\/\/other\.test\r\n/],
    [3, false, '/.//other.test', / 200 [^]*\r\n\/\/other\.test$/],
    [4, true, '/x%2F..%2Fa%5Cb//c', / 200 [^]*\r\n\/a\/b\/c$/],
  ] as const) {
    const { http: port, records } = await front(t, (req, res) => void res.end(req.url), {
      manager: { pathWithEscapedSlashesAction: action, mergeSlashes: merges },
    })
    t.match(await exchangeBytes(port, get(path, 'Connection: close\r\n')), wanted, `${action} ${path}`)
    t.equal(records.ended.length, 1)
  }
})

t.test('what is refused while its head is read is counted and logged', async (t) => {
  const { http: port, records, clock } = await front(t, ok)
  for (const [bytes, wanted] of [
    ['GET / HTTP/1.1\r\nbad header\r\n\r\n', { responseCode: 400, responseFlags: 'DPE' }],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', { responseCode: 400, method: 'GET' }],
    [`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(200)}\r\n`, { responseCode: 431, responseFlags: 'DPE' }],
    ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', { responseCode: 405, responseCodeDetails: 'method_not_allowed' }],
  ] as const) {
    const n = records.ended.length
    await exchangeBytes(port, bytes)
    t.match(await records.at(n), { ...wanted, downstreamRemoteAddress: /^127\.0\.0\.1:/ })
    if (wanted.responseCode === 400) t.match(records.last, { responseCodeDetails: 'http1.codec_error' })
  }
  const n = records.ended.length
  t.equal(await status(session(t, port).request({ ':method': 'TRACE' })), 405)
  t.match(await records.at(n), { method: 'TRACE', responseCode: 405, httpVersion: 'HTTP/2' })
  const slow = new Wire(t, port).send('GET / HT')
  await new Wire(t, port).send(get('/')).sees(/ok$/) // what came before was read before
  clock.advance(61_000)
  t.match(await slow.end(), / 408 /)
  t.match(await records.at(n + 2), { responseCode: 408, responseCodeDetails: 'request_header_timeout' })
})

t.test('the same over HTTP/2, as far as a connection may do it', async (t) => {
  const { http: port, records } = await front(t, ok, { inbound: true })
  const open = (...frames: Buffer[]): net.Socket => {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.write(Buffer.concat([h2.PREFACE, h2.settings(), ...frames]))
    return socket
  }
  const fields = (...more: [string, string][]): Buffer => h2.block(h2.requestFields('GET', '/', ...more))
  for (const [name, frames, wanted] of [
    ['upper case', [h2.headers(1, fields(['Bad', 'x']))], [0, 'http2.invalid.header.field']],
    ['a length without a body', [h2.headers(1, fields(['content-length', '5']))], [0, INVALID_MESSAGE]],
    [
      'more than its length',
      [h2.headers(1, fields(['content-length', '1']), false), h2.data(1, 'more')],
      [0, INVALID_MESSAGE],
    ],
    [
      'too many',
      [h2.headers(1, fields(...Array.from({ length: 300 }, (): [string, string] => ['x', ''])))],
      [431, TOO_LARGE],
    ],
  ] as const) {
    const n = records.ended.length
    const socket = open(...frames)
    const { responseCode, responseCodeDetails, responseFlags, httpVersion } = await records.at(n)
    t.same([responseCode, responseCodeDetails], wanted, name)
    t.same([responseFlags, httpVersion], ['DPE', 'HTTP/2'])
    socket.destroy()
  }
  const before = records.ended.length
  const bad = fields(['Bad', 'x'])
  const socket = open(...Array.from({ length: 5000 }, (_, i) => h2.headers(2 * i + 1, bad)))
  socket.resume()
  await once(socket, 'end')
  t.equal(records.ended.length - before, 1002, 'and no more, but for the connection itself')
  t.equal(records.last.responseCodeDetails, 'http2.ENHANCE_YOUR_CALM{too_many_faulty_streams}')
})

t.test('5,000 cancelled calls cost a stranger its connection, and not a program of this pod', async (t) => {
  for (const inbound of [true, false]) {
    const routes = [
      { name: 'own', match: { prefix: '/' }, directResponse: { status: 200, body: { inlineString: 'ok' } } },
    ]
    const { http: port } = await front(t, ok, { inbound, routes })
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    const block = h2.block(h2.requestFields('GET', '/'))
    const calls = Array.from({ length: 5000 }, (_, i) => [h2.headers(2 * i + 1, block), h2.reset(2 * i + 1, 8)])
    socket.write(Buffer.concat([h2.PREFACE, h2.settings(), ...calls.flat(), h2.headers(10_001, block)]))
    let last = ''
    for await (const { type, stream, payload } of h2.framesOf(socket)) {
      if (type === h2.FRAME.GOAWAY) last = `GOAWAY ${payload.readUInt32BE(4)}`
      if (type === h2.FRAME.DATA && stream === 10_001) last = payload.toString()
      if (last !== '') break
    }
    t.equal(last, inbound ? `GOAWAY ${h2.ENHANCE_YOUR_CALM}` : 'ok')
  }
})

t.test('one source may have so many connections', async (t) => {
  const { plane, port } = createPlane('client', NO_CREDENTIALS, { maxConnectionsPerSource: 2 })
  t.teardown(() => plane.drain(0))
  plane.setRoutes([routes('all', { name: 'own', match: { prefix: '/' }, directResponse: { status: 200 } })])
  t.same(await plane.setListeners([httpListener('http', { rds: 'all' })]), [])
  const first = new Wire(t, port('http')).send(get('/'))
  const second = new Wire(t, port('http')).send(get('/'))
  await Promise.all([first.sees(/ 200 /), second.sees(/ 200 /)])
  t.equal(await new Wire(t, port('http')).send(get('/')).end(), '')
  first.socket.destroy()
  await eventually(() => plane.listenerStats()[0]!.connections === 1)
  await new Wire(t, port('http')).send(get('/')).sees(/ 200 /)
})
