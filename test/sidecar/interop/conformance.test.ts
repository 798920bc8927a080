/**
 * The conformance table of the codec, played over real sockets against running sidecars: as their client (plain and TLS),
 * and as the server behind their link.
 */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { requireTool } from '../../helpers/tools.ts'
import type { ConformanceCase, Expectation } from '../codec/http2/cases.ts'
import { CONFORMANCE } from '../codec/http2/conformance.ts'
import { ACK, frame, type Frame, parseFrames, PREFACE, settings, T } from '../codec/http2/frames.ts'
import { judge, LAST_PING } from '../codec/http2/judge.ts'
import { bootstrap, cluster, httpListener, startProxy } from '../standalone/rig.ts'
import { http1App } from './apps.ts'
import { type App, LINK, speaking, startSite } from './rig.ts'

const LIMIT_MS = 5000
const AT_ONCE = 8

/** Cases that mean something else with a proxy in between. */
const OTHERWISE = new Map([
  ['what a body takes is given back', 'its sender does not wait for windows, and a proxy may be slower than it'],
  ['* with OPTIONS', 'no route is for it'],
  ['the response comes after GOAWAY', 'a link without streams says GOAWAY too, and closes'],
  ['a last stream that falls', 'the same'],
])
/** A port without TLS takes HTTP/1.1 too. */
const NO_PREFACE = ['a wrong preface', 'HTTP/1.1 instead of a preface']

/**
 * What only a test of the codec can arrange: an answer that the far application must not begin, a body that it must not
 * read although the kernel would take it.
 */
const playable = CONFORMANCE.filter(
  (c) => c.codecOnly !== true && c.connectProtocol !== true && !OTHERWISE.has(c.title),
)

/** The application of the table. */
const serve: Parameters<typeof http1App>[1] = (q, s) => {
  const bytes = /^\/bytes\/(\d+)$/.exec(q.url ?? '')?.[1]
  if (q.url === '/never' || q.url === '/hold') return
  q.resume().on('end', () => {
    if (bytes !== undefined) s.setHeader('content-length', bytes)
    s.end(bytes === undefined ? undefined : 'x'.repeat(Number(bytes)))
  })
}

/** The other end of one connection: what comes, and when it is enough. */
class Wire {
  readonly #socket: Socket
  readonly #skip: number
  #bytes = Buffer.alloc(0)
  #asked = false

  constructor(socket: Socket, skip: number) {
    this.#socket = socket
    this.#skip = skip
    socket.on('data', (chunk: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, chunk])))
    socket.on('error', () => {})
  }

  get frames(): Frame[] {
    return parseFrames(this.#bytes.subarray(this.#skip))
  }

  /** What is wrong, or null. */
  async verdict(expect: Expectation): Promise<string | null> {
    const until = Date.now() + LIMIT_MS
    for (;;) {
      const { frames } = this
      const fault = judge(this.#asked ? frames : [...frames, ALIVE], expect)
      const begun = expect.kind !== 'bytes' || frames.some(({ type, id }) => type === T.HEADERS && id === expect.id)
      if (fault === null && begun) {
        if (expect.kind === 'connection' || this.#asked) return null
        // nothing else may come of it, and the connection lives
        this.#asked = true
        this.#socket.write(frame(T.PING, 0, 0, LAST_PING))
      } else if (this.#socket.destroyed || Date.now() > until) return fault ?? 'no answer'
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}

const ALIVE: Frame = { type: T.PING, flags: ACK, id: 0, payload: Buffer.from(LAST_PING) }

/** In a few lanes; returns what is wrong with each case. */
async function playAll(
  cases: ConformanceCase[],
  play: (c: ConformanceCase) => Promise<string | null>,
): Promise<string[]> {
  const left = [...cases]
  const wrong: string[] = []
  const lane = async (): Promise<void> => {
    for (let c = left.shift(); c !== undefined; c = left.shift()) {
      const fault = await play(c)
      if (fault !== null) wrong.push(`${c.section} (${c.role}) ${c.title}: ${fault}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return wrong
}

if (requireTool(t, 'openssl')) {
  void t.test('a client of sidecars', async (t) => {
    const apps: App[] = [{ name: 'app', port: await http1App(t, serve), speaks: 'http1' }]
    const site = await startSite(t, apps, { manager: { max_request_headers_kb: 32 } })
    const ca = readFileSync(join(site.folder, 'ca.pem'))
    for (const hops of LINK)
      for (const secure of [false, true]) {
        const port = site.port('app', hops, secure)
        const cases = playable.filter((c) => c.role === 'server' && (secure || !NO_PREFACE.includes(c.title)))
        t.ok(cases.length >= 150)
        const wrong = await playAll(cases, async (c) => {
          const socket = secure
            ? tls.connect({ port, host: '127.0.0.1', ca, servername: 'server.example.com', ALPNProtocols: ['h2'] })
            : net.connect(port, '127.0.0.1').setNoDelay()
          const wire = new Wire(socket, 0)
          socket.write(Buffer.concat([...(c.raw ? [] : [PREFACE, settings()]), ...c.input]))
          const fault = await wire.verdict(c.expect)
          socket.destroy()
          return fault
        })
        t.same(wrong, [], `${cases.length} cases, ${hops}, ${secure ? 'TLS' : 'plain'}`)
      }
  })
}

void t.test('the server behind a link', async (t) => {
  // extended CONNECT needs a server that has offered it before
  const cases = playable.filter(({ role, opens = [] }) => role === 'client' && !opens.includes('CONNECT'))
  const servers = await Promise.all(cases.map(() => rawServer(t)))
  const named = servers.map(({ port }, i) => ({ name: `c${i}`, port }))
  const { ports } = await startProxy(
    t,
    bootstrap(
      named.map(({ name }) => httpListener(name, name)),
      named.map(({ name, port }) => cluster(name, port, speaking('http2'))),
    ),
  )
  const wrong = await playAll(cases, async (c) => {
    const { accepted } = servers[cases.indexOf(c)]!
    const port = ports.get(`c${cases.indexOf(c)}`) ?? 0
    const clients: Socket[] = []
    let wire: Wire | null = null
    let socket: Socket | null = null
    for (const method of c.opens ?? ['GET']) {
      const client = net.connect(port, '127.0.0.1').on('error', () => {})
      client.resume().write(`${method} / HTTP/1.1\r\nhost: shop.test\r\n\r\n`)
      clients.push(client)
      if (wire === null) {
        socket = await accepted
        wire = new Wire(socket, PREFACE.length)
      }
      while (wire.frames.filter(({ type }) => type === T.HEADERS).length < clients.length)
        await new Promise((resolve) => setTimeout(resolve, 2))
    }
    socket!.write(Buffer.concat([...(c.raw ? [] : [settings()]), ...c.input]))
    const fault = await wire!.verdict(c.expect)
    for (const one of [socket!, ...clients]) one.destroy()
    return fault
  })
  t.same(wrong, [], `${cases.length} cases`)
})

/** Its first connection is looked at; the others, by which a sidecar tries again, are dropped. */
async function rawServer(t: Test): Promise<{ port: number; accepted: Promise<Socket> }> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection').then(([socket]) => {
    server.on('connection', (other: Socket) => void other.destroy())
    return socket as Socket
  })
  t.teardown(() => void server.close())
  return { port: (server.address() as AddressInfo).port, accepted }
}
