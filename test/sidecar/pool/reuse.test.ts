/** Connections that are used again: what one exchange has left behind must not be the next one's. */
import net from 'node:net'
import tls from 'node:tls'
import t from 'tap'
import { credential } from '../../helpers/credentials.ts'
import { hasHandles } from '../../../src/sidecar/transport/stream-handle.ts'
import { eventually, front, get, settled, Wire } from '../listener/front.ts'
import { meshClient } from './mesh-client.ts'

const RECORD_BYTES = 16 * 1024
const HIGH_WATER_BYTES = 64 * 1024

const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`

// over the public API nothing is told of a socket that was paused
const skip = !hasHandles
t.test('an answer that ends while its client does not keep up does not stop the connection', { skip }, async (t) => {
  const { keyPem: key, certChainPem: cert } = credential('server')
  const sockets: tls.TLSSocket[] = []
  const app = tls.createServer({ key, cert, ALPNProtocols: ['istio-http/1.1'] }, (socket) => {
    sockets.push(socket.on('error', () => {}))
  })
  const { plane, http: port, records } = await meshClient(t, app, sockets)
  // a machine with other work may cut the read: then the end is still to come, and it is tried again
  for (let numEnded = 0; records.ended.length === numEnded;) {
    const slow = new Wire(t, port)
    slow.socket.pause()
    const before = sockets[0]?.bytesRead ?? 0
    slow.send(get('/'))
    await eventually(() => (sockets[0]?.bytesRead ?? 0) > before)
    const server = sockets[0]!
    server.resume().write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    // until the proxy has nearly as much as it wants to hold
    while (plane.bufferedBytes() < HIGH_WATER_BYTES - 2 * RECORD_BYTES) {
      server.write(chunk(RECORD_BYTES - 1024))
      await settled(() => plane.bufferedBytes())
    }
    // several records in one read: the proxy stops at one of them, and the end is in the last
    server.write(`${chunk(3 * RECORD_BYTES)}0\r\n\r\n`)
    await settled(() => plane.bufferedBytes())
    if (records.ended.length > numEnded) break
    slow.socket.resume()
    await records.at(numEnded++)
  }
  const [server] = sockets
  t.ok(plane.bufferedBytes() > HIGH_WATER_BYTES)
  const next = new Wire(t, port).send(get('/'))
  server!.once('data', () => server!.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  await next.sees(/ok$/)
  t.equal(sockets.length, 1, 'on the same connection')
})

t.test('an answer that comes before the request is written leaves a connection that nobody gets', async (t) => {
  const sockets: net.Socket[] = []
  const app = net.createServer((socket) => void sockets.push(socket.on('error', () => {})))
  const { http: port, plane, records } = await front(t, app)
  const early = new Wire(t, port).send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  await eventually(() => sockets.length === 1)
  // until its own socket buffers are full: it reads nothing
  sockets[0]!.pause()
  while (plane.bufferedBytes() === 0) {
    early.send(chunk(RECORD_BYTES))
    await settled(() => plane.bufferedBytes() + early.socket.writableLength)
  }
  early.send('0\r\n\r\n')
  await settled(() => plane.bufferedBytes())
  sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly')
  await early.sees(/early$/)
  t.match(await records.at(0), { responseCode: 200 })
  const next = new Wire(t, port).send(get('/'))
  await eventually(() => sockets.length === 2)
  sockets[1]!.resume().write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  await next.sees(/ok$/)
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
})
