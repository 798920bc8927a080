import t from 'tap'
import type { Test } from 'tap'
import { createServer as createHttp } from 'node:http'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Load } from '../../src/demo/load.ts'
import { PodLoad } from '../../src/demo/pod-load.ts'
import { readProxyHeader } from '../../src/demo/proxy-header.ts'
import { occurrences, RecordingRelay } from '../../src/demo/relay.ts'
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
  const relay = await RecordingRelay.open({ host: '127.0.0.1', port: await listening(t, echo) })
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
  const relay = await RecordingRelay.open({ host: '127.0.0.1', port })
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

t.test('a relay between UNIX sockets counts the words that pass', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'relay-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const target = createServer((socket) => socket.end('one canary')).listen(join(dir, 'target.sock'))
  await once(target, 'listening')
  t.teardown(() => target.close())
  const path = join(dir, 'relay.sock')
  writeFileSync(path, 'left behind')
  const relay = await RecordingRelay.open({ path: join(dir, 'target.sock') }, path)
  t.teardown(() => relay.close())
  const socket = connect(path).end('canary, canary')
  await once(socket.resume(), 'close')
  t.equal(occurrences(relay, 'canary'), 3)
})

const signature = '0d0a0d0a000d0a515549540a'
const headers: [sentence: string, bytes: string, expected: object][] = [
  ['IPv4', `${signature}2111000c0af400020af400030fa01f90ff`, { ok: true, bytes: 28, source: '10.244.0.2' }],
  [
    'IPv6',
    `${signature}21210024fd0000100244000000000000000000020000000000000000000000000000000100010002`,
    { ok: true, bytes: 52, source: 'fd00:10:244::2' },
  ],
  [
    'IPv4 written as IPv6',
    `${signature}2121002400000000000000000000ffff0af400020000000000000000000000000000000100010002`,
    { ok: true, bytes: 52, source: '10.244.0.2' },
  ],
  ['LOCAL names nobody', `${signature}20000000`, { ok: false, reason: 'a header without addresses' }],
  ['one cut short is none', `${signature}2111000c0af40002`, { ok: false, reason: 'a header cut short' }],
  ['nor is TLS', `16030100050101010101${'00'.repeat(20)}`, { ok: false, reason: /no PROXY v2/ }],
  ['nor nothing', '', { ok: false, reason: /no PROXY v2/ }],
]

for (const [sentence, hex, expected] of headers) {
  t.test(`a PROXY header: ${sentence}`, async (t) => {
    t.match(readProxyHeader(Buffer.from(hex, 'hex')), expected)
  })
}

t.test('a worker sends from where it is started, and reports', async (t) => {
  const server = createHttp((request, response) => {
    t.equal(request.headers['x-word'], 'canary')
    t.equal(request.url, '/echo?of=it')
    response.writeHead(200, { 'x-version': 'v1' }).end(request.headers['x-word'])
  })
  const port = await listening(t, server)
  const place = { pod: 'p', cwd: process.cwd(), env: { PATH: process.env['PATH'] ?? '' }, enter: ['env', 'A=b'] }
  const url = `http://127.0.0.1:${port}/echo?of=it`
  const report = await PodLoad.run(place, { url, ratePerSecond: 200, requests: 20, word: 'canary' })
  t.match(report, { sent: 20, failed: 0, versions: { v1: 20 }, wordsInPlain: 40 })

  const endless = new PodLoad(place, { url, ratePerSecond: 100, headers: { 'x-word': 'canary' } })
  while (endless.report.sent === 0) await endless.update()
  await endless.stop()
  t.equal(endless.report.versions['v1'], endless.report.sent, 'those under way are waited for')
  t.match(endless.summary(), /^0 of \d+ failed$/)
  await endless.update()

  const nowhere = new PodLoad({ ...place, enter: ['/nowhere'] }, { url, ratePerSecond: 1 })
  await t.rejects(nowhere.stop(), { code: 'ENOENT' })
})
