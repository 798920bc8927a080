/** Credentials of one small mesh, for tests: a root, and leaves for any service account. */
import { connect, type TLSSocket } from 'node:tls'
import type { Credential } from '../../src/sidecar/ports.ts'
import { toPem } from '../../src/identity/pem.ts'
import { keyPem, leafExtensions, mint, mintRoot, newKey } from './mint.ts'

const root = mintRoot()

export const spiffeId = (account: string): string => `spiffe://cluster.local/ns/default/sa/${account}`

export function credential(account: string, generation = 1, lifeMs = 24 * 3_600_000): Credential {
  const key = newKey()
  const notAfterEpochMs = Date.now() + lifeMs
  const der = mint({ issuer: root, extensions: leafExtensions(spiffeId(account)), key, notAfterEpochMs })
  return {
    generation,
    spiffeId: spiffeId(account),
    keyPem: keyPem(key),
    certChainPem: toPem('CERTIFICATE', der),
    rootsPem: root.pem,
    serial: String(generation),
    notBeforeEpochMs: Date.now() - 1000,
    notAfterEpochMs,
  }
}

/** A connection to a sidecar's inbound port as another sidecar of the mesh makes it, without looking at who answers. */
export function meshSocket(port: number, alpn: string): TLSSocket {
  const { certChainPem: cert, keyPem: key } = credential('client')
  return connect({ port, host: '127.0.0.1', rejectUnauthorized: false, cert, key, ALPNProtocols: [alpn] })
}
