/**
 * An HTTP/1.1 server that is not ours: Node's own, whose parser is llhttp in its strict mode. In: connections (sockets
 * or any duplex). Out: what it took for a request, in order, and what it could not take for one.
 * Every whole request gets a number, which goes back in the answer: `x-n`, with what was seen.
 */
import http from 'node:http'
import { hashOf } from './message.ts'

export interface Seen {
  n: number
  method: string
  target: string
  body: string
}

export interface Upstream {
  server: http.Server
  seen: Map<number, Seen>
  /** Codes of bytes that were no request, with those bytes. */
  faults: { code: string; bytes: string }[]
}

export interface UpstreamEvents {
  onSeen?: (seen: Seen, socket: object) => void
  /** Its head is read; `isWhole` says whether the rest has been by now. */
  onBegun?: (isWhole: () => boolean, socket: object) => void
  onFault?: (code: string, socket: object) => void
}

export function createUpstream(events: UpstreamEvents = {}): Upstream {
  let n = 0
  const seen = new Map<number, Seen>()
  const faults: Upstream['faults'] = []
  const server = http.createServer({ insecureHTTPParser: false, maxHeaderSize: 128 * 1024, keepAlive: false })
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.on('request', (req, res) => {
    const parts: Buffer[] = []
    events.onBegun?.(() => req.complete, req.socket)
    const { method = '', url = '' } = req
    req.on('data', (chunk: Buffer) => parts.push(chunk))
    req.on('error', () => {})
    req.on('end', () => {
      const one = { n: n++, method, target: url, body: hashOf(Buffer.concat(parts)) }
      seen.set(one.n, one)
      events.onSeen?.(one, req.socket)
      res.sendDate = false
      res.setHeader('x-n', one.n)
      res.setHeader('content-length', 0)
      res.end()
    })
  })
  server.on('clientError', (error: Error & { code?: string; rawPacket?: Buffer }, socket) => {
    const code = error.code ?? error.message
    faults.push({ code, bytes: error.rawPacket?.toString('latin1') ?? '' })
    events.onFault?.(code, socket)
    // the ends of whole requests before it are still to be told
    setImmediate(() => socket.destroy())
  })
  return { server, seen, faults }
}
