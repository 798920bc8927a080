/**
 * Options and contexts for mutual TLS: a credential in, everything that node:tls must be told out. One client context
 * per generation, shared by all connections. Every option is given each time: what is left out falls back to system
 * roots, TLS 1.2 and session tickets.
 */
import { constants, type X509Certificate } from 'node:crypto'
import { createSecureContext, type ConnectionOptions, type SecureContext, type TlsOptions } from 'node:tls'
import { parseSpiffeId } from '../../identity/spiffe-id.ts'
import { verifySvid } from '../../identity/svid.ts'
import type { Credential } from '../ports.ts'

/** A peer that did not answer within this is dropped (half-open handshakes hold memory). */
export const HANDSHAKE_TIMEOUT_MS = 5_000

const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'

/** Key, chain, roots and protocol: for createServer, setSecureContext and createSecureContext alike. */
export function contextOptions(credential: Credential): TlsOptions {
  return {
    key: credential.keyPem,
    cert: credential.certChainPem,
    ca: credential.rootsPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    // a ticket would let a peer in without its key, and after its root was removed
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/** For a server that demands a peer certificate. */
export function serverTlsOptions(credential: Credential): TlsOptions {
  return {
    ...contextOptions(credential),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  }
}

export interface ClientTls {
  sni: string
  /** In order of preference. */
  alpn: readonly string[]
  /** Identities that may answer, compared as a whole: an empty set means nobody. `null`: any of the trust domain. */
  allowedIds: ReadonlySet<string> | null
}

/** For tls.connect. The server's identity decides, never a DNS name. */
export function clientTlsOptions(credential: Credential, link: ClientTls): ConnectionOptions {
  const { secureContext, trustDomain } = clientContext(credential)
  return {
    secureContext,
    rejectUnauthorized: true,
    servername: link.sni,
    ALPNProtocols: [...link.alpn],
    checkServerIdentity: (_host, certificate) => checkServer(certificate.raw, trustDomain, link.allowedIds),
  }
}

/** The check of a server's certificate in tls.connect's form: an Error refuses. */
export function checkServer(
  der: X509Certificate['raw'],
  trustDomain: string,
  allowedIds: ReadonlySet<string> | null,
): Error | undefined {
  const verdict = verifySvid(der, trustDomain)
  if (!verdict.ok) return peerRefused(verdict.reason)
  if (allowedIds !== null && !allowedIds.has(verdict.svid.spiffeId))
    return peerRefused(`${verdict.svid.spiffeId} may not serve this`)
  return undefined
}

/** Code of a peer whose certificate or identity was refused by our own rules. */
const PEER_REFUSED = 'PEER_REFUSED'

export function peerRefused(reason: string): Error {
  return Object.assign(new Error(`peer refused: ${reason}`), { code: PEER_REFUSED })
}

interface ClientContext {
  secureContext: SecureContext
  trustDomain: string
}

const clientContexts = new WeakMap<Credential, ClientContext>()

/** The one client context of a generation, and the trust domain whose peers it accepts. */
export function clientContext(credential: Credential): ClientContext {
  let context = clientContexts.get(credential)
  if (context === undefined) {
    context = {
      secureContext: createSecureContext(contextOptions(credential)),
      trustDomain: trustDomainOf(credential),
    }
    clientContexts.set(credential, context)
  }
  return context
}

/** The trust domain of our own identity, the only one whose peers we accept. */
export function trustDomainOf(credential: Credential): string {
  const own = parseSpiffeId(credential.spiffeId)
  if (!own.ok) throw new TypeError(`own identity: ${own.reason}`)
  return own.id.trustDomain
}
