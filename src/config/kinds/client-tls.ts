/** How a client secures its connections (Istio API: ClientTLSSettings). */
import type { Report } from '../schema.ts'
import { bool, enumOf, ignored, list, object, string, supported, withRule } from '../schema.ts'

const NOT_BUILT = 'TLS to programs outside the mesh is not built: connections to them are plain'

export const tls = () =>
  withRule(
    object({
      mode: supported(
        enumOf({
          DISABLE: 'Plain text.',
          SIMPLE: { ignored: NOT_BUILT },
          MUTUAL: { ignored: NOT_BUILT },
          ISTIO_MUTUAL: "Mutual TLS with the mesh's certificates.",
        }),
        'How connections are secured. Without a tls block: mutual TLS where the endpoint has a sidecar that accepts it.',
        { default: 'DISABLE' },
      ),
      clientCertificate: ignored(string(), 'File with the certificate, for MUTUAL.', NOT_BUILT),
      privateKey: ignored(string(), 'File with the key, for MUTUAL.', NOT_BUILT),
      caCertificates: ignored(string(), 'File with the roots that are trusted.', NOT_BUILT),
      credentialName: ignored(string(), 'Secret with certificate, key and roots.', NOT_BUILT),
      subjectAltNames: supported(list(string()), "Names accepted in the server's certificate.", {
        default: 'the service accounts of the endpoints',
      }),
      sni: supported(string(), 'Server name to ask for.'),
      insecureSkipVerify: ignored(bool(), "Trust any server's certificate.", NOT_BUILT),
      caCrl: ignored(string(), 'File with revoked certificates.', NOT_BUILT),
    }),
    ['mode'],
    checkTls,
  )

interface Tls {
  mode?: string
  clientCertificate?: string
  privateKey?: string
  caCertificates?: string
  credentialName?: string
  subjectAltNames?: string[]
  insecureSkipVerify?: boolean
  caCrl?: string
}

/** What each mode needs and excludes. */
function checkTls(t: Tls, report: Report): void {
  if (t.mode !== 'SIMPLE' && t.mode !== 'MUTUAL') return
  if (t.insecureSkipVerify) {
    if (t.caCertificates)
      report(
        'PM0163',
        ['caCertificates'],
        'insecureSkipVerify trusts any certificate: caCertificates has no meaning beside it',
      )
    if (t.subjectAltNames)
      report(
        'PM0163',
        ['subjectAltNames'],
        'insecureSkipVerify trusts any name: subjectAltNames has no meaning beside it',
      )
    if (t.mode === 'SIMPLE' && t.credentialName)
      report(
        'PM0163',
        ['credentialName'],
        'insecureSkipVerify trusts any certificate: credentialName has no meaning beside it',
      )
  }
  if (t.credentialName) {
    for (const name of ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl'] as const) {
      if (t[name]) report('PM0163', [name], `credentialName holds that already: ${name} may not stand beside it`)
    }
  } else if (t.mode === 'MUTUAL') {
    for (const name of ['clientCertificate', 'privateKey'] as const)
      if (!t[name]) report('PM0163', [name], `mode MUTUAL needs ${name}`)
  }
}
