/**
 * The path from a leaf to a root, where no TLS library walks it for us: a CA's own check of the certificate that asks
 * for renewal, and of what a CA answered. Depth one: roots sign leaves here. RFC 5280 section 6, cut to that.
 */
import { X509Certificate } from 'node:crypto'
import { type CertificateFields, parseCertificate } from './certificate.ts'

/** Certificates are dated back by this, against clocks that differ; life is counted from the end of it. */
export const BACKDATE_MS = 120_000

/** Why `leafDer` is not issued by one of `roots` or not valid at `nowEpochMs`; `undefined`: it is. */
export function whyUntrusted(leafDer: Buffer, roots: readonly Buffer[], nowEpochMs: number): string | undefined {
  const leaf = parseCertificate(leafDer)
  if (!leaf.ok) return leaf.reason
  let reason = 'issued by none of the roots'
  for (const rootDer of roots) {
    const root = parseCertificate(rootDer)
    if (!root.ok || !root.fields.subjectDer.equals(leaf.fields.issuerDer)) continue
    const flaw = rootFlaw(root.fields) ?? outsideDates(root.fields, nowEpochMs, 'the root')
    if (flaw !== undefined) reason = flaw
    else if (!signedBy(leafDer, rootDer)) reason = 'not signed by the root that it names'
    else return leafFlaw(leaf.fields) ?? outsideDates(leaf.fields, nowEpochMs, 'the certificate')
  }
  return reason
}

/** What keeps a certificate from being a root of ours; not its dates. */
export function rootFlaw(root: CertificateFields): string | undefined {
  if (root.version !== 3) return 'the root is not an X.509 version 3 certificate'
  if (root.subjectEmpty) return 'the root has no subject'
  if (!root.isCa || !root.basicConstraintsCritical) return 'the root is no CA'
  if (root.keyUsage?.keyCertSign !== true) return 'the root may not sign certificates'
  if (root.unknownCritical.length > 0) return `the root has an unknown critical extension`
  return undefined
}

/** What RFC 5280 forbids in any leaf, whatever it is used for. */
function leafFlaw(leaf: CertificateFields): string | undefined {
  if (leaf.unknownCritical.length > 0) return `an unknown critical extension ${leaf.unknownCritical[0]}`
  if (/^(?:00)*$/.test(leaf.serialHex) || /^[89a-f]/.test(leaf.serialHex)) return 'a serial that is not positive'
  if (leaf.serialHex.length > 40) return 'a serial over 20 bytes'
  return undefined
}

function outsideDates(fields: CertificateFields, nowEpochMs: number, what: string): string | undefined {
  if (nowEpochMs < fields.notBeforeEpochMs) return `${what} is not valid yet`
  // notAfter is the last valid second
  if (nowEpochMs >= fields.notAfterEpochMs + 1000) return `${what} has expired`
  return undefined
}

function signedBy(leafDer: Buffer, rootDer: Buffer): boolean {
  try {
    const root = new X509Certificate(rootDer)
    const leaf = new X509Certificate(leafDer)
    return leaf.checkIssued(root) && leaf.verify(root.publicKey)
  } catch {
    return false
  }
}
