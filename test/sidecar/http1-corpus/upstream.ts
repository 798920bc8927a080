/**
 * A strict upstream that is not the product's own code: Node's llhttp. In: connections. Out: each request it saw, whole
 * or not, what it could not parse, and the raw bytes of each connection, for a second parser.
 * Each request is answered with a number and its own target, so that a client can tell whose answer it got.
 */
import http from 'node:http'
import net from 'node:net'
import { Duplex } from 'node:stream'
import { listen } from '../../helpers/data-plane.ts'

export interface SeenRequest {
  method: string
  url: string
  fields: [string, string][]
  body: string
  complete: boolean
}

/** What one connection brought since the last `begin`. */
export interface Segment {
  bytes: Buffer
  ended: boolean
}

interface Wire {
  parts: Buffer[]
  ended: boolean
}

export class StrictUpstream {
  seen: SeenRequest[] = []
  anomalies: string[] = []
  /** A request came whose method llhttp has no name for: what it was, only the second parser can say. */
  unknownMethod = false
  port = 0
  readonly #wires = new Set<Wire>()
  readonly #sockets = new Set<net.Socket>()
  readonly #server: net.Server
  readonly #waiters = new Set<() => void>()

  constructor() {
    const parser = http.createServer({ maxHeaderSize: 256 * 1024, keepAliveTimeout: 60_000 }, (req, res) =>
      this.#onRequest(req, res),
    )
    parser.maxHeadersCount = 0
    parser.requestTimeout = parser.headersTimeout = 0
    parser.on('connect', (req) => this.anomalies.push(`CONNECT ${req.url}`))
    parser.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'HPE_INVALID_METHOD') {
        this.unknownMethod = true
        socket.end('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        return
      }
      // a message that ends too early is what a proxy leaves behind that gave it up
      if (error.code !== 'ECONNRESET' && error.code !== 'HPE_INVALID_EOF_STATE')
        this.anomalies.push(`${error.code}: ${error.message}`)
      socket.destroy()
    })
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const wire: Wire = { parts: [], ended: false }
      this.#wires.add(wire)
      this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)))
      parser.emit('connection', tap(socket, wire))
    })
  }

  async start(): Promise<this> {
    this.port = await listen(this.#server)
    return this
  }

  /** Forgets what was seen. */
  begin(): void {
    this.seen = []
    this.anomalies = []
    this.unknownMethod = false
    for (const wire of this.#wires) {
      wire.parts.length = 0
      if (wire.ended) this.#wires.delete(wire)
    }
  }

  segments(): Segment[] {
    const all = [...this.#wires].map(({ parts, ended }) => ({ bytes: Buffer.concat(parts), ended }))
    return all.filter(({ bytes }) => bytes.length > 0)
  }

  /** Once a whole request for `url` has been seen. */
  async until(url: string): Promise<void> {
    while (!this.seen.some((request) => request.url === url && request.complete))
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #onRequest(req: http.IncomingMessage, res: http.ServerResponse): void {
    const { method = '', url = '', rawHeaders } = req
    const fields: [string, string][] = []
    for (let i = 0; i < rawHeaders.length; i += 2) fields.push([rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!])
    const seen: SeenRequest = { method, url, fields, body: '', complete: false }
    this.seen.push(seen)
    req.on('data', (chunk: Buffer) => (seen.body += chunk.toString('latin1')))
    req.on('error', () => {})
    req.on('end', () => {
      seen.complete = req.complete
      res.writeHead(200, { 'content-length': 2, 'x-seen': url })
      res.end('ok')
      for (const wake of this.#waiters) wake()
      this.#waiters.clear()
    })
  }
}

/** The socket as a stream whose bytes are kept too. A reset stays an abrupt end. */
function tap(socket: net.Socket, wire: Wire): Duplex {
  const duplex = new Duplex({
    read: () => {
      socket.resume()
    },
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk, () => done())
    },
    final: (done) => {
      socket.end(() => done())
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    wire.parts.push(chunk)
    duplex.push(chunk)
  })
  socket.on('end', () => duplex.push(null))
  socket.on('error', () => {})
  socket.on('close', () => {
    wire.ended = true
    duplex.destroy()
  })
  return duplex
}
