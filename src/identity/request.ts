/** A certificate request (PKCS#10, RFC 2986) for a SPIFFE ID: key and ID in, PEM out. The sidecar's half of csr.ts. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { OID_ECDSA_SHA256, OID_EXTENSION_REQUEST } from './algorithms.ts'
import { bits, embedded, explicit, extension, oid, sequence, set, smallInteger, toDer, uriName } from './asn1.ts'
import { OID_SUBJECT_ALT_NAME } from './certificate.ts'
import { toPem } from './pem.ts'

/** `key`: a private key on P-256. The subject stays empty: the ID is the one name. */
export function createRequest(key: KeyObject, spiffeId: string): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const extensions = sequence(extension(OID_SUBJECT_ALT_NAME, true, uriName(spiffeId)))
  const info = sequence(
    smallInteger(0),
    sequence(),
    embedded(spki),
    explicit(0, sequence(oid(OID_EXTENSION_REQUEST), set(extensions))),
  )
  const signature = sign('sha256', toDer(info), key)
  return toPem('CERTIFICATE REQUEST', toDer(sequence(info, sequence(oid(OID_ECDSA_SHA256)), bits(signature))))
}
