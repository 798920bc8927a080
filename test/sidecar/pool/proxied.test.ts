/** Connections between proxies over UNIX sockets: a PROXY header, then TLS or plain bytes. */
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { decodeProxyHeader, encodeProxyHeader } from '../../../src/sidecar/codec/proxy-v2.ts'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import { credential, spiffeId } from '../../helpers/credentials.ts'
import {
  assignment,
  captureListener,
  createPlane,
  destinationListener,
  edsCluster,
  exchangeBytes,
  forward,
  httpChain,
  httpListener,
  inboundListener,
  listen,
  meshCluster,
  originalDstCluster,
  routes,
  staticCluster,
  tcpChain,
  tcpListener,
  TestCredentials,
  type XdsCluster,
  type XdsListener,
} from '../../helpers/data-plane.ts'
import { pipe, pipeCluster, piped, proxied, socketFolder } from '../listener/pipes.ts'

const CLUSTER = 'outbound|8080||server.default.svc.cluster.local'
const GET = 'GET /x HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n'
const CALLER = { host: '10.244.0.7', port: 41_000 }

const header = (host: string, port: number): Buffer =>
  encodeProxyHeader({ host: host.includes(':') ? '::1' : '127.0.0.1', port: 40_000 }, { host, port })

/** A peer on a UNIX socket that notes the header of each connection and what came after it. */
async function peer(t: Test, path: string): Promise<{ from: string; to: string; text: string }[]> {
  const seen: { from: string; to: string; text: string }[] = []
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = Buffer.alloc(0)
    let echoed = 0
    let entry: { from: string; to: string; text: string } | undefined
    socket.on('error', () => {}).on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (entry === undefined) {
        const read = decodeProxyHeader(bytes)
        if (read.kind === 'more') return
        if (read.kind !== 'proxy') throw new Error(`header: ${read.kind}`)
        const label = (a: { host: string; port: number }): string => `${a.host} ${a.port}`
        entry = { from: label(read.source), to: label(read.destination), text: '' }
        seen.push(entry)
        bytes = bytes.subarray(read.bytes)
      }
      entry.text = bytes.toString('latin1')
      const asked = entry.text.match(/\r\n\r\n/g)?.length ?? 0
      if (bytes.length === 0) return
      if (entry.text.startsWith('GET ')) {
        const body = `${entry.to} #${asked}`
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      } else socket.write(bytes.subarray(echoed))
      echoed = bytes.length
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  return seen
}

/** The mesh's cluster, with a header before TLS and before plain bytes. */
function proxiedMesh(ids: string[], path: string, mesh: boolean): [XdsCluster, ReturnType<typeof assignment>] {
  const cluster = meshCluster(CLUSTER, ids, edsCluster(CLUSTER))
  for (const match of cluster.transportSocketMatches ?? []) match.transportSocket = proxied(match.transportSocket!)
  const list = assignment(CLUSTER, [{ port: 1, mesh }])
  list.endpoints![0]!.lbEndpoints![0]!.endpoint = { address: pipe(path) }
  return [cluster, list]
}

t.test('two sidecars over a UNIX socket: header, then mutual TLS or plain bytes', async (t) => {
  const app = http.createServer((_req, res) => res.end('from the app'))
  const server = createPlane('server', new TestCredentials(credential('server')))
  server.plane.setClusters([staticCluster('inbound|8080||', await listen(app))])
  const path = join(socketFolder(t), 'in.sock')
  const inbound = piped(path, inboundListener('in', 'inbound|8080||', 'PERMISSIVE'))
  t.same(await server.plane.setListeners([inbound]), [])
  const client = createPlane('client', new TestCredentials(credential('client')))
  t.teardown(async () => {
    await client.plane.drain(0)
    await server.plane.drain(0)
    app.closeAllConnections()
    app.close()
  })
  let seen = 0
  for (const mesh of [true, false]) {
    const [cluster, endpoints] = proxiedMesh([spiffeId('server')], path, mesh)
    client.plane.setClusters([cluster])
    client.plane.setEndpoints([endpoints])
    client.plane.setRoutes([routes('8080', forward(CLUSTER))])
    t.same(await client.plane.setListeners([httpListener('out', { rds: '8080' })]), [])
    for (let i = 0; i < 2; i++) {
      t.match(await exchangeBytes(client.port('out'), GET), /^HTTP\/1\.1 200 OK[^]*from the app$/)
      t.match(await server.records.at(seen++), {
        downstreamPrincipal: mesh ? spiffeId('client') : '',
        downstreamRemoteAddress: '127.0.0.1:0', // its own: the link serves several clients
        downstreamLocalAddress: '',
      })
    }
    t.equal(client.plane.clusterStats()[0]!.endpoints[0]!.connections, 1, 'one link for both requests')
  }
  t.equal(client.records.last.upstreamHost, path)
})

t.test('TCP over mutual TLS over a UNIX socket: the header is in front, the client is told', async (t) => {
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  const server = createPlane('server', new TestCredentials(credential('server')))
  server.plane.setClusters([staticCluster('inbound|5432||', await listen(echo))])
  const path = join(socketFolder(t), 'in.sock')
  const tlsContext = { requireClientCertificate: { value: true }, commonTlsContext: { alpnProtocols: ['istio'] } }
  const strict = {
    ...tcpListener('in', 'inbound|5432||'),
    trafficDirection: 1 as const,
    listenerFilters: [{ name: 'tls', typedConfig: pack(EXTENSION.tlsInspector, {}) }],
    filterChains: [
      tcpChain('inbound|5432||', {
        filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ['istio'] },
        transportSocket: { typedConfig: pack(EXTENSION.downstreamTls, tlsContext) },
      }),
    ],
  }
  t.same(await server.plane.setListeners([piped(path, strict)]), [])
  const client = createPlane('client', new TestCredentials(credential('client')))
  const [cluster, endpoints] = proxiedMesh([spiffeId('server')], path, true)
  client.plane.setClusters([cluster])
  client.plane.setEndpoints([endpoints])
  t.same(await client.plane.setListeners([tcpListener('out', CLUSTER)]), [])
  t.teardown(async () => {
    await client.plane.drain(0)
    await server.plane.drain(0)
    echo.close()
  })
  const big = 'x'.repeat(300_000)
  t.ok((await exchangeBytes(client.port('out'), big, true)) === big)
  const { downstreamRemoteAddress } = await client.records.at(0)
  t.match(await server.records.at(0), { downstreamPrincipal: spiffeId('client'), downstreamRemoteAddress })
})

t.test('TCP tells its own client and where it meant to go; an endpoint that is no pipe gets no header', async (t) => {
  const path = join(socketFolder(t), 'up.sock')
  const seen = await peer(t, path)
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  const { plane, port, records } = createPlane()
  t.teardown(async () => {
    await plane.drain(0)
    echo.close()
  })
  plane.setClusters([
    pipeCluster('db', path),
    { ...staticCluster('plain', await listen(echo)), transportSocket: proxied() },
    pipeCluster('bare', path, { typedConfig: pack(EXTENSION.rawBuffer, {}) }),
  ])
  t.same(
    await plane.setListeners([
      { ...captureListener, defaultFilterChain: tcpChain('db') },
      destinationListener('0.0.0.0', 9, tcpChain('plain')),
      tcpListener('direct', 'db'),
      piped(join(socketFolder(t), 'e.sock'), {
        ...captureListener,
        name: 'egress',
        defaultFilterChain: tcpChain('db'),
      }),
    ]),
    [],
  )
  const capture = port('virtualOutbound')
  t.equal(await exchangeBytes(capture, Buffer.concat([header('240.240.0.5', 5432), Buffer.from('one')]), true), 'one')
  t.equal(await exchangeBytes(capture, Buffer.concat([header('2001:2::5', 5432), Buffer.from('two')]), true), 'two')
  t.equal(await exchangeBytes(port('direct'), 'three', true), 'three')
  t.equal(await exchangeBytes(capture, Buffer.concat([header('1.1.1.1', 9), Buffer.from('four')]), true), 'four')
  await records.at(3)
  t.match(seen, [
    { from: /^127\.0\.0\.1 \d+$/, to: '240.240.0.5 5432', text: 'one' },
    { from: /^127\.0\.0\.1 \d+$/, to: '2001:2::5 5432', text: 'two' },
    { from: /^127\.0\.0\.1 \d+$/, to: /^127\.0\.0\.1 \d+$/, text: 'three' },
  ])
  t.notMatch(seen[0]!.from, / 40000$/, 'a program does not choose its address')
  t.equal(seen[2]!.from, seen[2]!.to)
  t.equal(seen.length, 3)
  const bad = { ...pipeCluster('v1', path), transportSocket: proxied() }
  bad.transportSocket.typedConfig = pack(EXTENSION.upstreamProxyProtocol, { config: { version: 0 } })
  t.match(plane.setClusters([bad]), [{ name: 'v1', detail: /V2/ }])
})

t.test('a passthrough over a pipe keeps destinations apart under keep-alive, HTTP and TCP', async (t) => {
  const path = join(socketFolder(t), 'egress.sock')
  const seen = await peer(t, path)
  const { plane, port, records } = createPlane()
  plane.setClusters([pipeCluster('PassthroughCluster', path)])
  plane.setRoutes([routes('80', forward('PassthroughCluster'))])
  t.same(await plane.setListeners([captureListener, destinationListener('0.0.0.0', 80, httpChain({ rds: '80' }))]), [])
  t.teardown(() => plane.drain(0))
  const capture = port('virtualOutbound')
  const ask = 'GET / HTTP/1.1\r\nHost: same.example\r\n\r\n'
  const last = ask.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
  const bodies = (text: string): string[] => text.match(/[0-9a-f.:]+ 80 #\d/g) ?? []
  const hosts = ['198.51.100.1', '198.51.100.2', '2001:db8::1']
  // several requests on each of several connections at once: the links of one destination may be shared, never lent
  for (let round = 0; round < 3; round++) {
    const texts = await Promise.all(
      hosts.map((host) => exchangeBytes(capture, Buffer.concat([header(host, 80), Buffer.from(ask + ask + last)]))),
    )
    texts.forEach((text, i) => {
      t.equal(bodies(text).length, 3)
      for (const body of bodies(text)) t.match(body, `${hosts[i]} 80 #`)
    })
  }
  t.same(seen.map((s) => s.to).toSorted(), hosts.map((h) => `${h} 80`).toSorted(), 'one link per destination')
  t.same(new Set(seen.map((s) => s.from)), new Set(['127.0.0.1 0']))
  t.equal(records.last.clusterName, 'PassthroughCluster')
  t.ok(records.ended.every((x) => hosts.some((h) => x.upstreamHost === (h.includes(':') ? `[${h}]:80` : `${h}:80`))))
  t.equal(
    await exchangeBytes(capture, Buffer.concat([header('198.51.100.3', 443), Buffer.from('opaque')]), true),
    'opaque',
  )
  t.equal(seen.at(-1)!.to, '198.51.100.3 443')
  // another way out: nothing of the old one is used any more
  const second = join(socketFolder(t), 'second.sock')
  const seenThere = await peer(t, second)
  plane.setClusters([pipeCluster('PassthroughCluster', second)])
  t.match(
    await exchangeBytes(capture, Buffer.concat([header(hosts[0]!, 80), Buffer.from(last)])),
    /198\.51\.100\.1 80 #1$/,
  )
  t.equal(seenThere.length, 1)
})

t.test('the way out of the mesh: pods by their address, the caller is kept; inner addresses are refused', async (t) => {
  const folder = socketFolder(t)
  const path = join(folder, 'egress.sock')
  const pod = join(folder, 'pod.sock')
  const seen = await peer(t, pod)
  const { plane, records } = createPlane('gateway')
  plane.setClusters([originalDstCluster, pipeCluster('pod|8080|default|a', pod)])
  const egress: XdsListener = { ...captureListener, name: 'egress', address: pipe(path) }
  t.same(
    await plane.setListeners([egress, destinationListener('10.244.1.2', 8080, tcpChain('pod|8080|default|a'))]),
    [],
  )
  t.teardown(() => plane.drain(0))
  const send = (host: string, port: number): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      const socket = net.connect({ path, allowHalfOpen: true })
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('error', () => resolve('refused')).on('end', () => resolve(text === '' ? 'refused' : text))
      socket.write(Buffer.concat([encodeProxyHeader(CALLER, { host, port }), Buffer.from('hi')]))
      socket.end()
    })
  t.equal(await send('10.244.1.2', 8080), 'hi')
  t.match(seen, [{ from: '10.244.0.7 41000', to: '10.244.1.2 8080', text: 'hi' }])
  await records.at(0)
  const inner = [
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '10.244.1.2',
    '240.240.0.9',
    '169.254.1.1',
    '2001:2::9',
    '224.0.0.1',
  ]
  for (const host of inner) t.equal(await send(host, 81), 'refused', host)
  await records.at(inner.length)
  t.ok(records.ended.slice(1).every((x) => x.responseCodeDetails === 'forward_proxy_target_refused'))
  t.ok(records.ended.slice(1).every((x) => x.upstreamHost === '' && x.downstreamRemoteAddress === '10.244.0.7:41000'))
})
