/**
 * TLS for sockets that a listener has accepted and looked into: a raw socket in, a verified TLS socket and its peer
 * out, once, by callback. Holds one tls.Server that never listens: only through a server does node:tls refuse an
 * untrusted chain (a bare TLSSocket serves it). A new generation swaps the context; open connections go on.
 */
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Credential, CredentialSource } from '../ports.ts'
import { contextOptions, HANDSHAKE_TIMEOUT_MS, peerRefused, serverTlsOptions, trustDomainOf } from './context.ts'
import { type Peer, peerIdentity } from './verify.ts'

export interface TlsAcceptorOptions {
  credentials: CredentialSource
  /** In order of preference; a client that offers none of them is refused by the handshake. */
  alpn: readonly string[]
  requireClientCertificate: boolean
  handshakeTimeoutMs?: number
}

/** `socket` is usable only without an error; `peer` is null where no certificate was asked for. */
export type AcceptDone = (error: Error | null, socket: TLSSocket | null, peer: Peer | null) => void

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  /** Handshakes under way. */
  readonly #pending = new Map<Socket, AcceptDone>()
  readonly #stopListening: () => void
  #server: Server | undefined
  #generation = -1
  #trustDomain = ''
  #closed = false

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    const credential = options.credentials.current()
    if (credential !== undefined) this.#use(credential)
    this.#stopListening = options.credentials.onChange((fresh) => this.#use(fresh))
  }

  /** Owns `raw` from here on. `head`: bytes already read from it. */
  accept(raw: Socket, head: Buffer | null, done: AcceptDone): void {
    const credential = this.#options.credentials.current()
    if (credential !== undefined && credential.generation !== this.#generation) this.#use(credential)
    if (this.#closed || this.#server === undefined || credential === undefined) {
      raw.destroy()
      done(new Error('no valid certificate to serve with'), null, null)
      return
    }
    raw.on('error', ignore)
    this.#pending.set(raw, done)
    if (head !== null && head.length > 0) raw.unshift(head)
    this.#server.emit('connection', raw)
  }

  /** Ends handshakes under way; accepted connections are their owners'. */
  close(): void {
    this.#closed = true
    this.#stopListening()
    for (const raw of this.#pending.keys()) raw.destroy()
  }

  #use(credential: Credential): void {
    if (this.#server === undefined) this.#server = this.#createServer(credential)
    else this.#server.setSecureContext(contextOptions(credential))
    this.#generation = credential.generation
    this.#trustDomain = trustDomainOf(credential)
  }

  #createServer(credential: Credential): Server {
    const demand = this.#options.requireClientCertificate
    const server = createServer({
      ...serverTlsOptions(credential),
      requestCert: demand,
      rejectUnauthorized: demand,
      ALPNProtocols: [...this.#options.alpn],
      handshakeTimeout: this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    })
    server.on('secureConnection', (socket) => this.#onSecure(socket))
    server.on('tlsClientError', (error, socket) => {
      socket.destroy() // the handshake's timeout only tells
      this.#take(socket)?.(refusal(error, socket), null, null)
    })
    return server
  }

  #onSecure(socket: TLSSocket): void {
    socket.on('error', ignore)
    const done = this.#take(socket)
    if (done === undefined || this.#closed) {
      socket.destroy()
      done?.(new Error('closed'), null, null)
      return
    }
    if (!this.#options.requireClientCertificate) {
      done(null, socket, null)
      return
    }
    const verdict = peerIdentity(socket, this.#trustDomain)
    if (verdict.ok) done(null, socket, verdict.peer)
    else {
      socket.destroy()
      done(peerRefused(verdict.reason), null, null)
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
