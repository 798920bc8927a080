/**
 * Server side of handshakes on sockets that a listener has accepted and looked into: a raw socket in, a TLS socket and
 * its peer out, once, by callback. Holds one tls.Server that never listens: only through a server does node:tls refuse
 * an untrusted chain (a bare TLSSocket serves it). Whom to accept is its owner's to say.
 */
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { peerRefused } from './context.ts'
import type { Peer } from './verify.ts'

/** `socket` is usable only without an error; `peer` is null where no certificate was asked for. */
export type AcceptDone = (error: Error | null, socket: TLSSocket | null, peer: Peer | null) => void

export type Judgement = { ok: true; peer: Peer | null } | { ok: false; reason: string }

export class HandshakeServer {
  readonly #server: Server
  readonly #judge: (socket: TLSSocket) => Judgement
  /** Handshakes under way. */
  readonly #pending = new Map<Socket, AcceptDone>()
  #closed = false

  constructor(options: TlsOptions, judge: (socket: TLSSocket) => Judgement) {
    this.#judge = judge
    this.#server = createServer(options)
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket))
    this.#server.on('tlsClientError', (error, socket) => {
      socket.destroy() // the handshake's timeout only tells
      this.#take(socket)?.(refusal(error, socket), null, null)
    })
  }

  /** Owns `raw` from here on. `head`: bytes already read from it. */
  accept(raw: Socket, head: Buffer | null, done: AcceptDone): void {
    raw.on('error', ignore)
    this.#pending.set(raw, done)
    if (head !== null && head.length > 0) raw.unshift(head)
    this.#server.emit('connection', raw)
  }

  /** For the next handshakes; open connections go on. */
  setContext(options: SecureContextOptions): void {
    this.#server.setSecureContext(options)
  }

  /** Ends handshakes under way; accepted connections are their owners'. */
  close(): void {
    this.#closed = true
    for (const raw of this.#pending.keys()) raw.destroy()
  }

  #onSecure(socket: TLSSocket): void {
    socket.on('error', ignore)
    const done = this.#take(socket)
    if (done === undefined || this.#closed) {
      socket.destroy()
      done?.(new Error('closed'), null, null)
      return
    }
    const judgement = this.#judge(socket)
    if (judgement.ok) done(null, socket, judgement.peer)
    else {
      socket.destroy()
      done(peerRefused(judgement.reason), null, null)
    }
  }

  #take(socket: TLSSocket): AcceptDone | undefined {
    // node:tls names the wrapped socket nowhere public; without it the connection is refused
    const raw = (socket as TLSSocket & { _parent?: Socket | null })._parent ?? undefined
    if (raw === undefined) return undefined
    const done = this.#pending.get(raw)
    this.#pending.delete(raw)
    return done
  }
}

/** A refused certificate shows as ECONNRESET, with the reason beside it. */
function refusal(error: Error, socket: TLSSocket): Error {
  const reason = socket.authorizationError as Error | string | null | undefined
  return reason === null || reason === undefined ? error : peerRefused(String(reason))
}

function ignore(): void {
  // whoever owns the socket listens too; a socket without a listener would end the process
}
