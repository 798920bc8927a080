/**
 * What goes into a certificate: a key and a name in, signed DER out. Built from scratch: of a request only the public
 * key is taken. RFC 5280 section 4, X509-SVID.md. node:crypto signs; what was signed is read again and checked.
 */
import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import {
  OID_CLIENT_AUTH,
  OID_COMMON_NAME,
  OID_ECDSA_SHA256,
  OID_ORGANIZATION,
  OID_SERVER_AUTH,
} from '../../identity/algorithms.ts'
import {
  type Asn1Node,
  bits,
  boolean,
  embedded,
  explicit,
  extension,
  implicit,
  integer,
  octets,
  oid,
  sequence,
  set,
  smallInteger,
  time,
  toDer,
  uriName,
  utf8,
} from '../../identity/asn1.ts'
import {
  OID_AUTHORITY_KEY_ID,
  OID_BASIC_CONSTRAINTS,
  OID_EXTENDED_KEY_USAGE,
  OID_KEY_USAGE,
  OID_SUBJECT_ALT_NAME,
  OID_SUBJECT_KEY_ID,
} from '../../identity/certificate.ts'
import { verifySvid } from '../../identity/svid.ts'

/** Whoever signs: the root's key, its name and key identifier. */
export interface Issuer {
  privateKey: KeyObject
  certificate: X509Certificate
  /** DER of its subject. */
  subjectDer: Buffer
  keyId: Buffer
}

interface Validity {
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

export interface RootTemplate extends Validity {
  privateKey: KeyObject
  spkiDer: Buffer
  trustDomain: string
}

export interface LeafTemplate extends Validity {
  spkiDer: Buffer
  spiffeId: string
}

/** Bits of KeyUsage, first bit first, with the unused bits of their one byte. */
const DIGITAL_SIGNATURE = bits(Buffer.of(0x80), 7)
const KEY_CERT_SIGN_AND_CRL_SIGN = bits(Buffer.of(0x06), 1)

/** A self-signed root; its one name is the trust domain's ID, with no path: it never authenticates. */
export function createRootCertificate(template: RootTemplate): Buffer {
  const name = sequence(
    rdn(OID_ORGANIZATION, template.trustDomain),
    // the key's own name, so that two roots of one trust domain are two names
    rdn(OID_COMMON_NAME, `Pocketmesh root ${keyIdentifier(template.spkiDer).toString('hex').slice(0, 8)}`),
  )
  return signed(template.privateKey, name, name, template.spkiDer, template, [
    extension(OID_BASIC_CONSTRAINTS, true, sequence(boolean(true), smallInteger(0))),
    extension(OID_KEY_USAGE, true, KEY_CERT_SIGN_AND_CRL_SIGN),
    extension(OID_SUBJECT_KEY_ID, false, octets(keyIdentifier(template.spkiDer))),
    extension(OID_SUBJECT_ALT_NAME, false, uriName(`spiffe://${template.trustDomain}`)),
  ])
}

/** A workload's certificate. Throws when what came out is not what was asked for: our own bug, nothing leaves. */
export function createLeafCertificate(template: LeafTemplate, issuer: Issuer): Buffer {
  const der = signed(issuer.privateKey, embedded(issuer.subjectDer), sequence(), template.spkiDer, template, [
    extension(OID_BASIC_CONSTRAINTS, true, sequence()),
    extension(OID_KEY_USAGE, true, DIGITAL_SIGNATURE),
    extension(OID_EXTENDED_KEY_USAGE, false, sequence(oid(OID_SERVER_AUTH), oid(OID_CLIENT_AUTH))),
    extension(OID_SUBJECT_KEY_ID, false, octets(keyIdentifier(template.spkiDer))),
    extension(OID_AUTHORITY_KEY_ID, false, sequence(implicit(0, issuer.keyId))),
    // critical, since the subject is empty
    extension(OID_SUBJECT_ALT_NAME, true, uriName(template.spiffeId)),
  ])
  const certificate = new X509Certificate(der)
  const verdict = verifySvid(der)
  if (!certificate.verify(issuer.certificate.publicKey) || !certificate.checkIssued(issuer.certificate))
    throw new Error('the certificate just signed does not verify')
  if (!verdict.ok || verdict.svid.spiffeId !== template.spiffeId)
    throw new Error(`the certificate just signed is not ${template.spiffeId}'s`)
  return der
}

/** Twenty bytes of the key's SHA-256 (RFC 7093, method 1). */
export function keyIdentifier(spkiDer: Uint8Array): Buffer {
  return createHash('sha256').update(spkiDer).digest().subarray(0, 20)
}

function signed(
  key: KeyObject,
  issuer: Asn1Node,
  subject: Asn1Node,
  spkiDer: Buffer,
  validity: Validity,
  extensions: Asn1Node[],
): Buffer {
  const algorithm = sequence(oid(OID_ECDSA_SHA256))
  const tbs = sequence(
    explicit(0, smallInteger(2)),
    integer(randomSerial()),
    algorithm,
    issuer,
    sequence(time(validity.notBeforeEpochMs), time(validity.notAfterEpochMs)),
    subject,
    embedded(spkiDer),
    explicit(3, sequence(...extensions)),
  )
  return toDer(sequence(tbs, algorithm, bits(sign('sha256', toDer(tbs), key))))
}

/** Sixteen random bytes, positive, in their shortest form. */
function randomSerial(): Buffer {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}

function rdn(type: string, value: string): Asn1Node {
  return set(sequence(oid(type), utf8(value)))
}
