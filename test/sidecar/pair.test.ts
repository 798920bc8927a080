/** Two data planes with mutual TLS between them, as a client's and a server's sidecar. */
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import {
  assignment,
  createPlane,
  edsCluster,
  exchangeBytes,
  forward,
  httpListener,
  inboundListener,
  listen,
  meshCluster,
  routes,
  staticCluster,
  tcpListener,
  TestCredentials,
} from '../helpers/data-plane.ts'
import { credential, meshSocket, spiffeId } from '../helpers/credentials.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { INBOUND, meshPair, OUTBOUND } from '../helpers/mesh-pair.ts'
import { Wire } from './listener/front.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n'

async function pair(t: Test, mode: 'PERMISSIVE' | 'STRICT' | 'DISABLE', mesh: boolean, allowed = ['server']) {
  const seen: http.IncomingHttpHeaders[] = []
  const app = http.createServer((req, res) => {
    seen.push(req.headers)
    if (req.method === 'POST') req.pipe(res)
    else res.end('from the app')
  })
  const made = await meshPair(await listen(app), { mode, mesh, allowed })
  t.teardown(async () => {
    await made.close()
    app.closeAllConnections()
    app.close()
  })
  return { ...made, seen }
}

void t.test('mutual TLS between two sidecars, told in headers and records', async (t) => {
  const { seen, client, server, port } = await pair(t, 'STRICT', true)
  const text = await exchangeBytes(
    port,
    GET.replace('Host', 'X-Forwarded-Client-Cert: forged\r\nX-Envoy-Peer-Metadata: forged\r\nHost'),
  )
  t.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*from the app$/)
  const xfcc = String(seen[0]!['x-forwarded-client-cert'])
  t.match(
    xfcc,
    /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/server;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/client$/,
  )
  t.notOk(seen[0]!['x-envoy-peer-metadata'])
  t.notOk(seen[0]!['x-envoy-peer-metadata-id'])
  t.equal(seen[0]!['x-envoy-attempt-count'], '1')
  t.match(await client.records.at(0), {
    inbound: false,
    mutualTls: true,
    upstreamPrincipal: spiffeId('server'),
    destination: { workload: 'server' },
    source: { workload: 'client' },
  })
  t.match(await server.records.at(0), {
    inbound: true,
    mutualTls: true,
    downstreamPrincipal: spiffeId('client'),
    source: { workload: 'client' },
    destination: { workload: 'server' },
    requestedServerName: 'outbound_.8080_._.server.default.svc.cluster.local',
  })
  t.equal(server.records.ended[0]!.requestId, client.records.ended[0]!.requestId)
  t.match(text, /\r\nserver: envoy\r\n/)
})

void t.test('x-forwarded-proto is what the first proxy saw, and what its client says before that', async (t) => {
  const { seen, server, port } = await pair(t, 'STRICT', true)
  await exchangeBytes(port, GET)
  await exchangeBytes(port, GET.replace('Host', 'X-Forwarded-Proto: https\r\nHost'))
  const overTls = async (target: string): Promise<void> => {
    const socket = meshSocket(server.port('in'), 'istio-http/1.1')
    socket.write(GET.replace('/x', target))
    await once(socket.resume(), 'close')
  }
  await overTls('https://server/y')
  await overTls('http://server/y') // refused, as the next one: a connection answers for its own scheme
  await exchangeBytes(port, GET.replace('/x', 'https://server/y'))
  t.same(
    seen.map((headers) => headers['x-forwarded-proto']),
    ['http', 'https', 'https'],
  )
})

void t.test('STRICT refuses plaintext, PERMISSIVE takes it and knows nobody', async (t) => {
  const strict = await pair(t, 'STRICT', false)
  const refused = await exchangeBytes(strict.port, GET)
  t.match(
    refused,
    /^HTTP\/1\.1 503 [^]*upstream connect error or disconnect\/reset before headers\. reset reason: connection termination$/,
  )
  t.match(await strict.client.records.at(0), { responseFlags: 'UC', responseCode: 503 })
  const permissive = await pair(t, 'PERMISSIVE', false)
  t.match(await exchangeBytes(permissive.port, GET), /from the app$/)
  t.match(await permissive.server.records.at(0), {
    mutualTls: false,
    downstreamPrincipal: '',
    source: { workload: 'unknown' },
  })
  t.notOk(permissive.seen[0]!['x-forwarded-client-cert'])
  const mutual = await pair(t, 'PERMISSIVE', true)
  t.match(await exchangeBytes(mutual.port, GET), /from the app$/)
  t.match(await mutual.server.records.at(0), { mutualTls: true })
})

void t.test('a server with another identity is not spoken to', async (t) => {
  const { port, client, seen } = await pair(t, 'STRICT', true, ['somebody-else'])
  t.match(
    await exchangeBytes(port, GET),
    /^HTTP\/1\.1 503 [^]*reset reason: remote connection failure, transport failure reason: TLS_error/,
  )
  t.match(await client.records.at(0), { responseFlags: 'UF' })
  t.equal(seen.length, 0)
})

void t.test('TLS of the application itself passes a PERMISSIVE port untouched', async (t) => {
  const own = credential('app')
  const app = tls.createServer({ key: own.keyPem, cert: own.certChainPem }, (socket) => socket.end('own tls'))
  const appPort = await listen(app)
  const server = createPlane('server', new TestCredentials(credential('server')))
  server.plane.setClusters([staticCluster(INBOUND, appPort)])
  await server.plane.setListeners([inboundListener('in', INBOUND, 'PERMISSIVE')])
  t.teardown(async () => {
    await server.plane.drain(0)
    app.close()
  })
  const text = await new Promise<string>((resolve, reject) => {
    let got = ''
    const socket = tls.connect({
      port: server.port('in'),
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    })
    socket
      .on('data', (c: Buffer) => (got += c.toString()))
      .on('end', () => resolve(got))
      .on('error', reject)
  })
  t.equal(text, 'own tls')
  t.match(await server.records.at(0), { protocol: 'tcp', bytesSent: Number, responseFlags: '' })
})

/** Of timers only: certificates are of today. */
class TimerClock extends ManualClock {
  override nowEpochMs(): number {
    return Date.now()
  }
}

void t.test('opaque bytes over mutual TLS end with the certificate of the server', async (t) => {
  const own = credential('server', 1, 20 * 60_000)
  const sockets = new Set<net.Socket>()
  const server = tls.createServer(
    { key: own.keyPem, cert: own.certChainPem, ALPNProtocols: ['istio', 'istio-http/1.1'] },
    (socket) => socket.on('error', () => {}).pipe(socket),
  )
  server.on('connection', (socket) => void sockets.add(socket))
  const clock = new TimerClock()
  const { plane, records, port } = createPlane('client', new TestCredentials(credential('client')), { clock })
  plane.setClusters([meshCluster(OUTBOUND, [spiffeId('server')], edsCluster(OUTBOUND))])
  plane.setEndpoints([assignment(OUTBOUND, [{ port: await listen(server), mesh: true }])])
  const upgradeConfigs = [{ upgradeType: 'CONNECT' as const, connectConfig: {} }]
  plane.setRoutes([routes('all', forward(OUTBOUND, { match: { connectMatcher: {} } }, { upgradeConfigs }))])
  t.same(await plane.setListeners([tcpListener('tcp', OUTBOUND), httpListener('http', { rds: 'all' })]), [])
  t.teardown(async () => {
    await plane.drain(0)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const connect = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
  for (const [i, [listener, opening]] of Object.entries({ tcp: '', http: connect }).entries()) {
    const wire = new Wire(t, port(listener)).send(`${opening}hello`)
    await wire.sees(/hello$/)
    clock.advance(10 * 60_000)
    await wire.send(', still').sees(/hello, still$/)
    clock.advance(11 * 60_000) // sooner than the tunnel is idle for too long
    t.match(await wire.end(), /hello, still$/)
    t.match(await records.at(i), { upstreamPrincipal: spiffeId('server'), mutualTls: true }, listener)
  }
})

void t.test('routes, endpoints and certificates change under load, no request fails', async (t) => {
  const first = await pair(t, 'PERMISSIVE', true)
  const second = await pair(t, 'PERMISSIVE', true)
  const { plane } = first.client
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  t.teardown(() => agent.destroy())
  let failed = 0
  let done = 0
  const one = (method: string): Promise<void> =>
    new Promise((resolve) => {
      const req = http.request(
        { port: first.port, host: '127.0.0.1', agent, method, path: '/', headers: { host: 'server' } },
        (res) => {
          if (res.statusCode !== 200) failed++
          res.resume().on('end', resolve)
        },
      )
      req.on('error', () => {
        failed++
        resolve()
      })
      req.end(method === 'POST' ? 'x'.repeat(2000) : undefined)
    })
  const client = async (): Promise<void> => {
    while (done < 400) {
      done++
      await one(done % 3 === 0 ? 'POST' : 'GET')
    }
  }
  const change = async (): Promise<void> => {
    for (let i = 0; ; i++) {
      if (done >= 400) return
      const port = [first.server.port('in'), second.server.port('in')][i % 2]!
      const both = [{ port, mesh: true }, ...(i % 3 === 0 ? [{ port: first.server.port('in'), mesh: true }] : [])]
      plane.setEndpoints([assignment(OUTBOUND, both)])
      plane.setRoutes([routes('8080', forward(OUTBOUND, { name: `r${i}` }))])
      plane.setClusters([
        meshCluster(OUTBOUND, [spiffeId('server'), ...(i % 5 === 0 ? [spiffeId('other')] : [])], edsCluster(OUTBOUND)),
      ])
      if (i % 10 === 5) {
        first.clientCredentials.rotate(credential('client', i))
        first.serverCredentials.rotate(credential('server', i))
        second.serverCredentials.rotate(credential('server', i))
      }
      await plane.setListeners([httpListener('out', { rds: '8080' })])
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await Promise.all([...Array.from({ length: 8 }, client), change()])
  t.equal(failed, 0)
  t.ok(second.server.records.ended.length > 0, 'both were used')
  t.ok(first.client.records.ended.every((x) => x.responseFlags === '' && x.mutualTls))
  t.equal(plane.listenerStats()[0]!.address, `127.0.0.1:${first.port}`, 'the socket stayed')
})

void t.test('idle links with an older certificate are closed at once', async (t) => {
  const { port, client, clientCredentials } = await pair(t, 'STRICT', true)
  await exchangeBytes(port, GET)
  t.equal(client.plane.clusterStats()[0]!.endpoints[0]!.connections, 1)
  clientCredentials.rotate(credential('client', 2))
  t.equal(client.plane.clusterStats()[0]!.endpoints[0]!.connections, 0)
  t.match(await exchangeBytes(port, GET), /from the app$/)
})

void t.test('a sidecar that is not there: the connection is refused, the body says why', async (t) => {
  const { port, client } = await pair(t, 'STRICT', true)
  const closed = net.createServer()
  const free = await listen(closed)
  await new Promise((resolve) => closed.close(resolve))
  client.plane.setEndpoints([assignment(OUTBOUND, [{ port: free, mesh: true }])])
  t.match(
    await exchangeBytes(port, GET),
    /reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused$/,
  )
  client.plane.setEndpoints([assignment(OUTBOUND, [])])
  t.match(await exchangeBytes(port, GET), /^HTTP\/1\.1 503 [^]*\r\n\r\nno healthy upstream$/)
  client.plane.setClusters([])
  t.match(await exchangeBytes(port, GET), /^HTTP\/1\.1 503 [^]*\r\n\r\n$/)
  client.plane.setRoutes([{ name: '8080', virtualHosts: [{ name: 'x', domains: ['other'], routes: [] }] }])
  t.match(await exchangeBytes(port, GET), /^HTTP\/1\.1 404 [^]*\r\n\r\n$/)
  t.same(
    client.records.ended.map((x) => x.responseFlags),
    ['UF', 'UH', 'NC', 'NR'],
  )
})
