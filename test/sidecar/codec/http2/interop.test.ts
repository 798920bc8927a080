/** The session against node:http2 (nghttp2) over real sockets, in both roles. */
import { once } from 'node:events'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { DEFAULT_LIMITS } from '../../../../src/sidecar/codec/http2/options.ts'
import { attach, newPeer, type Peer, Recorder, sendRequest, sendResponse, sendTrailers } from './harness.ts'

type Teardown = { teardown(fn: () => unknown): void }

async function listenOur(t: Teardown, arrange: (peer: Peer) => void): Promise<number> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    const peer = newPeer('server', DEFAULT_LIMITS, undefined, () => performance.now())
    arrange(peer)
    attach(peer, socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Sends with backpressure: the next piece when the last one has gone. */
function sendBody(recorder: Recorder, body: Buffer, done: () => void): void {
  const stream = recorder.stream!
  let at = 0
  const more = (): void => {
    while (at < body.length) {
      const end = Math.min(body.length, at + 50_000)
      const from = at
      at = end
      if (!stream.sendData(body, from, end)) return
    }
    recorder.onDrain = () => {}
    done()
  }
  recorder.onDrain = more
  more()
}

t.test('node:http2 as the client', async (t) => {
  const body = Buffer.alloc(3_000_000, 'pocketmesh')
  const port = await listenOur(t, ({ events }) => {
    events.onRequestStream = (recorder, stream) => {
      recorder.onMessageEnd = ({ message }) => {
        sendResponse(stream, 200, false, [
          ['x-path', message.path],
          ['x-method', message.method],
        ])
        sendBody(recorder, message.method === 'POST' ? message.body : body, () => {
          if (message.path === '/trailers') sendTrailers(stream, [['x-sum', String(message.body.length)]])
          else stream.sendEnd()
        })
      }
    }
  })
  const client = http2.connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 200 })
  t.teardown(() => client.destroy())
  const ask = async (headers: http2.OutgoingHttpHeaders, send?: Buffer) => {
    const request = client.request(headers, { endStream: send === undefined })
    request.end(send)
    let trailers: http2.IncomingHttpHeaders = {}
    request.on('trailers', (fields) => (trailers = fields))
    const [head] = (await once(request, 'response')) as [http2.IncomingHttpHeaders]
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    return { head, body: Buffer.concat(pieces), trailers }
  }
  const first = await ask({ ':path': '/a', cookie: 'a=1; b=2', 'x-long': 'y'.repeat(5000) })
  t.equal(first.head[':status'], 200)
  t.equal(first.head['x-path'], '/a')
  t.ok(first.body.equals(body))
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      ask({ ':path': '/trailers', ':method': 'POST' }, body.subarray(0, i * 20_000)),
    ),
  )
  for (const [i, answer] of answers.entries()) {
    t.ok(answer.body.equals(body.subarray(0, i * 20_000)))
    t.equal(answer.trailers['x-sum'], String(i * 20_000))
  }
  await new Promise<void>((resolve, reject) => client.ping((error) => (error ? reject(error) : resolve())))
  const cancelled = client.request({ ':path': '/', ':method': 'POST' })
  cancelled.write('part')
  cancelled.close(http2.constants.NGHTTP2_CANCEL)
  await once(cancelled, 'close')
  t.equal((await ask({ ':path': '/after' })).head['x-path'], '/after')
})

t.test('node:http2 as the server', async (t) => {
  const server = http2.createServer({ settings: { maxConcurrentStreams: 50 } })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    if (headers[':path'] === '/refuse') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    if (headers[':path'] === '/hints') stream.additionalHeaders({ ':status': 103, link: '</x>' })
    stream.respond({ ':status': 201, 'x-path': headers[':path'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }))
    return stream.pipe(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const peer = newPeer('client', DEFAULT_LIMITS, undefined, () => performance.now())
  attach(peer, socket)
  const ask = (path: string, body: Buffer): Promise<Recorder> =>
    new Promise((resolve) => {
      const recorder = new Recorder()
      recorder.onMessageEnd = resolve
      recorder.onReset = (_stream, code, remote) => {
        recorder.message.reset = { code, remote }
        resolve(recorder)
      }
      const stream = peer.session.open(recorder)!
      recorder.stream = stream
      sendRequest(stream, 'POST', path, false, [['content-length', String(body.length)]])
      sendBody(recorder, body, () => stream.sendEnd())
    })
  const body = Buffer.alloc(2_000_000, 'mesh')
  const first = await ask('/hints', body)
  t.same(first.message.interims, [103])
  t.equal(first.message.status, 201)
  t.ok(first.message.body.equals(body))
  t.same(first.message.trailers, [['x-end', 'yes']])
  t.equal(peer.events.ready, 1)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`/${i}`, body.subarray(0, i * 10_000))))
  for (const [i, { message }] of answers.entries())
    t.ok(message.body.equals(body.subarray(0, i * 10_000)), `answer ${i}`)
  t.same((await ask('/refuse', Buffer.alloc(0))).message.reset, { code: 7, remote: true })
  t.equal(peer.session.numStreams, 0)
  for (let i = 0; i < 50; i++) t.ok(peer.session.open(new Recorder()))
  t.equal(peer.session.open(new Recorder()), null)
})
