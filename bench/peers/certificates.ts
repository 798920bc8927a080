/** A CA and two leaves (ECDSA P-256, as the mesh has them) for peers that check DNS names. By the openssl program. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes ca.pem, and NAME.pem with NAME.key for each name, which is also its DNS name. */
export function makeCertificates(openssl: string, folder: string, names: readonly string[]): void {
  const at = (file: string): string => join(folder, file)
  const run = (...args: string[]): void => void execFileSync(openssl, args, { stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  run('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=bench')
  for (const name of names) {
    writeFileSync(at(`${name}.ext`), `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    run('req', ...newKey, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`)
    const ca = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial']
    run(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      ...ca,
      '-days',
      '2',
      '-extfile',
      at(`${name}.ext`),
      '-out',
      at(`${name}.pem`),
    )
  }
}
