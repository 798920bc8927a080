import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import {
  createPlane,
  exchangeBytes,
  forward,
  httpListener,
  listen,
  routes,
  staticCluster,
} from '../../helpers/data-plane.ts'

/** A plane with one outbound listener in front of `handler`. */
async function front(test: Tap.Test, handler: http.RequestListener, action: object = {}) {
  const app = http.createServer(handler)
  const appPort = await listen(app)
  const { plane, records, port } = createPlane()
  plane.setClusters([staticCluster('outbound|8080||app.default.svc.cluster.local', appPort)])
  plane.setRoutes([routes('8080', forward('outbound|8080||app.default.svc.cluster.local', {}, action))])
  t.same(await plane.setListeners([httpListener('http', { rds: '8080' })]), [])
  test.teardown(async () => {
    await plane.drain(0)
    app.closeAllConnections()
    app.close()
  })
  return { app, appPort, plane, records, port: port('http') }
}

void t.test('a GET goes through and back', async (t) => {
  const seen: http.IncomingHttpHeaders[] = []
  const { port, records } = await front(t, (req, res) => {
    seen.push(req.headers)
    res.setHeader('x-app', 'yes')
    res.end(`hello ${req.method} ${req.url}`)
  })
  const text = await exchangeBytes(port, 'GET /a?b=c HTTP/1.1\r\nHost: app:8080\r\nX-Mine: 1\r\nX-Envoy-Internal: true\r\nConnection: close, x-drop\r\nX-Drop: 1\r\n\r\n')
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(text, /hello GET \/a\?b=c$/)
  t.match(text, /\r\nserver: envoy\r\nx-envoy-upstream-service-time: \d+\r\n/)
  t.match(text, /\r\nconnection: close\r\n/)
  t.match(seen[0], { host: 'app:8080', 'x-mine': '1', 'x-forwarded-proto': 'http', 'x-envoy-attempt-count': '1' })
  t.match(seen[0]!['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.notOk(seen[0]!['x-envoy-internal'])
  t.notOk(seen[0]!['x-drop'])
  const x = await records.at(0)
  t.match(x, {
    method: 'GET',
    path: '/a?b=c',
    authority: 'app:8080',
    responseCode: 200,
    responseFlags: '',
    responseCodeDetails: 'via_upstream',
    clusterName: 'outbound|8080||app.default.svc.cluster.local',
    destinationService: 'app.default.svc.cluster.local',
    bytesSent: 'hello GET /a?b=c'.length,
  })
})

void t.test('a POST with a body, many times over one keep-alive connection', async (t) => {
  const { port, records } = await front(t, (req, res) => {
    req.pipe(res)
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const sizes = [0, 1, 5, 1000, 70_000, 3, 1_000_000]
  for (const size of sizes) {
    const body = Buffer.alloc(size, 'x')
    const got = await new Promise<{ status: number; bytes: number }>((resolve, reject) => {
      const req = http.request({ port, host: '127.0.0.1', method: 'POST', agent, path: '/echo' }, (res) => {
        let bytes = 0
        res.on('data', (c: Buffer) => (bytes += c.length))
        res.on('end', () => resolve({ status: res.statusCode ?? 0, bytes }))
      })
      req.on('error', reject)
      req.end(body)
    })
    t.same(got, { status: 200, bytes: size })
  }
  t.equal(records.ended.length, sizes.length)
  t.same(records.ended.map((x) => x.bytesReceived), sizes)
})

void t.test('pipelined requests are answered in order', async (t) => {
  const { port } = await front(t, (req, res) => {
    setTimeout(() => res.end(`[${req.url}]`), req.url === '/1' ? 20 : 0)
  })
  const one = (path: string, close = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${close}\r\n`
  const text = await exchangeBytes(port, one('/1') + one('/2') + one('/3') + one('/4', 'Connection: close\r\n'))
  t.same(text.match(/\[\/\d\]/g), ['[/1]', '[/2]', '[/3]', '[/4]'])
})
