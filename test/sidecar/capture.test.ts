/** Captured connections, the forward proxy, TCP services: raw peers on both sides. */
import http from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import { encodeProxyHeader } from '../../src/sidecar/codec/proxy-v2.ts'
import { EXTENSION, pack } from '../../src/xds/type-urls.ts'
import {
  captureListener,
  createPlane,
  destinationListener,
  exchangeBytes,
  forward,
  httpChain,
  httpListener,
  listen,
  NO_CREDENTIALS,
  originalDstCluster,
  routes,
  staticCluster,
  tcpChain,
  tcpListener,
  type XdsRoutes,
} from '../helpers/data-plane.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { eventually, settled, Wire } from './listener/front.ts'

const GET = 'GET / HTTP/1.1\r\nHost: shop:8080\r\nConnection: close\r\n\r\n'
const VIP = '240.240.0.5'

async function setUp(t: Test) {
  const app = http.createServer((req, res) => res.end(`http ${req.headers.host} ${req.url}`))
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.write('hello ')
    socket.pipe(socket)
  })
  const appPort = await listen(app)
  const echoPort = await listen(echo)
  const { plane, records, port } = createPlane()
  plane.setClusters([
    staticCluster('app', appPort),
    staticCluster('db', echoPort),
    staticCluster('empty'),
    originalDstCluster,
  ])
  const proxyRoutes: XdsRoutes = {
    name: 'http_proxy',
    virtualHosts: [
      { name: 'shop', domains: ['shop', 'shop:8080'], routes: [forward('app')] },
      { name: 'allow_any', domains: ['*'], routes: [forward('PassthroughCluster')] },
    ],
  }
  plane.setRoutes([routes('8080', forward('app')), proxyRoutes])
  plane.setNames(
    new Map([
      ['db', [VIP]],
      ['shop', ['2001:2::5']],
    ]),
  )
  const auto = destinationListener(
    VIP,
    7000,
    httpChain({ rds: '8080' }, { filterChainMatch: { applicationProtocols: ['http/1.1', 'http/1.0'] } }),
  )
  auto.defaultFilterChain = tcpChain('db')
  auto.listenerFilters = [{ name: 'http', typedConfig: pack(EXTENSION.httpInspector, {}) }]
  auto.listenerFiltersTimeout = { seconds: 0, nanos: 200_000_000 }
  t.same(
    await plane.setListeners([
      captureListener,
      destinationListener('0.0.0.0', 8080, httpChain({ rds: '8080' })),
      destinationListener(VIP, 5432, tcpChain('db')),
      auto,
      httpListener('http_proxy', { rds: 'http_proxy' }),
      tcpListener('db', 'db'),
      tcpListener('empty', 'empty'),
    ]),
    [],
  )
  t.teardown(async () => {
    await plane.drain(0)
    app.closeAllConnections()
    app.close()
    echo.close()
  })
  return { plane, records, port, appPort, echoPort }
}

const header = (host: string, port: number): Buffer =>
  encodeProxyHeader({ host: host.includes(':') ? '::1' : '127.0.0.1', port: 40_000 }, { host, port })

void t.test('a captured connection goes to the listener of its destination', async (t) => {
  const { port, records } = await setUp(t)
  const capture = port('virtualOutbound')
  const to = (host: string, dport: number, text: string): Promise<string> =>
    exchangeBytes(capture, Buffer.concat([header(host, dport), Buffer.from(text)]), true)
  t.match(await to('240.240.0.9', 8080, GET), /http shop:8080 \/$/)
  t.match(await to('2001:2::9', 8080, GET), /http shop:8080 \/$/)
  t.equal(await to(VIP, 5432, 'select'), 'hello select')
  t.equal(await to(VIP, 7000, 'not http\r\n'), 'hello not http\r\n')
  t.match(await to(VIP, 7000, GET), /http shop:8080 \/$/)
  t.equal(await to(VIP, 7000, 'GET'), 'hello GET', 'ended before it was clear')
  t.equal(records.ended[0]!.downstreamLocalAddress, '240.240.0.9:8080')
  t.match(records.ended[2], { protocol: 'tcp', clusterName: 'db', bytesReceived: 6, bytesSent: 12 })
  t.equal(records.opened.length, 3)
})

void t.test('a server that speaks first on an auto port is waited for only so long', async (t) => {
  const { port } = await setUp(t)
  const text = await new Promise<string>((resolve, reject) => {
    const socket = net.connect(port('virtualOutbound'), '127.0.0.1', () => socket.write(header(VIP, 7000)))
    socket.on('data', (chunk: Buffer) => {
      resolve(chunk.toString())
      socket.destroy()
    })
    socket.on('error', reject)
  })
  t.equal(text, 'hello ')
})

void t.test('without a header, with a broken one, or to this host itself: refused', async (t) => {
  const { port, appPort, records } = await setUp(t)
  const capture = port('virtualOutbound')
  await t.rejects(exchangeBytes(capture, GET))
  await t.rejects(exchangeBytes(capture, Buffer.concat([header(VIP, 1).subarray(0, 20)]), true))
  await t.rejects(exchangeBytes(capture, Buffer.concat([header('127.0.0.1', appPort), Buffer.from(GET)])))
  await t.rejects(exchangeBytes(capture, Buffer.concat([header('::1', appPort), Buffer.from(GET)])))
  // a virtual address for which there is no listener is nobody's, and not dialled
  for (const host of [VIP, '2001:2::5', '10.244.0.3', 'fd00:10:244::3'])
    await t.rejects(exchangeBytes(capture, Buffer.concat([header(host, 5433), Buffer.from(GET)])), host)
  t.match(records.last, { clusterName: 'PassthroughCluster', responseCodeDetails: 'forward_proxy_target_refused' })
  const mapped = await exchangeBytes(capture, Buffer.concat([header(`::ffff:${VIP}`, 5432), Buffer.from('x')]), true)
  t.equal(mapped, 'hello x')
})

void t.test('the forward proxy: absolute-form, CONNECT, and what it refuses', async (t) => {
  const { port, appPort } = await setUp(t)
  const proxy = port('http_proxy')
  t.match(
    await exchangeBytes(proxy, 'GET http://shop:8080/a?b HTTP/1.1\r\nHost: ignored\r\nConnection: close\r\n\r\n'),
    /http shop:8080 \/a\?b$/,
  )
  t.match(
    await exchangeBytes(proxy, 'GET http://shop HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n'),
    /http shop \/$/,
  )
  t.match(
    await exchangeBytes(proxy, `GET http://127.0.0.1:${appPort}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 403 /,
  )
  t.match(
    await exchangeBytes(proxy, `GET http://localhost:${appPort}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 403 /,
  )
  t.match(
    await exchangeBytes(proxy, `CONNECT shop:8080 HTTP/1.1\r\nHost: shop:8080\r\n\r\n${GET}`),
    /^HTTP\/1\.1 200 OK\r\n\r\nHTTP\/1\.1 200 OK[^]*http shop:8080 \/$/,
  )
  t.equal(
    await exchangeBytes(proxy, 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\nping', true),
    'HTTP/1.1 200 OK\r\n\r\nhello ping',
  )
  for (const target of [
    `127.0.0.1:${appPort}`,
    `[::1]:${appPort}`,
    `[::ffff:127.0.0.1]:${appPort}`,
    `localhost:${appPort}`,
    '169.254.169.254:80',
    '240.240.0.99:5432',
    '[2001:2::99]:5432',
    '10.244.0.3:8080',
    '0.0.0.0:80',
  ])
    t.match(
      await exchangeBytes(proxy, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`),
      /^HTTP\/1\.1 403 /,
      target,
    )
  t.equal(
    await exchangeBytes(proxy, `CONNECT ${VIP}:5432 HTTP/1.1\r\nHost: ${VIP}:5432\r\n\r\nping`, true),
    'HTTP/1.1 200 OK\r\n\r\nhello ping',
    'a virtual address that is somebody',
  )
  t.match(await exchangeBytes(proxy, 'CONNECT db HTTP/1.1\r\nHost: db\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(
    await exchangeBytes(port('http_proxy'), 'CONNECT name.invalid:80 HTTP/1.1\r\nHost: name.invalid:80\r\n\r\n'),
    /^HTTP\/1\.1 502 /,
  )
})

void t.test('TCP: each half ends by itself, a reset comes through, no endpoint is a reset', async (t) => {
  const { port, records } = await setUp(t)
  t.equal(await exchangeBytes(port('db'), 'one', true), 'hello one')
  await t.rejects(exchangeBytes(port('empty'), 'x'), { code: 'ECONNRESET' })
  t.match(await records.at(1), { responseFlags: 'UH', protocol: 'tcp' })
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  const plane2 = createPlane()
  plane2.plane.setClusters([staticCluster('r', await listen(server))])
  await plane2.plane.setListeners([tcpListener('r', 'r')])
  await t.rejects(exchangeBytes(plane2.port('r'), 'x'), { code: 'ECONNRESET' })
  t.match(await plane2.records.at(0), { responseFlags: 'UC' })
  await plane2.plane.drain(0)
  server.close()
})

void t.test('64 MiB through TCP and back, the slow side sets the pace', async (t) => {
  const { port } = await setUp(t)
  const total = 64 * 1024 * 1024
  const got = await new Promise<number>((resolve, reject) => {
    const socket = net.connect({ port: port('db'), host: '127.0.0.1', allowHalfOpen: true })
    let bytes = 0
    let sent = 0
    const chunk = Buffer.alloc(1 << 20, 'z')
    const more = (): void => {
      while (sent < total) {
        sent += chunk.length
        if (!socket.write(chunk)) {
          socket.once('drain', more)
          return
        }
      }
      socket.end()
    }
    more()
    socket.on('data', (c: Buffer) => (bytes += c.length))
    socket.on('end', () => resolve(bytes))
    socket.on('error', reject)
  })
  t.equal(got, total + 'hello '.length)
})

void t.test('a CONNECT that is refused is no way to keep a connection', async (t) => {
  const clock = new ManualClock()
  const { plane, port } = createPlane('client', NO_CREDENTIALS, { clock })
  plane.setClusters([originalDstCluster])
  plane.setRoutes([
    { name: 'http_proxy', virtualHosts: [{ name: 'any', domains: ['*'], routes: [forward('PassthroughCluster')] }] },
  ])
  t.same(await plane.setListeners([httpListener('http_proxy', { rds: 'http_proxy' })]), [])
  t.teardown(() => plane.drain(0))
  const wire = new Wire(t, port('http_proxy')).send('CONNECT 10.0.0.1:0 HTTP/1.1\r\nHost: 10.0.0.1:1\r\n\r\n')
  const refused = new Wire(t, port('http_proxy')).send('CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n')
  t.match(await wire.end(), / 400 /)
  t.match(await refused.end(), / [45]\d\d /)
  let errors = 0
  refused.socket.on('error', () => errors++)
  clock.advance(900)
  refused.send('x')
  await settled(() => errors)
  t.equal(errors, 0, 'what it still sends is read')
  clock.advance(200)
  await eventually(() => {
    refused.send('x')
    return errors > 0
  })
})
