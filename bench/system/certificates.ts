/**
 * A CA and leaves for the hops (ECDSA P-256, as the mesh has them), each with a DNS name for peers that check those and
 * a SPIFFE ID for sidecars. By the openssl program.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const LEAVES = ['front', 'back', 'load'] as const

export function spiffeIdOf(name: string): string {
  return `spiffe://cluster.local/ns/bench/sa/${name}`
}

const extensionsOf = (name: string): string => `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:${name},URI:${spiffeIdOf(name)}
`

/** Writes ca.pem, and NAME.pem with NAME.key (both together in NAME.both.pem) for each name. */
export function makeCertificates(openssl: string, folder: string, names: readonly string[] = LEAVES): void {
  const at = (file: string): string => join(folder, file)
  const run = (...args: string[]): Buffer => execFileSync(openssl, args, { stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  run('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=bench')
  for (const name of names) {
    const [key, request, leaf, extensions] = ['key', 'csr', 'pem', 'ext'].map((kind) => at(`${name}.${kind}`)) as [
      string,
      string,
      string,
      string,
    ]
    writeFileSync(extensions, extensionsOf(name))
    run('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`)
    const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
    run('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', leaf)
    writeFileSync(at(`${name}.both.pem`), Buffer.concat([run('x509', '-in', leaf), run('ec', '-in', key)]))
  }
}
