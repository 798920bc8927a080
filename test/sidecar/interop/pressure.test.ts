/**
 * Back-pressure end to end: a large body to a slow reader through two sidecars with mutual TLS between them, in every
 * combination of HTTP, both ways, in a WebSocket and in TCP. What waits in a process is counted by it (`buffered_bytes`),
 * its memory by the system. POCKETMESH_BODY_MIB: how large (1024 for the whole promise).
 */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { requireTool } from '../../helpers/tools.ts'
import type { RunningProxy } from '../standalone/rig.ts'
import { http1App, http2App, listen, sendBytes } from './apps.ts'
import { type App, startSite, stat } from './rig.ts'

const MIB = 1024 * 1024
const BODY_BYTES = Number(process.env['POCKETMESH_BODY_MIB'] ?? 64) * MIB
const MAX_BUFFERED_BYTES = 4 * MIB
/** Over the public API node:net makes a buffer for each read, and V8 collects them late (Node 24: 110 MiB). */
const MAX_GROWTH_BYTES = (process.env['POCKETMESH_TRANSPORT'] === 'stream' ? 128 : 64) * MIB
/** A reader that takes nothing at first, and then little by little. */
const STALL_MS = 300
const PIECE_BYTES = 2 * MIB
const PAUSE_MS = 5
const SAMPLE_MS = 40

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function readSlowly(from: Readable): Promise<number> {
  await sleep(STALL_MS)
  let bytes = 0
  let pauseAt = PIECE_BYTES
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes < pauseAt) continue
    pauseAt += PIECE_BYTES
    await sleep(PAUSE_MS)
  }
  return bytes
}

const BLOCK = Buffer.alloc(64 * 1024, 'y')

async function writeAll(to: Writable): Promise<void> {
  for (let left = BODY_BYTES; left > 0; left -= BLOCK.length) if (!to.write(BLOCK)) await once(to, 'drain')
  to.end()
}

/** `/down`: sends the body. `/up`: reads it, slowly, and says how much it was. */
const serve: http.RequestListener = (q, s) => {
  if (q.url === '/down') sendBytes(s, BODY_BYTES)
  else void readSlowly(q).then((bytes) => s.end(String(bytes)))
}

/** A body each way, like the above, behind an upgrade. */
function upgraded(q: http.IncomingMessage, socket: Duplex, first: Buffer): void {
  socket.on('error', () => {}).unshift(first)
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  void answer(q.url ?? '', socket)
}

async function answer(what: string, socket: Duplex): Promise<void> {
  if (what === '/down') await writeAll(socket)
  else socket.end(String(await readSlowly(socket)))
}

const UPGRADE =
  'host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

type Way = 'down' | 'up'
/** Returns how many bytes came to the slow end. */
type Client = (port: number, way: Way) => Promise<number>

const textOf = async (from: Readable): Promise<string> => {
  let text = ''
  for await (const chunk of from.iterator({ destroyOnReturn: false })) text += String(chunk)
  return text
}

const byHttp1: Client = async (port, way) => {
  const method = way === 'up' ? 'POST' : 'GET'
  const request = http.request({ port, host: '127.0.0.1', path: `/${way}`, method, agent: false })
  const response = once(request, 'response') as Promise<[http.IncomingMessage]>
  if (way === 'up') await writeAll(request)
  else request.end()
  const [from] = await response
  return way === 'down' ? readSlowly(from) : Number(await textOf(from))
}

const byHttp2: Client = async (port, way) => {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  const stream = session.request(
    { ':path': `/${way}`, ':method': way === 'up' ? 'POST' : 'GET', ':authority': 'a' },
    { endStream: way === 'down' },
  )
  if (way === 'up') await writeAll(stream)
  const bytes = way === 'down' ? await readSlowly(stream) : Number(await textOf(stream))
  session.close()
  return bytes
}

/** What comes is read after the head's end, which the far side's first bytes may share a packet with. */
async function exchange(socket: Socket, way: Way): Promise<number> {
  if (way === 'down') return readSlowly(socket)
  await writeAll(socket)
  return Number(await textOf(socket))
}

const byWebSocket: Client = async (port, way) => {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(`GET /${way} HTTP/1.1\r\n${UPGRADE}`)
  let head = Buffer.alloc(0)
  while (!head.includes('\r\n\r\n')) {
    await once(socket, 'readable')
    head = Buffer.concat([head, (socket.read() as Buffer | null) ?? Buffer.alloc(0)])
  }
  if (!head.includes('101 Switching')) throw new Error(head.toString('latin1'))
  socket.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4))
  return exchange(socket, way)
}

const byTcp: Client = async (port, way) => {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(way === 'down' ? 'd' : 'u')
  return exchange(socket, way)
}

interface Peak {
  bufferedBytes: number
  rssBytes: number
}

/** Looks at a process until `until` is over. */
async function peakOf(proxy: RunningProxy, until: Promise<unknown>): Promise<Peak> {
  const peak = { bufferedBytes: 0, rssBytes: 0 }
  let isOver = false
  void until.finally(() => (isOver = true)).catch(() => {})
  // oxlint-disable-next-line no-unmodified-loop-condition -- what is waited for sets it
  while (!isOver) {
    peak.bufferedBytes = Math.max(peak.bufferedBytes, await stat(proxy, 'server.buffered_bytes'))
    peak.rssBytes = Math.max(peak.rssBytes, await stat(proxy, 'server.memory_physical_size'))
    await sleep(SAMPLE_MS)
  }
  return peak
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1)

if (requireTool(t, 'openssl')) {
  void t.test('a slow reader', async (t) => {
    const tcp = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket
        .on('error', () => {})
        .once('readable', () => {
          const first = socket.read(1) as Buffer | null
          void answer(String(first) === 'd' ? '/down' : '/up', socket)
        })
    })
    const web = http.createServer({ allowHalfOpen: true } as http.ServerOptions).on('upgrade', upgraded)
    const apps: App[] = [
      { name: 'http1', port: await http1App(t, serve), speaks: 'http1' },
      { name: 'http2', port: await http2App(t, null, serve), speaks: 'http2' },
      { name: 'web', port: await listen(t, web), speaks: 'http1' },
      { name: 'tcp', port: await listen(t, tcp), speaks: 'tcp' },
    ]
    const manager = {
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      http2_protocol_options: { allow_connect: true }, // the link carries them (RFC 8441)
    }
    const site = await startSite(t, apps, { manager })
    const rows: [name: string, app: string, client: Client][] = [
      ['HTTP/1.1 to HTTP/1.1', 'http1', byHttp1],
      ['HTTP/1.1 to HTTP/2', 'http2', byHttp1],
      ['HTTP/2 to HTTP/1.1', 'http1', byHttp2],
      ['HTTP/2 to HTTP/2', 'http2', byHttp2],
      ['WebSocket', 'web', byWebSocket],
      ['TCP', 'tcp', byTcp],
    ]
    const both = [site.near, site.far]
    const before = await Promise.all(both.map((proxy) => stat(proxy, 'server.memory_physical_size')))
    for (const [name, app, client] of rows)
      for (const way of ['down', 'up'] as const) {
        const done = client(site.port(app, 'two sidecars'), way)
        const peaks = await Promise.all(both.map((proxy) => peakOf(proxy, done)))
        await check(t, `${name}, ${way}load`, done, peaks, before)
      }
    const left = await Promise.all(both.map((proxy) => stat(proxy, 'server.buffered_bytes')))
    t.ok(
      left.every((bytes) => bytes <= 16 * 1024),
      `what is left: ${left.join(', ')}`,
    )
  })
}

async function check(t: Test, name: string, done: Promise<number>, peaks: Peak[], before: number[]): Promise<void> {
  const buffered = peaks.map(({ bufferedBytes }) => mib(bufferedBytes)).join(' and ')
  const grown = peaks.map(({ rssBytes }, i) => rssBytes - before[i]!)
  t.equal(await done, BODY_BYTES, name)
  t.ok(
    peaks.every(({ bufferedBytes }) => bufferedBytes <= MAX_BUFFERED_BYTES),
    `${name}: ${buffered} MiB waited`,
  )
  t.ok(
    grown.every((bytes) => bytes <= MAX_GROWTH_BYTES),
    `${name}: grown by ${grown.map(mib).join(' and ')} MiB`,
  )
}
