/**
 * X.509-SVIDs: what makes a certificate an identity. Source: X509-SVID.md sections 2 to 5; where it binds the issuer
 * only (key usages), checking is our policy. The path to a root is the TLS library's, or chain.ts's, matter.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { OID_CLIENT_AUTH, OID_SERVER_AUTH } from './algorithms.ts'
import { type CertificateFields, parseCertificate } from './certificate.ts'
import { parsePem } from './pem.ts'
import { parseSpiffeId } from './spiffe-id.ts'

/** ECDSA with SHA-2, RSA (also PSS) with SHA-2, Ed25519. MD5 and SHA-1 are absent on purpose. */
const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.3.101.112',
])

export interface Svid {
  spiffeId: string
  trustDomain: string
  serialHex: string
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

export type SvidVerdict = { ok: true; svid: Svid } | { ok: false; reason: string }

/** The leaf's DER against every rule. `trustDomain`: the only one accepted; omitted: any. */
export function verifySvid(der: Uint8Array, trustDomain?: string): SvidVerdict {
  const parsed = parseCertificate(der)
  return parsed.ok ? verifyLeaf(parsed.fields, trustDomain) : parsed
}

function verifyLeaf(leaf: CertificateFields, trustDomain: string | undefined): SvidVerdict {
  if (leaf.version !== 3) return bad('not an X.509 version 3 certificate')
  if (!STRONG_SIGNATURES.has(leaf.signatureOid)) return bad('signed with a weak or unknown algorithm')
  if (leaf.unknownCritical.length > 0) return bad(`unknown critical extension ${leaf.unknownCritical[0]}`)
  if (leaf.isCa) return bad('a CA certificate does not authenticate')
  const usage = leaf.keyUsage
  if (usage === undefined) return bad('no KeyUsage')
  if (!usage.critical) return bad('KeyUsage is not critical')
  if (!usage.digitalSignature) return bad('KeyUsage without digitalSignature')
  if (usage.keyCertSign || usage.cRLSign) return bad('KeyUsage of a CA')
  const extended = leaf.extendedKeyUsage
  if (extended !== undefined && !(extended.includes(OID_SERVER_AUTH) && extended.includes(OID_CLIENT_AUTH)))
    return bad('ExtendedKeyUsage without both serverAuth and clientAuth')
  const names = leaf.subjectAltName
  if (names === undefined || names.uris.length === 0) return bad('no URI name')
  if (names.uris.length > 1) return bad('more than one URI name')
  if (leaf.subjectEmpty && !names.critical) return bad('empty subject, but SubjectAltName is not critical')
  const parsed = parseSpiffeId(names.uris[0] ?? '')
  if (!parsed.ok) return bad(`not a SPIFFE ID: ${parsed.reason}`)
  if (parsed.id.path === '') return bad('the ID is that of a trust domain')
  if (trustDomain !== undefined && parsed.id.trustDomain !== trustDomain)
    return bad(`trust domain ${parsed.id.trustDomain} is not ${trustDomain}`)
  return {
    ok: true,
    svid: {
      spiffeId: parsed.id.text,
      trustDomain: parsed.id.trustDomain,
      serialHex: leaf.serialHex,
      notBeforeEpochMs: leaf.notBeforeEpochMs,
      notAfterEpochMs: leaf.notAfterEpochMs,
    },
  }
}

interface LoadedSvid extends Svid {
  certificates: Buffer[]
}

export type LoadVerdict = { ok: true; loaded: LoadedSvid } | { ok: false; reason: string }

/** A chain (leaf first) and its key as read from files: form, rules, and that the two belong together. Not the dates. */
export function loadSvid(chainPem: string, keyPem: string, trustDomain?: string): LoadVerdict {
  const certificates = parsePem(chainPem)?.filter((block) => block.label === 'CERTIFICATE') ?? []
  const leaf = certificates[0]
  if (leaf === undefined) return { ok: false, reason: 'no certificate' }
  const verdict = verifySvid(leaf.der, trustDomain)
  if (!verdict.ok) return verdict
  for (const { der } of certificates.slice(1)) {
    const issuer = parseCertificate(der)
    if (!issuer.ok) return issuer
    if (!issuer.fields.isCa) return { ok: false, reason: 'a signing certificate that is no CA' }
    if (issuer.fields.keyUsage?.keyCertSign !== true)
      return { ok: false, reason: 'a signing certificate without keyCertSign' }
  }
  const keys = parsePem(keyPem)?.filter((block) => block.label.endsWith('PRIVATE KEY')) ?? []
  const key = keys[0]
  if (key === undefined || keys.length > 1) return { ok: false, reason: 'not exactly one private key' }
  try {
    const privateKey = createPrivateKey(keyPem.slice(keyPem.indexOf(`-----BEGIN ${key.label}`)))
    if (!new X509Certificate(leaf.der).checkPrivateKey(privateKey))
      return { ok: false, reason: 'the private key is not that of the certificate' }
  } catch {
    return { ok: false, reason: 'a damaged private key or certificate' }
  }
  return { ok: true, loaded: { ...verdict.svid, certificates: certificates.map((block) => block.der) } }
}

function bad(reason: string): { ok: false; reason: string } {
  return { ok: false, reason }
}
