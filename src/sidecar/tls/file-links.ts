/**
 * Handshakes with certificates from files, both sides. In: a raw socket, compiled settings. Out: a verified TLS socket and
 * its peer, once, by callback. A chain is always verified against trusted_ca, unless the settings say that none is to be.
 */
import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { HANDSHAKE_TIMEOUT_MS, peerRefused } from './context.ts'
import type { DialDone } from './dial.ts'
import type { FileStore, LoadedTls } from './file-store.ts'
import type { FileTls } from './files.ts'
import { type AcceptDone, HandshakeServer, type Judgement } from './handshake-server.ts'
import { hasName, uriOf } from './peer-names.ts'

export interface FileAcceptorOptions {
  files: FileStore
  tls: FileTls
  alpn: readonly string[]
  requireClientCertificate: boolean
}

export class FileAcceptor {
  readonly #options: FileAcceptorOptions
  #loaded: LoadedTls
  readonly #server: HandshakeServer

  /** Throws where the files cannot be used. */
  constructor(options: FileAcceptorOptions) {
    this.#options = options
    const { files, tls, alpn, requireClientCertificate } = options
    this.#loaded = files.get(tls)
    const server = {
      ...this.#loaded.options,
      // one that is shown is verified, also where none is required
      requestCert: requireClientCertificate || tls.trustedCa !== null,
      rejectUnauthorized: requireClientCertificate && !tls.acceptUntrusted,
      ALPNProtocols: [...alpn],
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    }
    this.#server = new HandshakeServer(server, (socket) => judge(socket, tls, requireClientCertificate))
  }

  accept(raw: Socket, head: Buffer | null, done: AcceptDone): void {
    const loaded = this.#options.files.get(this.#options.tls)
    if (loaded !== this.#loaded) {
      this.#loaded = loaded
      this.#server.setContext(loaded.options)
    }
    this.#server.accept(raw, head, done)
  }

  close(): void {
    this.#server.close()
  }
}

export interface FileDialOptions {
  files: FileStore
  tls: FileTls
  sni: string
  alpn: readonly string[]
}

/** TLS over a connected socket. */
export function dialWithFiles(raw: Socket, { files, tls, sni, alpn }: FileDialOptions, done: DialDone): void {
  let waiting = true
  const settle = (error: Error | null, socket: TLSSocket | null): void => {
    if (!waiting) return
    waiting = false
    if (socket === null) return done(error, null, null)
    const judgement = error === null ? judge(socket, tls, true) : null
    if (judgement?.ok === true) return done(null, socket, judgement.peer)
    socket.destroy()
    done(error ?? peerRefused(judgement?.reason ?? ''), null, null)
  }
  let socket: TLSSocket
  try {
    socket = connect({
      socket: raw,
      secureContext: files.get(tls).context,
      servername: sni,
      ALPNProtocols: [...alpn],
      rejectUnauthorized: !tls.acceptUntrusted,
      // names are judged below, and only those that were asked for
      checkServerIdentity: () => undefined,
    })
  } catch (error) {
    raw.destroy()
    settle(error as Error, null)
    return
  }
  // stays for the socket's life: one without a listener would end the process
  socket.on('error', (error) => settle(error, socket))
  socket.once('close', () => settle(Object.assign(new Error('closed early'), { code: 'ECONNRESET' }), socket))
  socket.once('secureConnect', () => settle(null, socket))
}

/** Of a finished handshake: whether the peer is one that the settings accept. */
function judge(socket: TLSSocket, tls: FileTls, required: boolean): Judgement {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined)
    return required && !tls.acceptUntrusted ? refused('no certificate') : { ok: true, peer: null }
  if (!socket.authorized && !tls.acceptUntrusted) return refused(`unverified: ${String(socket.authorizationError)}`)
  if (tls.names.length > 0 && !hasName(certificate, tls.names))
    return refused('its certificate has none of the names asked for')
  // an unverified name says nothing about the peer
  const spiffeId = socket.authorized ? uriOf(certificate) : ''
  return { ok: true, peer: spiffeId === '' ? null : { spiffeId, notAfterEpochMs: Date.parse(certificate.validTo) } }
}

function refused(reason: string): Judgement {
  return { ok: false, reason }
}
