/**
 * An X.509 certificate's DER in, the fields that our rules read out. RFC 5280 section 4. Own walk over the bytes,
 * since Node's text forms of names have been injectable. Checks form, not trust.
 */
import {
  BIT_STRING,
  BOOLEAN,
  contextTag,
  DerCursor,
  DerError,
  type DerNode,
  INTEGER,
  OCTET_STRING,
  readBits,
  readBoolean,
  readIntegerHex,
  readOid,
  readTimeEpochMs,
  SEQUENCE,
} from './der.ts'

interface KeyUsage {
  critical: boolean
  digitalSignature: boolean
  keyCertSign: boolean
  cRLSign: boolean
}

interface SubjectAltName {
  critical: boolean
  uris: string[]
  /** Names of other types (DNS, IP ...): allowed, never read. */
  others: number
}

/** What extensions say; the same in certificates and in requests. */
export interface Extensions {
  isCa: boolean
  basicConstraintsCritical: boolean
  maxPathLength: number | undefined
  keyUsage: KeyUsage | undefined
  /** Object identifiers of the extended key usages. */
  extendedKeyUsage: string[] | undefined
  subjectAltName: SubjectAltName | undefined
  /** Object identifiers of all extensions, and of those critical ones that nothing here reads. */
  extensions: string[]
  unknownCritical: string[]
}

export interface CertificateFields extends Extensions {
  version: number
  serialHex: string
  signatureOid: string
  issuerDer: Buffer
  subjectDer: Buffer
  subjectEmpty: boolean
  spkiDer: Buffer
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

export type CertificateVerdict = { ok: true; fields: CertificateFields } | { ok: false; reason: string }

export const OID_SUBJECT_KEY_ID = '2.5.29.14'
export const OID_KEY_USAGE = '2.5.29.15'
export const OID_SUBJECT_ALT_NAME = '2.5.29.17'
export const OID_BASIC_CONSTRAINTS = '2.5.29.19'
export const OID_NAME_CONSTRAINTS = '2.5.29.30'
export const OID_AUTHORITY_KEY_ID = '2.5.29.35'
export const OID_EXTENDED_KEY_USAGE = '2.5.29.37'

const URI_NAME = contextTag(6, false)

/** One certificate and nothing behind it. */
export function parseCertificate(der: Uint8Array): CertificateVerdict {
  try {
    return { ok: true, fields: readCertificate(der) }
  } catch (error) {
    if (error instanceof DerError) return { ok: false, reason: `malformed certificate: ${error.message}` }
    throw error
  }
}

function readCertificate(der: Uint8Array): CertificateFields {
  const outer = new DerCursor(der)
  const certificate = outer.into(outer.next(SEQUENCE))
  outer.finish()
  const tbs = certificate.into(certificate.next(SEQUENCE))
  const outerAlgorithm = certificate.next(SEQUENCE)
  certificate.next(BIT_STRING)
  certificate.finish()

  const slice = (node: DerNode): Buffer => Buffer.from(der.subarray(node.start, node.end))
  const versionNode = tbs.optional(contextTag(0, true))
  const version = versionNode === undefined ? '00' : readIntegerHex(der, tbs.into(versionNode).next(INTEGER))
  const serialHex = readIntegerHex(der, tbs.next(INTEGER))
  const innerAlgorithm = tbs.next(SEQUENCE)
  if (!slice(innerAlgorithm).equals(slice(outerAlgorithm))) throw new DerError('two signature algorithms')
  const issuer = tbs.next(SEQUENCE)
  const validity = tbs.into(tbs.next(SEQUENCE))
  const notBeforeEpochMs = readTimeEpochMs(der, validity.next())
  const notAfterEpochMs = readTimeEpochMs(der, validity.next())
  validity.finish()
  const subject = tbs.next(SEQUENCE)
  const spki = tbs.next(SEQUENCE)
  tbs.optional(contextTag(1, false))
  tbs.optional(contextTag(2, false))
  const fields: CertificateFields = {
    version: Number.parseInt(version, 16) + 1,
    serialHex,
    signatureOid: readOid(der, tbs.into(innerAlgorithm).next()),
    issuerDer: slice(issuer),
    subjectDer: slice(subject),
    subjectEmpty: subject.content === subject.end,
    spkiDer: slice(spki),
    notBeforeEpochMs,
    notAfterEpochMs,
    ...noExtensions(),
  }
  const extensions = tbs.optional(contextTag(3, true))
  tbs.finish()
  if (extensions !== undefined) {
    const list = tbs.into(extensions)
    readExtensions(list.into(list.next(SEQUENCE)), fields)
    list.finish()
  }
  return fields
}

export function noExtensions(): Extensions {
  return {
    isCa: false,
    basicConstraintsCritical: false,
    maxPathLength: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectAltName: undefined,
    extensions: [],
    unknownCritical: [],
  }
}

/** Adds what each extension of `list` says to `fields`; a request's extensions have the same form (RFC 2985 5.4.2). */
export function readExtensions(list: DerCursor, fields: Extensions): void {
  while (!list.done) {
    const extension = list.into(list.next(SEQUENCE))
    const oid = readOid(list.bytes, extension.next())
    const criticalNode = extension.optional(BOOLEAN)
    const critical = criticalNode !== undefined && readBoolean(list.bytes, criticalNode)
    const value = extension.into(extension.next(OCTET_STRING))
    extension.finish()
    if (fields.extensions.includes(oid)) throw new DerError(`extension ${oid} twice`)
    fields.extensions.push(oid)
    readExtension(oid, critical, value, fields)
  }
}

function readExtension(oid: string, critical: boolean, value: DerCursor, fields: Extensions): void {
  const { bytes } = value
  switch (oid) {
    case OID_BASIC_CONSTRAINTS: {
      const parts = value.into(value.next(SEQUENCE))
      const ca = parts.optional(BOOLEAN)
      const pathLength = parts.optional(INTEGER)
      parts.finish()
      fields.isCa = ca !== undefined && readBoolean(bytes, ca)
      fields.basicConstraintsCritical = critical
      if (pathLength !== undefined) fields.maxPathLength = Number.parseInt(readIntegerHex(bytes, pathLength), 16)
      break
    }
    case OID_KEY_USAGE: {
      const bits = readBits(bytes, value.next())
      fields.keyUsage = {
        critical,
        digitalSignature: bits[0] === true,
        keyCertSign: bits[5] === true,
        cRLSign: bits[6] === true,
      }
      break
    }
    case OID_EXTENDED_KEY_USAGE: {
      const usages = value.into(value.next(SEQUENCE))
      fields.extendedKeyUsage = []
      while (!usages.done) fields.extendedKeyUsage.push(readOid(bytes, usages.next()))
      break
    }
    case OID_SUBJECT_ALT_NAME: {
      const names = value.into(value.next(SEQUENCE))
      fields.subjectAltName = { critical, uris: [], others: 0 }
      while (!names.done) {
        const name = names.next()
        if (name.tag === URI_NAME) fields.subjectAltName.uris.push(readUri(bytes, name))
        else fields.subjectAltName.others++
      }
      break
    }
    case OID_SUBJECT_KEY_ID:
    case OID_AUTHORITY_KEY_ID:
      value.next()
      break
    default:
      if (critical) fields.unknownCritical.push(oid)
      return // opaque: its contents need not be DER
  }
  value.finish()
}

/** IA5String; a NUL or any other byte outside printable ASCII would read differently elsewhere. */
function readUri(bytes: Uint8Array, node: DerNode): string {
  for (let i = node.content; i < node.end; i++) {
    const byte = bytes[i] ?? 0
    if (byte <= 0x20 || byte >= 0x7f) throw new DerError('a URI name with a byte that is not printable ASCII')
  }
  return Buffer.from(bytes.subarray(node.content, node.end)).toString('latin1')
}
