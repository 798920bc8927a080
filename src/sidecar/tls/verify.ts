/**
 * Who is at the other end: a finished handshake in, an identity or a reason out. Called once per connection, in both
 * directions. The TLS library has checked the chain and the dates; that it did is asked again here, because a resumed
 * session skips the checks and a wrong option would skip them in silence.
 */
import type { TLSSocket } from 'node:tls'
import { verifySvid } from '../../identity/svid.ts'

export interface Peer {
  spiffeId: string
  /** End of its certificate: connections must not outlive it. */
  notAfterEpochMs: number
}

export type PeerVerdict = { ok: true; peer: Peer } | { ok: false; reason: string }

/** The peer's identity, checked by all rules, or why it has none. */
export function peerIdentity(socket: TLSSocket, trustDomain: string): PeerVerdict {
  if (!socket.authorized) return { ok: false, reason: `unverified: ${String(socket.authorizationError)}` }
  if (socket.isSessionReused()) return { ok: false, reason: 'a resumed session' }
  if (socket.getProtocol() !== 'TLSv1.3') return { ok: false, reason: 'not TLS 1.3' }
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { ok: false, reason: 'no certificate' }
  const verdict = verifySvid(certificate.raw, trustDomain)
  if (!verdict.ok) return verdict
  return { ok: true, peer: { spiffeId: verdict.svid.spiffeId, notAfterEpochMs: verdict.svid.notAfterEpochMs } }
}
