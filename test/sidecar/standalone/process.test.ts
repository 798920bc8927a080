/** Proxies that stand alone as real processes: HTTP, mutual TLS by files, TCP by server name, flags, the end. */
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createSecureServer as createSecureHttp2, createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import t from 'tap'
import { requireTool } from '../../helpers/tools.ts'
import {
  at,
  bootstrap,
  cluster,
  curl,
  get,
  httpListener,
  makeCertificates,
  runFlags,
  startApp,
  startProxy,
  tlsSocket,
  TYPE,
} from './rig.ts'

const SPIFFE = 'spiffe://example.com'

function commonTls(folder: string, side: string, peer: string, more: Record<string, unknown> = {}): object {
  return {
    tls_certificates: [
      {
        certificate_chain: { filename: join(folder, `${side}.pem`) },
        private_key: { filename: join(folder, `${side}.key`) },
      },
    ],
    validation_context: {
      trusted_ca: { filename: join(folder, 'ca.pem') },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: `${SPIFFE}/${peer}` } }],
    },
    ...more,
  }
}

t.test('plain HTTP: a port of the system, an access log, the admin interface over TCP, a drain', async (t) => {
  let release = (): void => {}
  const app = await startApp(t, (q, s) => {
    if (q.url === '/slow') release = () => void s.end('slow')
    else s.end(`hello ${q.url}`)
  })
  const log = join(t.testdir(), 'access.log')
  const formatted = join(t.testdirName, 'short.log')
  const asJson = { json_format: { path: '%REQ(:PATH)%', code: '%RESPONSE_CODE%' } }
  const logged = {
    access_log: [
      { name: 'file', typed_config: { '@type': TYPE.fileLog, path: log } },
      { name: 'short', typed_config: { '@type': TYPE.fileLog, path: formatted, log_format: asJson } },
    ],
  }
  const config = {
    ...bootstrap([httpListener('in', 'app', {}, logged)], [cluster('app', app)]),
    node: { id: 'n1', cluster: 'c1' },
  }
  const { child, ports, stdout } = await startProxy(t, config)
  const port = ports.get('in') ?? 0
  const admin = ports.get('admin') ?? 0
  t.same(await get(port, '/x'), { status: 200, body: 'hello /x' })
  t.same(stdout, [`listener in 127.0.0.1:${port}`, `admin 127.0.0.1:${admin}`])
  t.equal((await get(admin, '/listeners')).body, `in::127.0.0.1:${port}\n`)
  t.match((await get(admin, '/ready')).body, /^LIVE/)
  t.match((await get(admin, '/server_info')).body, /"id": "n1"/)
  t.match((await get(admin, '/config_dump')).body, /"name": "app"/)
  const page = request({ host: '127.0.0.1', port: admin, path: '/listeners', headers: { host: 'evil.example' } }).end()
  t.equal(((await once(page, 'response')) as [{ statusCode: number }])[0].statusCode, 403, 'a page that was rebound')

  const slow = get(port, '/slow')
  while ((await get(admin, '/clusters')).body.includes('activeRequests::0')) await new Promise((r) => setTimeout(r, 10))
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await new Promise<void>((resolve) => {
    const probe = (): void => void get(port).then(probe, () => resolve())
    probe()
  })
  release()
  t.same(await slow, { status: 200, body: 'slow' }, 'what is under way is finished')
  t.same(await exited, [0, null])
  t.match(readFileSync(log, 'utf8'), /"GET \/x HTTP\/1\.1" 200 [^]*"GET \/slow HTTP\/1\.1" 200 /)
  t.match(readFileSync(formatted, 'utf8'), /^{"path":"\/x","code":200}\n[^]*{"path":"\/slow","code":200}\n$/)
})

t.test('a mutual TLS pair by certificate files; who has none, or another name, is refused', async (t) => {
  if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
  const folder = makeCertificates(join(t.testdir({}), 'certs'))
  const strangers = makeCertificates(join(t.testdirName, 'strangers'))
  const app = await startApp(t, (q, s) => {
    s.end([q.headers['x-forwarded-client-cert'], q.headers['x-forwarded-proto']].join(' '))
  })
  const down = tlsSocket('downstreamTls', {
    require_client_certificate: true,
    common_tls_context: commonTls(folder, 'server', 'client', {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_3' },
    }),
  })
  const tells = httpListener('in', 'app', down, { forward_client_cert_details: 'SANITIZE_SET' })
  const inbound = { ...tells, traffic_direction: 'INBOUND' }
  const server = await startProxy(t, bootstrap([inbound], [cluster('app', app)]))
  const to = server.ports.get('in') ?? 0
  const up = (peer: string): object =>
    tlsSocket('upstreamTls', { sni: 'server.example.com', common_tls_context: commonTls(folder, 'client', peer) })
  const client = await startProxy(
    t,
    bootstrap(
      [httpListener('right', 'right'), httpListener('wrong', 'wrong')],
      [cluster('right', to, { ...up('server') }), cluster('wrong', to, { ...up('other') })],
    ),
  )
  t.match(await get(client.ports.get('right') ?? 0), { status: 200, body: `URI=${SPIFFE}/client http` })
  t.match(await get(client.ports.get('wrong') ?? 0), { status: 503, body: 'none of the names asked for' })

  const url = `https://server.example.com:${to}/`
  const base = ['--cacert', join(folder, 'ca.pem'), '--resolve', `server.example.com:${to}:127.0.0.1`]
  const as = (dir: string, side: string): string[] => [
    '--cert',
    join(dir, `${side}.pem`),
    '--key',
    join(dir, `${side}.key`),
  ]
  t.match(await curl([...base, ...as(folder, 'client'), url]), { code: 0, body: `${SPIFFE}/client https` })
  t.not((await curl([...base, url])).code, 0, 'no certificate')
  t.not((await curl([...base, ...as(folder, 'server'), url])).code, 0, 'another name')
  t.not((await curl([...base, ...as(strangers, 'client'), url])).code, 0, 'another CA')
  t.not((await curl([...base, ...as(folder, 'client'), '--tls-max', '1.2', url])).code, 0, 'another version')

  // all of the serving side's files are replaced: it sees that by itself, and the next handshake shows the new ones
  for (const name of ['ca.pem', 'server.pem', 'server.key']) copyFileSync(join(strangers, name), join(folder, name))
  const fresh = ['--cacert', join(folder, 'ca.pem'), ...base.slice(2), ...as(strangers, 'client'), url]
  while ((await curl(fresh)).code !== 0) await new Promise((r) => setTimeout(r, 50))
  writeFileSync(join(folder, 'server.key'), 'not a key')
  server.child.kill('SIGHUP')
  while (!server.stderr().includes('cannot be used')) await new Promise((r) => setTimeout(r, 20))
  t.equal((await curl(fresh)).code, 0, 'what was read before stays')
})

t.test('HTTP/2 on both sides of a hop with certificates from files', async (t) => {
  if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
  const folder = makeCertificates(join(t.testdir({}), 'certs'))
  const app = await startApp(t, (q, s) => s.end(`${q.method} ${q.url}`))
  const upstream = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const auto = { '@type': `type.googleapis.com/${upstream}`, auto_config: { http2_protocol_options: {} } }
  const options = { typed_extension_protocol_options: { [upstream]: auto } }
  const down = tlsSocket('downstreamTls', {
    require_client_certificate: true,
    common_tls_context: commonTls(folder, 'server', 'client', { alpn_protocols: ['h2,http/1.1'] }),
  })
  const server = await startProxy(t, bootstrap([httpListener('in', 'app', down)], [cluster('app', app)]))
  const up = tlsSocket('upstreamTls', { common_tls_context: commonTls(folder, 'client', 'server') })
  const next = cluster('next', server.ports.get('in') ?? 0, { ...options, ...up })
  const { ports } = await startProxy(t, bootstrap([httpListener('out', 'next')], [next]))
  const answer = await curl([
    '--http2-prior-knowledge',
    '-w',
    ' %{http_version}',
    `http://127.0.0.1:${ports.get('out')}/a`,
  ])
  t.same(answer, { code: 0, body: 'GET /a 2' })
})

t.test('a server of HTTP/2 is asked for the scheme of its connection', async (t) => {
  if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
  const folder = makeCertificates(join(t.testdir({}), 'certs'))
  const [key, cert] = [readFileSync(join(folder, 'server.key')), readFileSync(join(folder, 'server.pem'))]
  const upstream = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const http2Only = {
    '@type': `type.googleapis.com/${upstream}`,
    explicit_http_config: { http2_protocol_options: {} },
  }
  const options = { typed_extension_protocol_options: { [upstream]: http2Only } }
  const up = tlsSocket('upstreamTls', { common_tls_context: commonTls(folder, 'client', 'server') })
  for (const [server, more, scheme] of [
    [createSecureHttp2({ key, cert }), up, 'https'],
    [createHttp2(), {}, 'http'],
  ] as const) {
    server.on('request', (req, res) => res.end(req.scheme))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => void server.close())
    const next = cluster('next', (server.address() as AddressInfo).port, { ...options, ...more })
    const { ports } = await startProxy(t, bootstrap([httpListener('out', 'next')], [next]))
    t.same(await curl([`http://127.0.0.1:${ports.get('out')}/`]), { code: 0, body: scheme })
  }
})

t.test('TCP: TLS goes through by its server name, still encrypted', async (t) => {
  if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
  const folder = makeCertificates(join(t.testdir({}), 'certs'))
  const [cert, key] = [readFileSync(join(folder, 'server.pem')), readFileSync(join(folder, 'server.key'))]
  const ports: number[] = []
  for (const name of ['one', 'two']) {
    const server = createServer({ cert, key }, (socket) =>
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\n${name}`)),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => void server.close())
    ports.push((server.address() as AddressInfo).port)
  }
  const chain = (names: string[], to: string): object => ({
    filter_chain_match: { server_names: names },
    filters: [{ name: 'tcp', typed_config: { '@type': TYPE.tcpProxy, stat_prefix: to, cluster: to } }],
  })
  const listener = {
    name: 'tls',
    address: at(0),
    listener_filters: [{ name: 'inspector', typed_config: { '@type': TYPE.tlsInspector } }],
    filter_chains: [chain(['One.example.com'], 'one'), chain(['*.two.example.com'], 'two')],
  }
  const unsaid = { ...listener, name: 'unsaid', listener_filters: [] }
  const named = { type: 'STRICT_DNS' }
  const { ports: bound } = await startProxy(
    t,
    bootstrap([listener, unsaid], [cluster('one', ports[0] ?? 0), cluster('two', ports[1] ?? 0, named)]),
  )
  const ask = (name: string, port = bound.get('tls') ?? 0) =>
    curl(['-k', '--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}/`])
  t.same(await ask('one.example.com'), { code: 0, body: 'one' })
  t.same(await ask('one.example.com', bound.get('unsaid')), { code: 0, body: 'one' }, 'inspected without being told')
  t.same(await ask('a.two.example.com'), { code: 0, body: 'two' })
  t.not((await ask('three.example.com')).code, 0, 'no chain is for it')
})

t.test(
  'an answer of its own that can have no body has no length; a name has the addresses of its family',
  async (t) => {
    if (!requireTool(t, 'curl')) return
    const app = await startApp(t, (_q, s) => s.end('app'))
    const named = (name: string, dns_lookup_family: string): Record<string, unknown> => {
      const endpoint = { address: { socket_address: { address: 'localhost', port_value: app } } }
      const assignment = { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] }
      return cluster(name, 0, { type: 'STRICT_DNS', dns_lookup_family, load_assignment: assignment })
    }
    const routes = [
      { match: { path: '/none' }, direct_response: { status: 204 } },
      { match: { path: '/four' }, route: { cluster: 'four' } },
      { match: { path: '/six' }, route: { cluster: 'six' } },
    ]
    const listener = httpListener(
      'in',
      '',
      {},
      { route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] } },
    )
    const { ports } = await startProxy(t, bootstrap([listener], [named('four', 'V4_ONLY'), named('six', 'V6_ONLY')]))
    const port = ports.get('in') ?? 0
    const { body } = await curl(['-i', `http://127.0.0.1:${port}/none`])
    t.match(body, /^HTTP\/1\.1 204 /)
    t.notMatch(body, /content-length/i)
    t.same(await get(port, '/four'), { status: 200, body: 'app' })
    t.equal((await get(port, '/six')).status, 503, 'the program listens on IPv4')
  },
)

t.test('a chain serves as many connections as its limit says', async (t) => {
  const app = await startApp(t, (_q, s) => s.end('x'))
  const listener = httpListener('in', 'app')
  const limit = { '@type': TYPE.connectionLimit, stat_prefix: 'few', max_connections: 1 }
  const chains = listener['filter_chains'] as { filters: unknown[] }[]
  chains[0]?.filters.unshift({ name: 'limit', typed_config: limit })
  const { ports } = await startProxy(t, bootstrap([listener], [cluster('app', app)]))
  const port = ports.get('in') ?? 0
  const held = connect(port, '127.0.0.1').on('error', () => {})
  held.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(held, 'data')
  await t.rejects(get(port), { code: 'ECONNRESET' })
  held.destroy()
  for (;;) {
    const answer = await get(port).catch(() => undefined)
    if (answer?.status === 200) break
  }
})

t.test('flags: what is checked only, what is refused, what is taken already', async (t) => {
  const folder = t.testdir({
    'good.json': JSON.stringify(bootstrap([httpListener('in', 'app')], [cluster('app', 1)])),
    'bad.yaml': 'static_resources:\n  listeners: []\n  cluster: []\n',
  })
  const good = join(folder, 'good.json')
  t.match(await runFlags(['--validate', '-c', good]), { code: 0, stdout: /^OK\n$/, stderr: /^$/ })
  t.match(await runFlags(['-c', join(folder, 'bad.yaml')]), {
    code: 65,
    stderr: /bad\.yaml:3:3: static_resources\.cluster: there is no such field; did you mean "clusters"\?\n/,
  })
  t.match(await runFlags(['-c', join(folder, 'none.yaml')]), { code: 65, stderr: /cannot be read/ })
  t.match(await runFlags(['-c', good, '--concurrency', '2']), { code: 64, stderr: /start several/ })
  t.match(await runFlags(['-c', good, '--drain-time-s', '-1']), { code: 64 })
  t.match(await runFlags(['-c', good, '--drain-time-s=']), { code: 64, stderr: /must be whole seconds/ })
  t.match(await runFlags(['--validate']), { code: 64, stderr: /-c FILE is missing/ })
  const taken = await startApp(t, (_q, s) => s.end())
  const busy = join(folder, 'busy.json')
  writeFileSync(
    busy,
    JSON.stringify(bootstrap([{ ...httpListener('in', 'app'), address: at(taken) }], [cluster('app', 1)])),
  )
  t.match(await runFlags(['-c', busy]), { code: 1, stderr: /in: 127\.0\.0\.1:\d+: .*EADDRINUSE/ })
  const logged = { access_log: [{ name: 'file', typed_config: { '@type': TYPE.fileLog, path: folder } }] }
  const lost = join(folder, 'lost.json')
  writeFileSync(lost, JSON.stringify(bootstrap([httpListener('in', 'app', {}, logged)], [cluster('app', 1)])))
  t.match(await runFlags(['-c', lost]), { code: 1, stderr: /in: EISDIR: / }, 'a log that would lose every line')
})
