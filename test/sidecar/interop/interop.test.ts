/**
 * HTTP/2 with peers that this project did not write, in both roles, through one sidecar and through two with mutual TLS
 * between them, with prior knowledge and by ALPN: node:http2 (nghttp2), nghttp, h2load, curl, python3-h2; before
 * applications by node:http, node:http2 with and without TLS, and python3-h2.
 */
import { createHash } from 'node:crypto'
import http2 from 'node:http2'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { requireTool } from '../../helpers/tools.ts'
import { curl, makeCertificates } from '../standalone/rig.ts'
import { BIG_FIELDS, http1App, http2App } from './apps.ts'
import { h2load, pythonApp, pythonAsks, pythonWithH2, run } from './peers.ts'
import { type App, type Hops, LINK, type Site, startSite, tlsFiles } from './rig.ts'

const HOST = 'server.example.com'
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const pattern = (bytes: number): Buffer => Buffer.alloc(bytes, 'x')

if (requireTool(t, 'openssl')) {
  void t.test('clients and applications of others', async (t) => {
    const folder = makeCertificates(join(t.testdir({}), 'certs'))
    const python = pythonWithH2(t)
    const behind = python === null ? null : await pythonApp(t, python)
    const apps: App[] = [
      { name: 'http1', port: await http1App(t), speaks: 'http1' },
      { name: 'http2', port: await http2App(t), speaks: 'http2' },
      { name: 'alpn', port: await http2App(t, tlsFiles(folder)), speaks: 'tls' },
      ...(behind === null ? [] : [{ name: 'python', port: behind.port, speaks: 'http2' } as const]),
    ]
    const narrow = python === null ? null : await pythonApp(t, python, { window: 10, streams: 1, table: 0 })
    const leaving = python === null ? null : await pythonApp(t, python, { 'goaway-after': 37 })
    const others: App[] = [
      ...(narrow === null ? [] : [{ name: 'narrow', port: narrow.port, speaks: 'http2' } as const]),
      ...(leaving === null ? [] : [{ name: 'leaving', port: leaving.port, speaks: 'http2' } as const]),
    ]
    const site = await startSite(t, [...apps, ...others], { folder })
    const everyWay = LINK.flatMap((hops) => [false, true].map((tls) => ({ hops, tls })))
    // the last hop is the same whatever came before: two ways are enough for the others
    const ways = apps.flatMap(({ name, speaks }) =>
      (name === speaks ? everyWay : everyWay.filter(({ hops, tls }) => tls === (hops === 'two sidecars'))).map(
        ({ hops, tls }): Way => ({ app: name, hops, tls, port: site.port(name, hops, tls) }),
      ),
    )
    for (const way of ways) {
      const label = `${way.app}, ${way.hops}, ${way.tls ? 'ALPN' : 'h2c'}`
      await t.test(`node:http2 to ${label}`, (t) => byNode(t, way, folder))
      if (python !== null) await t.test(`python3-h2 to ${label}`, (t) => byPython(t, python, way, folder))
      await t.test(`nghttp to ${label}`, (t) => byNghttp(t, way, folder))
      await t.test(`curl to ${label}`, (t) => byCurl(t, way, folder))
    }
    await t.test('h2load', (t) => byH2load(t, site, apps))
    if (behind === null || narrow === null || leaving === null) return
    await t.test('a server that takes one stream at a time and ten bytes of it', (t) => byCurlToNarrow(t, site))
    await t.test('a server that says GOAWAY every 37 requests: none is lost, none is done twice', async (t) => {
      if (!requireTool(t, 'h2load')) return
      for (const hops of LINK) {
        const got = await h2load(`http://127.0.0.1:${site.port('leaving', hops)}/bytes/3000`, LEAVING_LOAD)
        t.same([got.succeeded, got.statuses[0]], [600, 600], `${hops}: ${got.out}`)
      }
      const { requests, connections } = await leaving.end()
      t.equal(requests, 1200)
      t.ok(connections >= Math.floor(1200 / 37), `${connections} connections`)
      t.equal(leaving.errors(), '')
    })
    const seen = await behind.end()
    t.same(seen.push, [0], 'sidecars refuse pushes')
    t.equal(behind.errors(), '', 'python3-h2 has found nothing wrong')
  })
}

interface Way {
  app: string
  hops: Hops
  tls: boolean
  port: number
}

async function byNode(t: Test, { port, tls, app }: Way, folder: string): Promise<void> {
  const ca = readFileSync(join(folder, 'ca.pem'))
  const session = tls
    ? http2.connect(`https://127.0.0.1:${port}`, { ca, servername: HOST })
    : http2.connect(`http://127.0.0.1:${port}`)
  t.teardown(() => session.destroy())
  const ask = (path: string, body?: Buffer, more: http2.OutgoingHttpHeaders = {}) => {
    const method = body === undefined ? 'GET' : 'POST'
    const stream = session.request(
      { ':path': path, ':method': method, ':authority': HOST, ...more },
      { endStream: body === undefined },
    )
    const chunks: Buffer[] = []
    const answer = { head: {} as http2.IncomingHttpHeaders, trailers: {} as http2.IncomingHttpHeaders, rst: 0 }
    stream.on('response', (head) => (answer.head = head)).on('trailers', (fields) => (answer.trailers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {})
    if (body !== undefined) stream.end(body)
    return new Promise<typeof answer & { body: Buffer }>((resolve) =>
      stream.on('close', () => resolve({ ...answer, rst: stream.rstCode, body: Buffer.concat(chunks) })),
    )
  }
  for (const size of [0, 1, 8192, 8193, 65_535, 65_536, 500_000]) {
    const body = Buffer.alloc(size, 'abcdefg')
    const { head, body: back, trailers } = await ask('/echo', body)
    t.equal(head[':status'], 200)
    t.equal(sha(back), sha(body), `${size} bytes`)
    t.equal(trailers['x-bytes'], String(size))
  }
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(`/stream/${i * 777}`)))
  t.same(
    many.map(({ body }) => body.length),
    Array.from({ length: 100 }, (_, i) => i * 777),
  )
  t.match(await ask('/bytes/99', undefined, { ':method': 'HEAD' }), { head: { 'content-length': '99' }, rst: 0 })
  for (const status of [204, 304, 404]) t.match(await ask(`/status/${status}`), { head: { ':status': status }, rst: 0 })
  t.equal((await ask('/cut')).rst, http2.constants.NGHTTP2_INTERNAL_ERROR, 'what is cut looks so')
  t.equal(JSON.parse((await ask('/seen')).body.toString())[app === 'http1' ? 'host' : ':authority'], HOST)
}

const EXPECTED = {
  get: 'hello',
  ...Object.fromEntries([0, 1, 1000, 16_383, 16_384, 16_385, 70_000, 1_000_000].map((n) => [`post ${n}`, true])),
  '100 at once': 100,
  statuses: [204, 304, 404],
  HEAD: ['1234', 0],
  'large head': 50,
  'large answer': BIG_FIELDS,
  '103': [103],
  cut: 2,
  padding: true,
  expect: [100],
  'after 100': 'hello',
  'request trailers': 'body',
  'after a reset': 200,
  priority: 200,
  pongs: 1,
  'push is refused': true,
  'window of 1': 300,
  'table of 0': [200, 200, 200],
  'frames of 1 MiB': 900_000,
  'after our GOAWAY': 50_000,
}

async function byPython(t: Test, python: string, { port, tls }: Way, folder: string): Promise<void> {
  t.same(await pythonAsks(python, port, tls ? join(folder, 'ca.pem') : undefined), EXPECTED)
}

async function byNghttp(t: Test, { port, tls }: Way, folder: string): Promise<void> {
  if (!requireTool(t, 'nghttp')) return
  const base = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const ask = (path: string, ...args: string[]) => run('nghttp', ['-t', '20', '-y', ...args, `${base}${path}`])
  const bytes = async (path: string, ...args: string[]): Promise<number> => (await ask(path, ...args)).out.length
  t.equal((await ask('/hello')).out.toString(), 'hello')
  t.equal(await bytes('/stream/300', '-w1'), 300, 'windows of 1 byte')
  t.equal(await bytes('/bytes/200000', '-w16', '-W16'), 200_000)
  t.equal(await bytes('/bytes/30000', '-b', '255'), 30_000, 'padded heads')
  t.equal(await bytes('/bytes/1000', '-c', '0', '--encoder-header-table-size=0'), 1000, 'no dynamic table')
  t.equal(await bytes('/bytes/1000', '-p', '1', '-m', '100'), 100_000, '100 at once, PRIORITY')
  t.equal(await bytes('/big', '--no-push', '-H', `x-a: ${'a'.repeat(15_000)}`), 3, 'heads of 20 KB')
  const file = join(folder, 'body')
  writeFileSync(file, pattern(150_000))
  const posted = await ask('/echo', '-d', file, '-b', '200', '--trailer', 'x-sum: 1', '--expect-continue')
  t.equal(sha(posted.out), sha(pattern(150_000)), 'padded body, trailers, 100-continue')
}

async function byCurl(t: Test, { port, tls }: Way, folder: string): Promise<void> {
  if (!requireTool(t, 'curl')) return
  const url = `${tls ? 'https' : 'http'}://${HOST}:${port}`
  const base = ['--resolve', `${HOST}:${port}:127.0.0.1`, '--cacert', join(folder, 'ca.pem')]
  const http2 = tls ? ['--http2'] : ['--http2-prior-knowledge']
  const told = ['-w', ' %{http_version} %{http_code}']
  t.same(await curl([...base, ...http2, ...told, `${url}/hello`]), { code: 0, body: 'hello 2 200' })
  t.same(await curl([...base, '--http1.1', ...told, `${url}/hello`]), { code: 0, body: 'hello 1.1 200' })
  t.same(await curl([...base, ...http2, ...told, '-I', '-o', join(folder, 'none'), `${url}/bytes/9`]), {
    code: 0,
    body: ' 2 200',
  })
  const file = join(folder, 'curl-body')
  writeFileSync(file, pattern(1_500_000))
  const expects = ['-H', 'expect: 100-continue', '--data-binary', `@${file}`]
  const { code, body } = await curl([...base, ...http2, ...expects, `${url}/echo`])
  t.equal(code, 0)
  t.equal(sha(Buffer.from(body)), sha(pattern(1_500_000)))
  if (!tls) return // curl 7.88 loses its way in parallel transfers without TLS, with any server
  const all = Array.from({ length: 30 }, (_, i) => `${url}/bytes/${i}`)
  const parallel = await curl([...base, ...http2, '-Z', ...all])
  t.same([parallel.code, parallel.body.length], [0, (29 * 30) / 2])
}

const LEAVING_LOAD = ['-n', '600', '-c', '3', '-m', '20']

async function byCurlToNarrow(t: Test, site: Site): Promise<void> {
  if (!requireTool(t, 'curl')) return
  for (const hops of LINK) {
    const url = `http://127.0.0.1:${site.port('narrow', hops)}`
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => curl(['--http2-prior-knowledge', '-d', 'y'.repeat(i * 10), `${url}/echo`])),
    )
    t.same(
      answers.map(({ body }) => body.length),
      Array.from({ length: 20 }, (_, i) => i * 10),
      hops,
    )
  }
}

async function byH2load(t: Test, site: Site, apps: readonly App[]): Promise<void> {
  if (!requireTool(t, 'h2load')) return
  for (const { name } of apps)
    for (const hops of LINK) {
      const n = name === 'python' ? 200 : 1000
      const load = ['-n', String(n), '-c', '4', '-m', '50']
      for (const [path, ...more] of [['/hello'], ['/bytes/20000', '-w', '14', '-W', '16']] as const) {
        const got = await h2load(`http://127.0.0.1:${site.port(name, hops)}${path}`, [...load, ...more])
        t.same([got.succeeded, got.statuses[0]], [n, n], `${name}, ${hops}, ${path}: ${got.out}`)
      }
    }
}
