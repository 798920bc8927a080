/** Object identifiers and whole AlgorithmIdentifiers that certificates and requests of the mesh use. RFC 5758, 8410. */
export const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2'
export const OID_ORGANIZATION = '2.5.4.10'
export const OID_COMMON_NAME = '2.5.4.3'
export const OID_SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const OID_CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
export const OID_EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

type SignatureKind = 'ec' | 'rsa' | 'ed25519'

export interface SignatureAlgorithm {
  kind: SignatureKind
  /** As node:crypto names it; null where the algorithm brings its own. */
  hash: 'sha256' | 'sha384' | 'sha512' | null
}

/** By the hex of the whole AlgorithmIdentifier, parameters included: absent for ECDSA, NULL for RSA. */
export const SIGNATURE_ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ['300a06082a8648ce3d040302', { kind: 'ec', hash: 'sha256' }],
  ['300a06082a8648ce3d040303', { kind: 'ec', hash: 'sha384' }],
  ['300a06082a8648ce3d040304', { kind: 'ec', hash: 'sha512' }],
  ['300d06092a864886f70d01010b0500', { kind: 'rsa', hash: 'sha256' }],
  ['300d06092a864886f70d01010c0500', { kind: 'rsa', hash: 'sha384' }],
  ['300d06092a864886f70d01010d0500', { kind: 'rsa', hash: 'sha512' }],
  ['300506032b6570', { kind: 'ed25519', hash: null }],
])

/** MD2, MD5 and SHA-1, with RSA, DSA and ECDSA: forgeable. */
export const WEAK_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10040.4.3',
  '1.2.840.10045.4.1',
])
