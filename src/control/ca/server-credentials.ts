/**
 * The control plane's own TLS: grpc-js server credentials whose certificate rotates. In: the CA. Out: credentials for
 * a server of ours, and the certificate at the other end of a call. grpc-js's certificate-provider credentials would do the
 * rotation, but pass key, certificate and roots only, and so bring back TLS 1.2 and tickets at the first renewal.
 */
import { constants } from 'node:crypto'
import type { PeerCertificate, SecureContextOptions } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import type { CertificateAuthority, ServerIdentity } from './ca.ts'

/** Wall clock is looked at this often: a suspended laptop's timers stand still. */
const MAX_SLEEP_MS = 30_000
const HANDSHAKE_TIMEOUT_MS = 5_000

const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions

class RotatingServerCredentials extends grpc.ServerCredentials {
  constructor(identity: ServerIdentity, requireClientCertificate: boolean) {
    super(
      {
        requestCert: true,
        // false: a caller may come without, then its token decides; one that fails the checks counts as none
        rejectUnauthorized: requireClientCertificate,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      contextOptions(identity),
    )
  }

  use(identity: ServerIdentity): void {
    this.updateSecureContextOptions(contextOptions(identity))
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return other === this
  }
}

function contextOptions(identity: ServerIdentity): SecureContextOptions {
  return { ...TLS_OPTIONS, key: identity.keyPem, cert: identity.certChainPem, ca: identity.rootsPem }
}

export interface ServerCredentialsOptions {
  ca: CertificateAuthority
  requireClientCertificate: boolean
}

/** Credentials of the control plane's identity, renewed at half of their life until `close`. */
export function serverCredentials(options: ServerCredentialsOptions): {
  credentials: grpc.ServerCredentials
  close(): void
} {
  const { ca, requireClientCertificate } = options
  const { clock } = ca
  let identity = ca.issueForServer(ca.serverId)
  let renewAtEpochMs = halfLife(identity)
  const credentials = new RotatingServerCredentials(identity, requireClientCertificate)
  let cancel = sleep()

  function halfLife(fresh: ServerIdentity): number {
    const now = clock.nowEpochMs()
    return now + (fresh.notAfterEpochMs - now) / 2
  }
  function sleep(): () => void {
    const remainingMs = Math.max(renewAtEpochMs - clock.nowEpochMs(), 0)
    return clock.after(Math.min(remainingMs, MAX_SLEEP_MS), wake)
  }
  function wake(): void {
    if (clock.nowEpochMs() >= renewAtEpochMs) {
      identity = ca.issueForServer(ca.serverId)
      renewAtEpochMs = halfLife(identity)
      credentials.use(identity)
    }
    cancel = sleep()
  }
  return { credentials, close: () => cancel() }
}

/** Any server call of grpc-js. */
interface AuthenticatedCall {
  getAuthContext(): { sslPeerCertificate?: Pick<PeerCertificate, 'raw'> | undefined } | null
}

/** DER of the certificate that a caller's TLS connection was verified with. */
export function peerCertificate(call: AuthenticatedCall): Buffer | undefined {
  return call.getAuthContext()?.sslPeerCertificate?.raw
}
