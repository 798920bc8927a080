/** Access rules at a real inbound sidecar, with a real one in front of it that shows its certificate. */
import http from 'node:http'
import net from 'node:net'
import t, { type Test } from 'tap'
import type { envoy } from '../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../src/xds/type-urls.ts'
import { spiffeId } from '../helpers/credentials.ts'
import {
  address,
  exchangeBytes,
  forward,
  listen,
  routes,
  tcpListener,
  type XdsListener,
} from '../helpers/data-plane.ts'
import { INBOUND, meshPair, OUTBOUND } from '../helpers/mesh-pair.ts'

type Rules = envoy.config.rbac.v3.RBAC

const NAME = 'ns[default]-policy[p]-rule[0]'
const DENIED = 'rbac_access_denied_matched_policy'
const ALPN = ['istio', 'istio-http/1.1']

const by = (exact: string, permission: envoy.config.rbac.v3.Permission = { any: true }): Rules['policies'] => ({
  [NAME]: { principals: [{ authenticated: { principalName: { exact } } }], permissions: [permission] },
})
const path = (exact: string): envoy.config.rbac.v3.Permission => ({ urlPath: { path: { exact } } })
const allow = (policies: Rules['policies'] = {}): Rules => ({ action: 0, policies })
const deny = (policies: Rules['policies']): Rules => ({ action: 1, policies })

/** STRICT, with these rules in front of the router or the TCP proxy. */
function inbound(kind: 'http' | 'tcp', rules: readonly Rules[]): XdsListener {
  const router = { name: 'router', typedConfig: pack(EXTENSION.router, {}) }
  const manager = (): envoy.config.listener.v3.Filter => ({
    typedConfig: pack(EXTENSION.httpConnectionManager, {
      routeConfig: routes(INBOUND, forward(INBOUND)),
      httpFilters: [...rules.map((r) => ({ typedConfig: pack(EXTENSION.httpRbac, { rules: r }) })), router],
    }),
  })
  const filters =
    kind === 'http'
      ? [manager()]
      : [
          ...rules.map((r) => ({ typedConfig: pack(EXTENSION.networkRbac, { rules: r, statPrefix: 'tcp.' }) })),
          { typedConfig: pack(EXTENSION.tcpProxy, { cluster: INBOUND }) },
        ]
  return {
    name: 'in',
    address: address(0),
    trafficDirection: 1,
    listenerFilters: [{ name: 'tls', typedConfig: pack(EXTENSION.tlsInspector, {}) }],
    filterChains: [
      {
        filters,
        filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ALPN },
        transportSocket: {
          typedConfig: pack(EXTENSION.downstreamTls, {
            requireClientCertificate: { value: true },
            commonTlsContext: { alpnProtocols: ALPN },
          }),
        },
      },
    ],
  }
}

async function guarded(t: Test, kind: 'http' | 'tcp', ...rules: Rules[]) {
  const seen: string[] = []
  const app =
    kind === 'http'
      ? http.createServer((req, res) => {
          seen.push(`${req.method} ${req.url}`)
          res.end('from the app')
        })
      : net.createServer((socket) => {
          seen.push('connection')
          socket.on('error', () => {}).pipe(socket)
        })
  const { server, client, port, close } = await meshPair(await listen(app), {
    inbound: inbound(kind, rules),
    ...(kind === 'tcp' ? { outbound: tcpListener('out', OUTBOUND) } : {}),
  })
  t.teardown(async () => {
    await close()
    if (app instanceof http.Server) app.closeAllConnections()
    app.close()
  })
  const get = (target: string): Promise<string> =>
    exchangeBytes(port, `GET ${target} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n`)
  return { app, seen, server, client, port, get }
}

t.test('a request that no ALLOW rule takes is answered 403, and does not reach the application', async (t) => {
  const { seen, server, get } = await guarded(t, 'http', allow(by(spiffeId('somebody-else'))))
  const text = await get('/x')
  t.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.match(text, /\r\ncontent-type: text\/plain\r\n/)
  t.match(text, /\r\n\r\nRBAC: access denied$/)
  t.same(seen, [])
  t.match(await server.records.at(0), {
    responseCode: 403,
    responseFlags: '',
    responseCodeDetails: `${DENIED}[none]`,
    routeName: 'default',
    clusterName: '',
    downstreamPrincipal: spiffeId('client'),
  })
})

t.test('ALLOW by identity lets in, DENY before it names its rule, the path is the normalised one', async (t) => {
  const { seen, server, get } = await guarded(
    t,
    'http',
    deny(by(spiffeId('client'), path('/admin'))),
    allow(by(spiffeId('client'))),
  )
  t.match(await get('/x?y=/admin'), /from the app$/)
  for (const target of ['/admin', '/admin?x', '/%61dmin', '/x/../admin', '/./%2e%2e/admin'])
    t.match(await get(target), /^HTTP\/1\.1 403/, target)
  t.equal(server.records.last.responseCodeDetails, `${DENIED}[${NAME}]`)
  t.match(await get('/%%361dmin'), /^HTTP\/1\.1 400/)
  t.match(await get('/a/../b'), /from the app$/)
  t.same(seen, ['GET /x?y=/admin', 'GET /b'])
})

t.test('a POST with a body is refused, and its connection serves the next request', async (t) => {
  const { port } = await guarded(t, 'http', deny(by(spiffeId('client'), path('/admin'))))
  const both = await exchangeBytes(
    port,
    'POST /admin HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' +
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  t.match(both, /^HTTP\/1\.1 403 [^]*RBAC: access deniedHTTP\/1\.1 200 OK[^]*from the app$/)
})

t.test('a new rule holds for the next request of connections that are there already', async (t) => {
  const { server, port } = await guarded(t, 'http')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const status = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, agent, path: '/' }, (res) => {
        res.resume().on('end', () => resolve(res.statusCode))
      }).on('error', reject) // prettier-ignore
    })
  t.equal(await status(), 200)
  const links = (await server.records.at(0)).downstreamRemoteAddress
  for (const [rules, wanted] of [
    [[allow()], 403],
    [[], 200],
    [[deny(by(spiffeId('client')))], 403],
    [[allow(by(spiffeId('client')))], 200],
  ] as const) {
    t.same(await server.plane.setListeners([inbound('http', rules)]), [])
    t.equal(await status(), wanted)
  }
  t.ok(
    server.records.ended.every((x) => x.downstreamRemoteAddress === links),
    'over one link',
  )
})

t.test('rules that cannot be honoured are refused by name, the last good ones stay', async (t) => {
  const { server, get } = await guarded(t, 'http', allow())
  const bad = allow({ x: { principals: [{ any: true }], permissions: [{}] } })
  t.match(await server.plane.setListeners([inbound('http', [bad])]), [{ name: 'in', detail: /permission/ }])
  t.match(await get('/'), /^HTTP\/1\.1 403/)
})

t.test('a TCP connection that is refused is reset before anything is dialled', async (t) => {
  const { seen, server, client, port } = await guarded(t, 'tcp', allow(by(spiffeId('somebody-else'))))
  await t.rejects(exchangeBytes(port, 'hello'), { code: 'ECONNRESET' })
  t.same(seen, [])
  t.match(await server.records.at(0), {
    protocol: 'tcp',
    connectionTerminationDetails: `${DENIED}[none]`,
    responseFlags: '',
    upstreamHost: '',
    downstreamPrincipal: spiffeId('client'),
  })
  t.match(await client.records.at(0), { protocol: 'tcp', mutualTls: true, responseFlags: 'UC' })
  t.same(await server.plane.setListeners([inbound('tcp', [allow(by(spiffeId('client')))])]), [])
  t.equal(await exchangeBytes(port, 'hello', true), 'hello')
  t.same(await server.plane.setListeners([inbound('tcp', [deny(by(spiffeId('client')))])]), [])
  await t.rejects(exchangeBytes(port, 'hello'), { code: 'ECONNRESET' })
  t.match(await server.records.at(2), { connectionTerminationDetails: `${DENIED}[${NAME}]` })
})

t.test('a TCP connection that is there ends when the rules turn against it, another goes on', async (t) => {
  const { server, port } = await guarded(t, 'tcp', allow(by(spiffeId('client'))))
  const open = (): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write('x'))
      socket.on('error', reject).once('data', () => resolve(socket.off('error', reject)))
    })
  const turns: [string, Rules[]][] = [
    [`${DENIED}[${NAME}]`, [deny(by(spiffeId('client')))]],
    [`${DENIED}[none]`, [allow(by(spiffeId('somebody-else')))]],
  ]
  for (const [i, [details, rules]] of turns.entries()) {
    t.same(await server.plane.setListeners([inbound('tcp', [allow(by(spiffeId('client')))])]), [])
    const socket = await open()
    t.same(await server.plane.setListeners([inbound('tcp', [deny(by(spiffeId('somebody-else')))])]), [])
    await new Promise((resolve) => socket.once('data', resolve).write('still there'))
    const ended = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
    t.same(await server.plane.setListeners([inbound('tcp', rules)]), [])
    t.match(await ended, { code: 'ECONNRESET' }, 'a reset, not an end')
    t.match(await server.records.at(i), { connectionTerminationDetails: details, bytesReceived: 12 })
  }
  t.equal(server.plane.listenerStats()[0]!.connections, 0)
})

t.test('a WebSocket ends likewise, its path is what counts', async (t) => {
  const { server, port, app } = await guarded(t, 'http')
  app.on('upgrade', (_req, socket: net.Socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.on('error', () => {}).pipe(socket)
  })
  const upgrade =
    'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
  const open = (target: string): Promise<net.Socket> =>
    new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {}).once('data', () => resolve(socket))
      socket.write(`GET ${target} HTTP/1.1\r\nHost: server\r\n${upgrade}\r\n\r\n`)
    })
  const [chat, feed] = [await open('/chat'), await open('/feed')]
  const closed = new Promise((resolve) => chat.once('close', resolve))
  t.same(await server.plane.setListeners([inbound('http', [deny(by(spiffeId('client'), path('/chat')))])]), [])
  await closed
  t.match(await server.records.at(0), {
    path: '/chat',
    responseCode: 101,
    connectionTerminationDetails: `${DENIED}[${NAME}]`,
  })
  const echo = await new Promise((resolve) => feed.once('data', (c: Buffer) => resolve(c.toString())).write('more'))
  t.equal(echo, 'more')
  feed.destroy()
})
