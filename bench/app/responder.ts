/**
 * The application where nginx is not installed: HTTP/1.1 on node:http, h2c on node:http2, and the TCP echo of row `tcp`
 * (always from here). A process of its own. In: its ports as arguments `HTTP HTTP2 ECHO` (0: not). Out: `process.send`.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { BODY_BYTES, KIB, UPLOAD_PATH } from './sizes.ts'

const BACKLOG = 8192
const bodies = new Map(Object.entries(BODY_BYTES).map(([path, length]) => [path, Buffer.alloc(length, 'x')]))
const answerToUpload = Buffer.alloc(KIB, 'x')

function headersOf(body: Buffer): Record<string, string | number> {
  return {
    'content-type': 'text/plain',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-version': 'v1',
    'x-served-by': 'app-1',
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  respond(request, request.url ?? '/', (status, body) => response.writeHead(status, headersOf(body)).end(body))
}

function answerHttp2(request: Http2ServerRequest, response: Http2ServerResponse): void {
  respond(request, request.url, (status, body) => {
    response.writeHead(status, headersOf(body))
    response.end(body)
  })
}

function respond(
  request: IncomingMessage | Http2ServerRequest,
  path: string,
  send: (status: number, body: Buffer) => void,
): void {
  request.resume()
  if (path === UPLOAD_PATH) request.once('end', () => send(200, answerToUpload))
  else send(bodies.has(path) ? 200 : 404, bodies.get(path) ?? Buffer.alloc(0))
}

const [httpPort = 0, http2Port = 0, echoPort = 0] = process.argv.slice(2).map(Number)
const http = createServer({ keepAliveTimeout: 600_000 }, answer)
if (httpPort > 0) http.listen({ port: httpPort, host: '127.0.0.1', backlog: BACKLOG })
if (http2Port > 0) createHttp2Server({}, answerHttp2).listen({ port: http2Port, host: '127.0.0.1', backlog: BACKLOG })
if (echoPort > 0)
  createTcpServer({ noDelay: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(bytes)).on('error', () => socket.destroy())
  }).listen({ port: echoPort, host: '127.0.0.1', backlog: BACKLOG })
