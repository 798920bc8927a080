/**
 * A certificate that names whom it likes and is signed by its own key, and a request for a real one. X.509 (RFC 5280)
 * and PKCS #10 (RFC 2986) in the few forms needed.
 */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

const [SEQUENCE, SET, INTEGER, BIT_STRING, OCTET_STRING, OID, UTC_TIME] = [0x30, 0x31, 2, 3, 4, 6, 0x17]
const ECDSA_SHA256 = der(SEQUENCE, der(OID, Buffer.from('2a8648ce3d040302', 'hex')))
const SUBJECT_ALT_NAME = der(OID, Buffer.from('551d11', 'hex'))
const EXTENSION_REQUEST = der(OID, Buffer.from('2a864886f70d01090e', 'hex'))
const NO_NAME = der(SEQUENCE)
/** Context tags: [0], [3] constructed; [6] a URI. */
const [CONTEXT_0, CONTEXT_3, URI] = [0xa0, 0xa3, 0x86]

export interface Forged {
  keyPem: string
  certPem: string
  csrPem: string
}

/** `spiffeId`: whom it claims to be. */
export function forgeIdentity(spiffeId: string): Forged {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const altName = der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, der(SEQUENCE, der(URI, Buffer.from(spiffeId)))))
  const extensions = der(SEQUENCE, altName)
  const validity = der(
    SEQUENCE,
    der(UTC_TIME, Buffer.from('200101000000Z')),
    der(UTC_TIME, Buffer.from('491231235959Z')),
  )
  const certificate = signed(
    privateKey,
    der(CONTEXT_0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, Buffer.from([1])),
    ECDSA_SHA256,
    NO_NAME,
    validity,
    NO_NAME,
    spki,
    der(CONTEXT_3, extensions),
  )
  const attribute = der(SEQUENCE, EXTENSION_REQUEST, der(SET, extensions))
  const request = signed(privateKey, der(INTEGER, Buffer.from([0])), NO_NAME, spki, der(CONTEXT_0, attribute))
  return {
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    certPem: pem('CERTIFICATE', certificate),
    csrPem: pem('CERTIFICATE REQUEST', request),
  }
}

function signed(key: KeyObject, ...body: Buffer[]): Buffer {
  const toSign = der(SEQUENCE, ...body)
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', toSign, key)])
  return der(SEQUENCE, toSign, ECDSA_SHA256, der(BIT_STRING, signature))
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n')
  return `-----BEGIN ${label}-----\n${lines.trimEnd()}\n-----END ${label}-----\n`
}
