/** What Node's own X.509 reader says of a certificate that was made by hand. */
import { createPrivateKey, X509Certificate } from 'node:crypto'

export function verifySelfSigned(
  certPem: string,
  keyPem: string,
): { uri: string | undefined; signed: boolean; ownKey: boolean } {
  const certificate = new X509Certificate(certPem)
  return {
    uri: certificate.subjectAltName?.replace(/^URI:/, ''),
    signed: certificate.verify(certificate.publicKey),
    ownKey: certificate.checkPrivateKey(createPrivateKey(keyPem)),
  }
}
