/**
 * The application behind the proxies: `ledger-process.ts FILE PORT [DELAY_MS]`. Writes the id and the hash of each
 * request's body to FILE before it answers, so that what it took on stands there even after kill -9.
 * Requests without an id get a number, which stands in FILE as `#N` and in the answer; bytes that were no request stand
 * there as `#fault`: Node's parser is not the proxy's.
 * Also: /big?bytes=N (&chunked), an upgrade that echoes. Prints its port.
 */
import { openSync, writeSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { bodyOf, hashOf } from './load.ts'

const [file = '', port = '0', delayMs = '0'] = process.argv.slice(2)
const ledger = openSync(file, 'a')
const KIB = Buffer.alloc(64 * 1024, 'x')

let numbered = 0

/** An empty message and status OK, in the form of trailers alone where HTTP/1.1 has no others. */
function answerCall(res: http.ServerResponse): void {
  res.writeHead(200, { 'content-type': 'application/grpc', trailer: 'grpc-status' })
  res.write(Buffer.alloc(5))
  res.addTrailers({ 'grpc-status': '0' })
  res.end()
}

function later(answer: () => void): void {
  if (delayMs === '0') answer()
  else setTimeout(answer, Number(delayMs))
}

const server = http.createServer({ maxHeaderSize: 128 * 1024 }, (req, res) => {
  const url = new URL(/^\/[^/]/.test(req.url ?? '') ? req.url! : '/', 'http://x')
  const parts: Buffer[] = []
  req.on('error', () => {})
  res.on('error', () => {})
  if (url.pathname === '/big') {
    sendBig(res, Number(url.searchParams.get('bytes')), url.searchParams.has('chunked'))
    return
  }
  req.on('data', (chunk: Buffer) => parts.push(chunk))
  req.on('end', () => {
    if (req.headers['content-type'] === 'application/grpc') {
      answerCall(res)
      return
    }
    const id = String(req.headers['x-id'] ?? '')
    const body = Buffer.concat(parts)
    if (id === '') {
      const n = `${process.pid}.${numbered++}`
      writeSync(ledger, `#${n} ${hashOf(body)}\n`)
      later(() => void res.writeHead(200, { 'x-n': n, 'content-length': 0 }).end())
      return
    }
    writeSync(ledger, `${id} ${hashOf(body)}\n`)
    const bytes = Number(url.searchParams.get('answer') ?? 1024)
    later(() => void res.writeHead(200, { 'x-ledger': id, 'content-length': bytes }).end(bodyOf(id, bytes)))
  })
})
server.keepAliveTimeout = 0
server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
  writeSync(ledger, `#fault ${error.code ?? error.message}\n`)
  socket.destroy()
})
server.on('upgrade', (req, socket, head) => {
  if (!req.url?.startsWith('/ws')) {
    refuse(socket)
    return
  }
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  socket.write(head)
  socket.on('error', () => {})
  socket.pipe(socket)
})
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
process.stdin.on('end', () => process.exit(0)).resume()

/** An upgrade that is not wanted is answered as a request. */
function refuse(socket: Duplex): void {
  const n = `${process.pid}.${numbered++}`
  writeSync(ledger, `#${n} ${hashOf('')}\n`)
  socket.end(`HTTP/1.1 200 OK\r\nx-n: ${n}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
}

function sendBig(res: http.ServerResponse, bytes: number, chunked: boolean): void {
  let left = bytes
  res.writeHead(200, chunked ? {} : { 'content-length': bytes })
  const step = (): void => {
    while (left > 0) {
      const chunk = KIB.subarray(0, Math.min(left, KIB.length))
      left -= chunk.length
      if (!res.write(chunk)) {
        res.once('drain', step)
        return
      }
    }
    res.end()
  }
  step()
}
