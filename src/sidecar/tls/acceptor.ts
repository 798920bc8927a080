/**
 * TLS of accepted sockets with the mesh's identity: a raw socket in, a verified TLS socket and its peer out, once, by
 * callback. A new generation of the certificate swaps the context; open connections go on.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Credential, CredentialSource } from '../ports.ts'
import { contextOptions, HANDSHAKE_TIMEOUT_MS, serverTlsOptions, trustDomainOf } from './context.ts'
import { type AcceptDone, HandshakeServer, type Judgement } from './handshake-server.ts'
import { peerIdentity } from './verify.ts'

export interface TlsAcceptorOptions {
  credentials: CredentialSource
  /** In order of preference; a client that offers none of them is refused by the handshake. */
  alpn: readonly string[]
  requireClientCertificate: boolean
  handshakeTimeoutMs?: number
}

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #stopListening: () => void
  #server: HandshakeServer | undefined
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
    this.#server.accept(raw, head, done)
  }

  /** Ends handshakes under way; accepted connections are their owners'. */
  close(): void {
    this.#closed = true
    this.#stopListening()
    this.#server?.close()
  }

  #use(credential: Credential): void {
    if (this.#server === undefined) this.#server = this.#createServer(credential)
    else this.#server.setContext(contextOptions(credential))
    this.#generation = credential.generation
    this.#trustDomain = trustDomainOf(credential)
  }

  #createServer(credential: Credential): HandshakeServer {
    const demand = this.#options.requireClientCertificate
    const options = {
      ...serverTlsOptions(credential),
      requestCert: demand,
      rejectUnauthorized: demand,
      ALPNProtocols: [...this.#options.alpn],
      handshakeTimeout: this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    }
    return new HandshakeServer(options, (socket) => this.#judge(socket))
  }

  #judge(socket: TLSSocket): Judgement {
    return this.#options.requireClientCertificate ? peerIdentity(socket, this.#trustDomain) : { ok: true, peer: null }
  }
}
