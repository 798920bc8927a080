/** The data path's ends of tls/: handshakes of accepted and of dialled sockets, by the credential of the moment or by files. */
import { createHash } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { ChainTls } from './listener/filter-chain.ts'
import type { Acceptor } from './listener/listener.ts'
import type { TlsDialer } from './pool/dial.ts'
import type { CredentialSource } from './ports.ts'
import { TlsAcceptor } from './tls/acceptor.ts'
import { type DialDone, dialTls } from './tls/dial.ts'
import type { Peer } from './tls/verify.ts'
import { FileAcceptor, dialWithFiles } from './tls/file-links.ts'
import type { FileStore } from './tls/file-store.ts'

/** The pool's own deadline covers the handshake; this is only a bound. */
const HANDSHAKE_BOUND_MS = 60_000

/** What is left of a peer's certificate. */
const lifeOf = (peer: Peer | null, clock: Clock): number =>
  peer === null ? Infinity : Math.max(0, peer.notAfterEpochMs - clock.nowEpochMs())

export function createTlsDialer(credentials: CredentialSource, store: FileStore, clock: Clock): TlsDialer {
  return {
    generation: () => credentials.current()?.generation ?? 0,
    handshake(raw, { sni, alpn, allowedIds, files }, done) {
      const onDone: DialDone = (error, socket, peer) => {
        const peerId = peer?.spiffeId ?? ''
        const secured = socket && { socket, peerId, alpn: socket.alpnProtocol || '', lifeMs: lifeOf(peer, clock) }
        done(error, secured)
      }
      if (files) dialWithFiles(raw, { files: store, tls: files, sni, alpn }, onDone)
      else dialTls({ socket: raw }, { credentials, sni, alpn, allowedIds, timeoutMs: HANDSHAKE_BOUND_MS }, onDone)
    },
  }
}

export function createAcceptor(
  credentials: CredentialSource,
  store: FileStore,
  chain: ChainTls,
  clock: Clock,
): Acceptor {
  const { alpn, requireClientCertificate, files } = chain
  const acceptor =
    files === null
      ? new TlsAcceptor({ credentials, alpn, requireClientCertificate })
      : new FileAcceptor({ files: store, tls: files, alpn, requireClientCertificate })
  return {
    accept(raw, head, done) {
      acceptor.accept(raw, head, (_error, socket, peer) => {
        if (socket === null) {
          done(null)
          return
        }
        const der = peer === null ? undefined : socket.getPeerX509Certificate()?.raw
        const certSha256 = der === undefined ? '' : createHash('sha256').update(der).digest('hex')
        const verified = peer === null ? null : { spiffeId: peer.spiffeId, lifeMs: lifeOf(peer, clock) }
        done({ socket, peer: verified, certSha256, alpn: socket.alpnProtocol || '' })
      })
    },
    close: () => acceptor.close(),
  }
}
