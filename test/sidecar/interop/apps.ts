/**
 * One application by node:http and by node:http2, the same for both, which h2-peer.py serves too:
 * `/hello`, `/echo` (with a trailer), `/bytes/N` (with a length), `/stream/N` (without), `/status/N`, `/seen` (the
 * request's fields as JSON), `/big` (a head of 20 KB), `/hints` (103 first), `/cut` (ends within its body).
 */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Test } from 'tap'

export const BIG_FIELDS = 50
export const BIG_VALUE_BYTES = 400
const PIECE = Buffer.alloc(64 * 1024, 'x')

/** node:http2's own requests and responses do all that is asked of them here. */
type Request = http.IncomingMessage
type Response = http.ServerResponse & { stream?: http2.ServerHttp2Stream }

function serve(q: Request, s: Response): void {
  const path = q.url ?? '/'
  const [, kind = '', text = ''] = /^\/([a-z]+)(?:\/(\d+))?/.exec(path) ?? []
  const bytes = Number(text)
  q.on('error', () => {})
  s.on('error', () => {})
  s.setHeader('x-version', q.httpVersion)
  if (kind === 'hello') s.end('hello')
  else if (kind === 'echo') echo(q, s)
  else if (kind === 'bytes' || kind === 'stream') {
    if (kind === 'bytes') s.setHeader('content-length', bytes)
    if (q.method === 'HEAD') s.end()
    else sendBytes(s, bytes)
  } else if (kind === 'status') {
    s.statusCode = bytes
    s.end()
  } else if (kind === 'seen') s.end(JSON.stringify(q.headers))
  else if (kind === 'big') {
    for (let i = 0; i < BIG_FIELDS; i++) s.setHeader(`x-big-${i}`, String(i % 10).repeat(BIG_VALUE_BYTES))
    s.end('big')
  } else if (kind === 'hints') {
    s.writeEarlyHints({ link: '</a.css>; rel=preload' })
    s.end('hinted')
  } else if (kind === 'cut') {
    s.write(PIECE.subarray(0, 1000))
    setTimeout(() => {
      if (s.stream === undefined) s.destroy()
      else s.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    }, 20)
  } else {
    s.statusCode = 404
    s.end()
  }
}

function echo(q: Request, s: Response): void {
  let bytes = 0
  s.setHeader('trailer', 'x-bytes')
  q.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (!s.write(chunk)) q.pause()
  })
  s.on('drain', () => q.resume())
  q.on('end', () => {
    if (!s.headersSent) s.writeHead(200) // node:http2 sends no trailers behind a head that `end` makes
    s.addTrailers({ 'x-bytes': String(bytes) })
    s.end()
  })
}

/** In pieces, as fast as they are taken. */
export function sendBytes(s: Response, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left)
      left -= piece.length
      if (!s.write(piece)) {
        s.once('drain', more)
        return
      }
    }
    s.end()
  }
  more()
}

/** With its connections it ends with the test. */
export async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export function http1App(t: Test, handle: http.RequestListener = serve): Promise<number> {
  return listen(t, http.createServer({ maxHeaderSize: 64 * 1024 }, handle))
}

/** What a peer may ask of node:http2 beyond its defaults. */
const LIMITS = { maxHeaderListPairs: 200, maxSessionMemory: 100, streamResetBurst: 100_000, streamResetRate: 100_000 }

export function http2App(
  t: Test,
  files: { key: Buffer; cert: Buffer } | null = null,
  handle: (q: Request, s: Response) => void = serve,
): Promise<number> {
  const serving = handle as unknown as (q: http2.Http2ServerRequest, s: http2.Http2ServerResponse) => void
  const options = { ...LIMITS, settings: { maxHeaderListSize: 64 * 1024 } }
  const server =
    files === null ? http2.createServer(options, serving) : http2.createSecureServer({ ...options, ...files }, serving)
  server.on('sessionError', () => {})
  return listen(t, server)
}
