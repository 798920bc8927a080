/** Many requests on one HTTP/1.1 connection: clients that ask and do not read, bodies that nobody wants, early ends. */
import { once } from 'node:events'
import http from 'node:http'
import t from 'tap'
import { credential, meshSocket } from '../../helpers/credentials.ts'
import {
  createPlane,
  forward,
  inboundListener,
  listen,
  staticCluster,
  TestCredentials,
  type XdsRoute,
} from '../../helpers/data-plane.ts'
import { eventually, front, get, settled, Wire } from './front.ts'

const ok: http.RequestListener = (req, res) => void req.resume().on('end', () => res.end('ok'))
const own = (body: string, status = 200): XdsRoute => ({
  name: 'own',
  match: { prefix: '/own' },
  directResponse: { status, body: { inlineString: body } },
})

t.test('who asks and does not read does not pile up answers, ours or the upstream’s', async (t) => {
  const {
    http: port,
    records,
    clock,
    seen,
  } = await front(t, (_req, res) => void res.end('x'.repeat(20_000)), {
    routes: [own('x'.repeat(1000)), forward('app')],
  })
  for (const [request, count, bytes] of [
    [get('/own'), 20_000, 1000],
    ['POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx', 20_000, 1000],
    [get('/'), 3000, 20_000],
  ] as const) {
    const wire = new Wire(t, port)
    wire.socket.pause()
    const before = records.ended.length
    wire.send(request.repeat(count))
    await settled(() => records.ended.length)
    const answered = records.ended.length - before
    t.ok(answered < count / 2, `${answered} of ${count} times ${bytes} bytes`)
    wire.socket.resume()
    await eventually(() => records.ended.length - before === count)
    wire.socket.destroy()
  }
  const dead = new Wire(t, port)
  dead.socket.pause()
  dead.send(get('/own').repeat(20_000))
  await settled(() => records.ended.length)
  const answered = records.ended.length
  for (let i = 0; i < 3; i++) clock.advance(60_000)
  dead.socket.resume()
  await dead.end()
  t.equal(records.ended.length, answered, 'a minute without a byte taken')
  t.equal(seen.requests, 3000)
})

t.test('answers that wait for a client that has ended still go out', async (t) => {
  const { http: port, records } = await front(t, ok, { routes: [own('x'.repeat(1000))] })
  const wire = new Wire(t, port)
  wire.socket.pause()
  wire.socket.end(get('/own').repeat(20_000))
  await settled(() => records.ended.length)
  wire.socket.resume()
  t.equal((await wire.end()).split('HTTP/1.1 200').length - 1, 20_000)
})

t.test('a body that nobody wants has its time, and is no reason to stay', async (t) => {
  const { http: port, clock, plane } = await front(t, ok, { routes: [own('x')] })
  const post = 'POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n'
  const silent = new Wire(t, port).send(post)
  const next = new Wire(t, port).send(post)
  await Promise.all([silent.sees(/x$/), next.sees(/x$/)])
  t.notMatch(silent.text, /connection: close/)
  await next.send(`123456789${get('/own')}`).sees(/ 200 [^]* 200 [^]*\r\n\r\nx$/)
  clock.advance(10_100)
  await silent.end()
  t.notOk(next.ended)
  const drained = new Wire(t, port).send(post)
  await drained.sees(/x$/)
  void plane.drain(60_000)
  drained.send('123456789')
  await drained.end()
  clock.advance(61_000)
})

t.test('requests that came before the end of their client are answered, all of them', async (t) => {
  const waiting: http.ServerResponse[] = []
  const app = http.createServer((req, res) => void (req.url === '/1' ? waiting.push(res) : res.end('third')))
  const { plane, port } = createPlane('server', new TestCredentials(credential('server')))
  plane.setClusters([staticCluster('in', await listen(app))])
  t.same(await plane.setListeners([inboundListener('in', 'in', 'STRICT')]), [])
  t.teardown(async () => {
    await plane.drain(0)
    app.closeAllConnections()
    app.close()
  })
  const socket = meshSocket(port('in'), 'istio-http/1.1')
  let text = ''
  socket.on('data', (chunk) => (text += String(chunk)))
  await once(socket, 'secureConnect')
  // the second is answered by the proxy itself, at once
  socket.end(`${get('/1')}OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n${get('/3')}`)
  await eventually(() => waiting.length === 1)
  await settled(() => socket.bytesWritten)
  waiting[0]!.end('first')
  await once(socket, 'end')
  t.match(text, /first[^]* 200 [^]* 200 [^]*third$/)
})

t.test('a direct response that has no body has none, whatever is configured', async (t) => {
  for (const status of [204, 304]) {
    const { http: port, records } = await front(t, ok, {
      routes: [own('HTTP/1.1 200 OK\r\n\r\n', status), forward('app')],
    })
    const text = await new Wire(t, port).send(get('/own') + get('/')).sees(/ok$/)
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} (?:[^\\r]+\\r\\n)+\\r\\nHTTP/1\\.1 200 OK\\r\\nDate`))
    t.notMatch(text.slice(0, text.indexOf('\r\n\r\n')), /content-length/)
    t.equal(records.ended[0]!.bytesSent, 0)
  }
})

t.test('an idle connection has the time of an idle one, however long its first head might have taken', async (t) => {
  const { http: port, clock } = await front(t, ok, {
    manager: { commonHttpProtocolOptions: { idleTimeout: { seconds: 5 } }, requestHeadersTimeout: { seconds: 60 } },
  })
  const wire = new Wire(t, port).send(get('/'))
  await wire.sees(/ok$/)
  clock.advance(4900)
  await wire.send(get('/')).sees(/ok[^]*ok$/)
  clock.advance(4900)
  await settled(() => Number(wire.ended))
  t.notOk(wire.ended)
  clock.advance(200)
  await wire.end()
})
