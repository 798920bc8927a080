/** Which upgrades a listener and a route allow, and CONNECT, which may end here as TCP to a cluster. */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import t from 'tap'
import { exchangeBytes, forward, type XdsRoute } from '../../helpers/data-plane.ts'
import { hasNoPeer } from '../../../src/sidecar/transport/stream-handle.ts'
import { eventually, front, type FrontInit, get, settled, Wire } from '../listener/front.ts'

const upgradeTo = (protocol: string): string =>
  get(
    '/',
    `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n`,
  )

/** Takes any upgrade, and sends back what comes in capitals. */
function shouting(): http.Server {
  return http.createServer().on('upgrade', (req, socket) => {
    socket.on('error', () => {})
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\n`)
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()))
    socket.on('end', () => socket.end())
  })
}

t.test('upgrades: any but CONNECT, or those of the list, and a route says it better', async (t) => {
  const off = { upgradeConfigs: [{ upgradeType: 'websocket', enabled: { value: false } }] }
  const on = { upgradeConfigs: [{ upgradeType: 'WebSocket' }] }
  for (const [name, init, protocol, isAllowed] of [
    ['no list', {}, 'other', true],
    ['a list without it', { manager: on }, 'other', false],
    ['a list with it', { manager: on }, 'websocket', true],
    ['switched off', { manager: off }, 'websocket', false],
    ['off in the route', { manager: on, action: off }, 'websocket', false],
    ['on in the route', { manager: off, action: on }, 'websocket', true],
  ] as [string, FrontInit, string, boolean][]) {
    const { http: port, records } = await front(t, shouting(), init)
    const wire = new Wire(t, port).send(upgradeTo(protocol))
    await wire.sees(/HTTP\/1\.1 \d+ [^]*\r\n\r\n/)
    if (isAllowed) t.match(await wire.send('hello').sees(/HELLO$/), / 101 /, name)
    else {
      t.match(wire.text, / 403 /, name)
      t.match(records.last, { responseCodeDetails: 'upgrade_failed' })
      t.match(await wire.send(get('/')).until(() => wire.text.length > 0), / 403 /, 'HTTP goes on')
    }
    wire.socket.destroy()
  }
})

t.test('a client that has half-closed gets the answer to its upgrade, and to what it sent', async (t) => {
  const { http: port } = await front(t, shouting())
  const wire = new Wire(t, port).send(upgradeTo('websocket'))
  wire.socket.end('all of it')
  t.match(await wire.end(), / 101 [^]*ALL OF IT$/)
  const plain = await front(t, (_req, res) => void res.end('no'))
  const refused = new Wire(t, plain.http).send(upgradeTo('websocket'))
  refused.socket.end()
  t.match(await refused.end(), / 200 [^]*no/)
})

const CONNECT_ROUTE: XdsRoute = {
  name: 'tunnel',
  match: { connectMatcher: {} },
  route: { cluster: 'app', upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }] },
}
const MANAGER = { upgradeConfigs: [{ upgradeType: 'CONNECT' }] }

/** Speaks first, and says everything twice. */
function echo(): net.Server {
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.write('220 hello\r\n')
    socket.on('data', (chunk) => {
      socket.write(chunk)
      socket.write(chunk)
    })
    socket.on('end', () => socket.end('bye'))
  })
}

t.test('CONNECT ends here: its payload goes on as TCP', async (t) => {
  for (const manager of [MANAGER, {}]) {
    const { http: port, records } = await front(t, echo(), { manager, routes: [CONNECT_ROUTE, forward('app')] })
    const wire = new Wire(t, port).send('CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\nearly')
    t.match(
      await wire.sees(/220 hello\r\nearlyearly$/),
      /^HTTP\/1\.1 200 OK\r\n(?![^]*content-length)(?![^]*transfer-encoding)/,
    )
    wire.send('ab')
    await wire.sees(/abab$/)
    wire.socket.end()
    t.match(await wire.end(), /bye$/)
    const x = await records.at(0)
    t.match(x, {
      method: 'CONNECT',
      authority: 'db.test:5432',
      responseCode: 200,
      bytesReceived: 7,
      clusterName: 'app',
    })
  }
})

t.test('CONNECT over HTTP/2', async (t) => {
  const { http: port, records } = await front(t, echo(), { manager: MANAGER, routes: [CONNECT_ROUTE] })
  const client = http2.connect(`http://127.0.0.1:${port}`)
  t.teardown(() => client.destroy())
  const stream = client.request({ ':method': 'CONNECT', ':authority': 'db.test:5432' })
  let text = ''
  stream.on('data', (chunk) => (text += String(chunk)))
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  t.equal(headers[':status'], 200)
  stream.write('ab')
  await eventually(() => text.endsWith('abab'))
  stream.end()
  await once(stream, 'end')
  t.equal(text, '220 hello\r\nababbye')
  t.match(await records.at(0), { method: 'CONNECT', httpVersion: 'HTTP/2', responseCode: 200 })
})

t.test('a reset on either side of a tunnel is one on the other', async (t) => {
  const sockets: net.Socket[] = []
  const app = net.createServer((socket) => {
    sockets.push(socket.on('error', () => {}).resume())
  })
  const { http: port, records } = await front(t, app, { routes: [CONNECT_ROUTE] })
  const open = async (): Promise<Wire> => {
    const wire = new Wire(t, port).send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
    await wire.sees(/\r\n\r\n/)
    return wire
  }
  const first = await open()
  await eventually(() => sockets.length === 1)
  const error = once(first.socket, 'error')
  sockets[0]!.resetAndDestroy()
  t.match(await error, [{ code: 'ECONNRESET' }])
  t.match(await records.at(0), { responseFlags: 'UC' })
  const second = await open()
  await eventually(() => sockets.length === 2)
  const closed = new Promise((resolve) => sockets[1]!.once('close', resolve))
  second.socket.resetAndDestroy()
  t.equal(await closed, true, 'by an error')
})

t.test('CONNECT that is not for here: 405, and what follows is no request', async (t) => {
  const smuggled = get('/smuggled')
  for (const [name, init] of [
    ['nothing said', {}],
    ['allowed, no route', { manager: MANAGER }],
    ['switched off', { manager: { upgradeConfigs: [{ upgradeType: 'CONNECT', enabled: { value: false } }] } }],
  ] as [string, FrontInit][]) {
    const { http: port, seen } = await front(t, (_req, res) => void res.end(), init)
    t.match(
      await exchangeBytes(port, `CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n${smuggled}`),
      /^HTTP\/1\.1 405 (?![^]*HTTP\/1\.1)/,
      name,
    )
    t.equal(seen.requests, 0)
    const client = http2.connect(`http://127.0.0.1:${port}`)
    const stream = client.request({ ':method': 'CONNECT', ':authority': 'a:1' }).on('error', () => {})
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    t.equal(headers[':status'], 405)
    client.destroy()
  }
})

t.test('a tunnel to nobody is 503, and the connection ends', async (t) => {
  const { http: port, records, plane } = await front(t, echo(), { routes: [CONNECT_ROUTE] })
  plane.setClusters([
    {
      name: 'app',
      type: 0,
      loadAssignment: {
        endpoints: [
          { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: 1 } } } }] },
        ],
      },
    },
  ])
  t.match(
    await exchangeBytes(port, `CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n${get('/')}`),
    /^HTTP\/1\.1 503 (?![^]*HTTP\/1\.1)/,
  )
  t.match(records.last, { responseFlags: 'UF', method: 'CONNECT' })
})

/** What a socket of ours reports as an end may have been a reset: then the system knows no peer any more. */
const endOf = (socket: net.Socket): string => (hasNoPeer(socket) ? 'reset' : 'end')

t.test('a reset with the last bytes is one on the other side too', async (t) => {
  const ends: string[] = []
  const app = net.createServer({ allowHalfOpen: true }, (socket) => {
    let how = ''
    socket.on('error', () => (how ||= 'reset')).on('close', () => ends.push(how))
    socket.on('end', () => {
      how ||= endOf(socket)
      socket.end()
    })
    socket.once('data', (chunk: Buffer) => {
      if (chunk.toString() !== 'go') return
      socket.write('last words')
      socket.resetAndDestroy()
    })
  })
  const { http: port } = await front(t, app, { routes: [CONNECT_ROUTE] })
  const open = async (): Promise<Wire> => {
    const wire = new Wire(t, port).send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
    await wire.sees(/\r\n\r\n/)
    return wire
  }
  for (let i = 0; i < 20; i++) {
    const wire = await open()
    let how = ''
    wire.socket.on('end', () => (how ||= endOf(wire.socket))).on('error', () => (how ||= 'reset'))
    await wire.send('go').end()
    t.equal(how, 'reset', 'of the upstream')
    wire.socket.destroy()
  }
  await eventually(() => ends.length === 20)
  for (let i = 1; i <= 20; i++) {
    const wire = await open()
    wire.send('last words').socket.resetAndDestroy()
    await eventually(() => ends.length === 20 + i)
    t.equal(ends.at(-1), 'reset', 'of the client')
  }
})

t.test('a tunnel that has ended, and whose client takes nothing more, has its time', async (t) => {
  const sockets: net.Socket[] = []
  const app = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}).resume())
  })
  const { http: port, clock, records, plane } = await front(t, app, { routes: [CONNECT_ROUTE] })
  const wire = new Wire(t, port).send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
  await wire.sees(/\r\n\r\n/)
  wire.socket.pause()
  const server = sockets[0]!
  while (plane.bufferedBytes() === 0) {
    server.write(Buffer.alloc(16_384))
    await settled(() => server.writableLength + plane.bufferedBytes())
  }
  server.end()
  wire.socket.end()
  await records.at(0)
  const open = (): number => plane.listenerStats()[0]!.connections
  t.equal(open(), 1)
  for (let i = 0; i < 3; i++) clock.advance(60_000)
  await eventually(() => open() === 0)
})
