import t from 'tap'
import type { Test } from 'tap'
import { createServer as createHttp } from 'node:http'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { once } from 'node:events'
import { Load } from '../../src/demo/load.ts'
import { RecordingRelay } from '../../src/demo/relay.ts'
import { readTlsRecords } from '../../src/demo/tls-records.ts'

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

const record = (type: number, length: number): number[] => [
  type,
  3,
  3,
  length >> 8,
  length & 255,
  ...Array<number>(length).fill(7),
]
const hello = record(0x16, 5)

const streams: [sentence: string, bytes: number[], expected: object][] = [
  [
    'a handshake and data are TLS',
    [...hello, ...record(0x14, 1), ...record(0x17, 300)],
    { ok: true, records: 3, applicationBytes: 300 },
  ],
  ['the last record may be cut off', [...hello, ...record(0x17, 300)].slice(0, 40), { ok: true, records: 2 }],
  ['an empty stream has no records', [], { ok: true, records: 0 }],
  ['HTTP is not', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')], { ok: false, atByte: 0 }],
  ['nor are words after a record', [...hello, ...Buffer.from('GET /')], { ok: false, atByte: 10 }],
  ['nor is data without a handshake', record(0x17, 3), { ok: false, atByte: 0 }],
  ['nor is a record longer than TLS allows', [...hello, 0x17, 3, 3, 0x48, 0], { ok: false, atByte: 10 }],
  ['nor is another version', [...hello, 0x17, 2, 0, 0, 1, 1], { ok: false, atByte: 10 }],
]

for (const [sentence, bytes, expected] of streams) {
  t.test(sentence, async (t) => {
    t.match(readTlsRecords(Buffer.from(bytes)), expected)
  })
}

t.test('a relay passes both ways, half-closes, and keeps what passed', async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (chunk) => socket.write(chunk.toString().toUpperCase()))
    socket.on('end', () => socket.end('!'))
  })
  const relay = await RecordingRelay.open(await listening(t, echo))
  t.teardown(() => relay.close())
  const socket = connect({ port: relay.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end('canary')
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  t.equal(text, 'CANARY!')
  const kept = relay.recordings().map(({ direction, bytes, cut }) => [direction, bytes.toString(), cut])
  t.same(kept, [
    ['request', 'canary', false],
    ['response', 'CANARY!', false],
  ])
})

t.test('a relay to a port where nobody listens closes its caller', async (t) => {
  const server = createServer()
  const port = await listening(t, server)
  server.close()
  const relay = await RecordingRelay.open(port)
  t.teardown(() => relay.close())
  const socket = connect(relay.port, '127.0.0.1')
  await once(socket, 'close')
})

t.test('a load counts answers by version and failures by reason', async (t) => {
  let answered = 0
  const proxy = createHttp((request, response) => {
    t.equal(request.url, 'http://checkout-service:8080/version')
    t.equal(request.headers.host, 'checkout-service:8080')
    answered++
    if (answered % 10 === 0) return response.writeHead(503).end()
    if (answered % 25 === 0) return request.socket.destroy()
    return response.writeHead(200, { 'x-version': answered % 2 === 0 ? 'v2' : 'v1' }).end('x')
  })
  const proxyPort = await listening(t, proxy)
  const load = new Load({ proxyPort, url: 'http://checkout-service:8080/version', ratePerSecond: 500 })
  await load.run(100)
  await load.stop()
  t.equal(load.sent, 100)
  t.equal(load.failed, 12)
  t.equal(load.failures.get('503'), 10)
  t.equal((load.versions.get('v1') ?? 0) + (load.versions.get('v2') ?? 0), 88)
  t.equal(load.connectionsLost, 2)
  t.match(load.summary(), /^12 of 100 failed \(503 x10, .* x2\)$/)
})
