/**
 * What a certificate request may be: PEM in, its public key out, or the named reason of the refusal. RFC 2986.
 * Nothing but the key is ever taken from a request; what else it asks for is checked only to tell the caller early.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { OID_EXTENSION_REQUEST, SIGNATURE_ALGORITHMS, WEAK_SIGNATURES } from '../../identity/algorithms.ts'
import { parseAsn1, toDer } from '../../identity/asn1.ts'
import { type Extensions, noExtensions, OID_NAME_CONSTRAINTS, readExtensions } from '../../identity/certificate.ts'
import {
  BIT_STRING,
  checkDer,
  contextTag,
  DerCursor,
  DerError,
  type DerNode,
  INTEGER,
  OBJECT_IDENTIFIER,
  readIntegerHex,
  readOid,
  SEQUENCE,
  SET,
} from '../../identity/der.ts'
import { parsePem } from '../../identity/pem.ts'
import { parseSpiffeId } from '../../identity/spiffe-id.ts'

export type CsrRefusal =
  | 'too_large'
  | 'not_one_request'
  | 'too_deep'
  | 'not_der'
  | 'bad_version'
  | 'weak_hash'
  | 'unknown_signature_algorithm'
  | 'bad_key'
  | 'no_possession'
  | 'duplicate_attribute'
  | 'asks_for_ca'
  | 'asks_for_constraints'
  | 'unknown_critical_extension'
  | 'other_names'
  | 'several_ids'
  | 'bad_id'
  | 'foreign_trust_domain'
  | 'other_identity'

export type CsrVerdict = { ok: true; spkiDer: Buffer } | { ok: false; refusal: CsrRefusal; reason: string }

const MAX_PEM_BYTES = 8192
const MAX_DEPTH = 32
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 4096
const RSA_EXPONENT = 65537n

/** SubjectPublicKeyInfo up to the point, whose length is then fixed: named curve, uncompressed, nothing behind. */
const EC_KEYS = [
  { prefixHex: '3059301306072a8648ce3d020106082a8648ce3d03010703420004', bytes: 91 },
  { prefixHex: '3076301006072a8648ce3d020106052b8104002203620004', bytes: 120 },
]
const ED25519_KEY = { prefixHex: '302a300506032b6570032100', bytes: 44 }
const RSA_ALGORITHM_HEX = '300d06092a864886f70d0101010500'

/** Every reason to refuse; `spiffeId` is the caller's proven identity. */
export function verifyCsr(pem: string, spiffeId: string): CsrVerdict {
  if (pem.length > MAX_PEM_BYTES) return refused('too_large', `over ${MAX_PEM_BYTES} bytes`)
  const der = singleRequest(pem)
  if (der === undefined) return refused('not_one_request', 'not exactly one PEM block CERTIFICATE REQUEST')
  try {
    checkDer(der, MAX_DEPTH)
    if (!toDer(parseAsn1(der, MAX_DEPTH + 1)).equals(der)) return refused('not_der', 'not in canonical form')
    return readRequest(der, spiffeId)
  } catch (error) {
    if (error instanceof DerError)
      return refused(error.message === 'nested too deep' ? 'too_deep' : 'not_der', error.message)
    // forge throws plain errors; anything unexpected here came from the bytes
    return refused('not_der', error instanceof Error ? error.message : String(error))
  }
}

function readRequest(der: Buffer, spiffeId: string): CsrVerdict {
  const outer = new DerCursor(der)
  const request = outer.into(outer.next(SEQUENCE))
  const infoNode = request.next(SEQUENCE)
  const algorithmNode = request.next(SEQUENCE)
  const signatureNode = request.next(BIT_STRING)
  request.finish()
  const info = request.into(infoNode)
  const version = readIntegerHex(der, info.next(INTEGER))
  if (version !== '00') return refused('bad_version', `version ${version}`)
  info.next(SEQUENCE) // the subject: never used
  const spkiDer = slice(der, info.next(SEQUENCE))
  const attributes = info.optional(contextTag(0, true))
  info.finish()

  const key = readKey(spkiDer)
  if (key === undefined) return refused('bad_key', 'not P-256, P-384, RSA 2048-4096 with e=65537, or Ed25519')
  const possession = checkPossession(der, key, infoNode, algorithmNode, signatureNode)
  if (possession !== undefined) return possession
  const asked = noExtensions()
  if (attributes !== undefined) {
    const again = readAttributes(info.into(attributes), asked)
    if (again !== undefined) return again
  }
  return checkAsked(asked, spiffeId) ?? { ok: true, spkiDer }
}

/** The signature over the request's own bytes, which are not encoded again. */
function checkPossession(
  der: Buffer,
  key: KeyObject,
  infoNode: DerNode,
  algorithmNode: DerNode,
  signatureNode: DerNode,
): CsrVerdict | undefined {
  const algorithm = SIGNATURE_ALGORITHMS.get(slice(der, algorithmNode).toString('hex'))
  if (algorithm === undefined) {
    const oid = readOid(der, new DerCursor(der, algorithmNode.content, algorithmNode.end).next(OBJECT_IDENTIFIER))
    return WEAK_SIGNATURES.has(oid)
      ? refused('weak_hash', `signed with ${oid}`)
      : refused('unknown_signature_algorithm', `signed with ${oid}, or its parameters`)
  }
  if (key.asymmetricKeyType !== algorithm.kind) return refused('no_possession', 'the signature is of another key kind')
  if (der[signatureNode.content] !== 0) return refused('not_der', 'a signature with unused bits')
  const signature = der.subarray(signatureNode.content + 1, signatureNode.end)
  let proven = false
  try {
    proven = verify(algorithm.hash, slice(der, infoNode), key, signature)
  } catch {
    // a point that is not on its curve shows only here on some OpenSSL versions
  }
  return proven ? undefined : refused('no_possession', 'the signature is not by the key in the request')
}

/** `undefined` for all but the four kinds, in exactly one encoding each. */
function readKey(spkiDer: Buffer): KeyObject | undefined {
  const hex = spkiDer.toString('hex')
  const fixed = [...EC_KEYS, ED25519_KEY].some(
    (kind) => spkiDer.length === kind.bytes && hex.startsWith(kind.prefixHex),
  )
  const headerHex = hex.slice(2 * rsaHeaderBytes(spkiDer))
  if (!fixed && !headerHex.startsWith(RSA_ALGORITHM_HEX)) return undefined
  let key: KeyObject
  try {
    key = createPublicKey({ key: spkiDer, format: 'der', type: 'spki' })
    // lenient parsing shows as a different encoding
    if (!key.export({ type: 'spki', format: 'der' }).equals(spkiDer)) return undefined
  } catch {
    return undefined
  }
  if (key.asymmetricKeyType === 'rsa') {
    const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {}
    if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS || publicExponent !== RSA_EXPONENT)
      return undefined
  }
  return key
}

/** Bytes of the outer SEQUENCE's tag and length. */
function rsaHeaderBytes(spkiDer: Buffer): number {
  const first = spkiDer[1] ?? 0
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

function readAttributes(attributes: DerCursor, asked: Extensions): CsrVerdict | undefined {
  let seen = false
  while (!attributes.done) {
    const attribute = attributes.into(attributes.next(SEQUENCE))
    const type = readOid(attributes.bytes, attribute.next(OBJECT_IDENTIFIER))
    const values = attribute.into(attribute.next(SET))
    attribute.finish()
    if (type !== OID_EXTENSION_REQUEST) continue
    if (seen) return refused('duplicate_attribute', 'extensions are requested twice')
    seen = true
    const list = values.next(SEQUENCE)
    values.finish()
    readExtensions(values.into(list), asked)
  }
  return undefined
}

function checkAsked(asked: Extensions, spiffeId: string): CsrVerdict | undefined {
  if (asked.isCa || asked.maxPathLength !== undefined) return refused('asks_for_ca', 'basicConstraints of a CA')
  if (asked.keyUsage?.keyCertSign === true || asked.keyUsage?.cRLSign === true)
    return refused('asks_for_ca', 'key usage of a CA')
  if (asked.extensions.includes(OID_NAME_CONSTRAINTS)) return refused('asks_for_constraints', 'name constraints')
  if (asked.unknownCritical.length > 0)
    return refused('unknown_critical_extension', `critical extension ${asked.unknownCritical[0]}`)
  const names = asked.subjectAltName
  if (names === undefined) return undefined
  if (names.others > 0) return refused('other_names', 'a DNS, IP or other name beside the SPIFFE ID')
  if (names.uris.length !== 1) return refused('several_ids', `${names.uris.length} URI names`)
  const id = parseSpiffeId(names.uris[0] ?? '')
  if (!id.ok) return refused('bad_id', id.reason)
  const caller = parseSpiffeId(spiffeId)
  if (!caller.ok || caller.id.trustDomain !== id.id.trustDomain)
    return refused('foreign_trust_domain', `trust domain ${id.id.trustDomain}`)
  if (id.id.text !== spiffeId) return refused('other_identity', `${id.id.text} is not the caller's identity`)
  return undefined
}

/** The one block, with nothing but white space around it. */
function singleRequest(pem: string): Buffer | undefined {
  const text = pem.trim()
  const blocks = parsePem(text)
  if (blocks?.length !== 1 || blocks[0]?.label !== 'CERTIFICATE REQUEST') return undefined
  if (!text.startsWith('-----BEGIN') || !text.endsWith('-----END CERTIFICATE REQUEST-----')) return undefined
  return blocks[0].der
}

function slice(der: Buffer, node: DerNode): Buffer {
  return der.subarray(node.start, node.end)
}

function refused(refusal: CsrRefusal, reason: string): CsrVerdict {
  return { ok: false, refusal, reason }
}
