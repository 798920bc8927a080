/**
 * The root: its key and certificate in a folder of their own, read by this process alone. In: the folder. Out: an
 * Issuer. A folder or key that others may read is refused, not repaired: it may have been copied already.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { parseCertificate } from '../../identity/certificate.ts'
import { BACKDATE_MS, rootFlaw } from '../../identity/chain.ts'
import { parseBundle, toPem } from '../../identity/pem.ts'
import { writeFileAtomic } from '../../lib/atomic-file.ts'
import { createRootCertificate, type Issuer, keyIdentifier } from './template.ts'

const ROOT_LIFE_MS = 10 * 365 * 86_400_000
const KEY_FILE = 'root-key.pem'
const CERTIFICATE_FILE = 'root-cert.pem'

/** The root may not be used; the message says why, and the way out. */
export class RootError extends Error {
  readonly code = 'CA_ROOT'
}

export interface Root extends Issuer {
  pem: string
  der: Buffer
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

/** The root in `dir`, made there if there is none yet. Throws RootError with the reason and the way out. */
export function openRoot(dir: string, trustDomain: string, nowEpochMs: number): Root {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  checkPrivate(lstatSync(dir), dir, 'directory')
  const keyFile = join(dir, KEY_FILE)
  const certificateFile = join(dir, CERTIFICATE_FILE)
  const keyPem = readIfThere(keyFile)
  const pem = readIfThere(certificateFile)
  if (keyPem === undefined && pem !== undefined)
    throw new RootError(`${certificateFile} is there, but ${keyFile} is not: bring the key back, or remove both`)
  const privateKey = keyPem === undefined ? createKey(keyFile) : parseKey(keyPem, keyFile)
  if (pem !== undefined) return loadRoot(privateKey, pem, trustDomain, nowEpochMs, certificateFile)
  // a key alone: the first start ended between the two files
  const wholeSecond = Math.floor(nowEpochMs / 1000) * 1000
  const der = createRootCertificate({
    privateKey,
    spkiDer: spkiOf(privateKey),
    trustDomain,
    notBeforeEpochMs: wholeSecond - BACKDATE_MS,
    notAfterEpochMs: wholeSecond + ROOT_LIFE_MS,
  })
  writeFileAtomic(certificateFile, toPem('CERTIFICATE', der))
  return loadRoot(privateKey, toPem('CERTIFICATE', der), trustDomain, nowEpochMs, certificateFile)
}

function loadRoot(privateKey: KeyObject, pem: string, trustDomain: string, nowEpochMs: number, file: string): Root {
  const bundle = parseBundle(pem)
  if (!bundle.ok) throw new RootError(`${file}: ${bundle.reason}`)
  const der = bundle.certificates[0]
  const parsed = der === undefined ? undefined : parseCertificate(der)
  if (der === undefined || parsed === undefined || !parsed.ok || bundle.certificates.length > 1)
    throw new RootError(`${file}: not exactly one certificate`)
  const { fields } = parsed
  const flaw = rootFlaw(fields)
  if (flaw !== undefined) throw new RootError(`${file}: ${flaw}`)
  const certificate = new X509Certificate(der)
  if (!certificate.checkPrivateKey(privateKey)) throw new RootError(`${file} and ${KEY_FILE} do not belong together`)
  const owner = fields.subjectAltName?.uris[0]
  if (owner !== `spiffe://${trustDomain}`)
    throw new RootError(`${file} is the root of ${owner ?? 'no trust domain'}, not of spiffe://${trustDomain}`)
  if (nowEpochMs < fields.notBeforeEpochMs || nowEpochMs >= fields.notAfterEpochMs)
    throw new RootError(`${file} is not valid now (until ${new Date(fields.notAfterEpochMs).toISOString()})`)
  return {
    privateKey,
    certificate,
    subjectDer: fields.subjectDer,
    keyId: keyIdentifier(fields.spkiDer),
    pem,
    der,
    notBeforeEpochMs: fields.notBeforeEpochMs,
    notAfterEpochMs: fields.notAfterEpochMs,
  }
}

/** Whole or not at all: written beside, then linked to its name, which fails if something stands there. */
function createKey(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const temporary = `${file}.${process.pid}.tmp`
  const fd = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    writeSync(fd, String(privateKey.export({ type: 'pkcs8', format: 'pem' })))
    fsyncSync(fd)
    linkSync(temporary, file)
  } finally {
    closeSync(fd)
    unlinkSync(temporary)
  }
  return privateKey
}

function parseKey(pem: string, file: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new RootError(`${file} is damaged: bring it back, or remove it and ${CERTIFICATE_FILE} for a new root`)
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new RootError(`${file}: not a key on P-256`)
  return key
}

function readIfThere(file: string): string | undefined {
  let fd: number
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw new RootError(`${file} is a symbolic link`)
    throw error
  }
  try {
    checkPrivate(fstatSync(fd), file, 'file')
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

function checkPrivate(stats: Stats, path: string, kind: 'file' | 'directory'): void {
  if (kind === 'file' ? !stats.isFile() : !stats.isDirectory()) throw new RootError(`${path} is not a ${kind}`)
  if (stats.uid !== process.getuid?.()) throw new RootError(`${path} belongs to another user (uid ${stats.uid})`)
  if ((stats.mode & 0o077) !== 0)
    throw new RootError(
      `${path} is open to others (mode ${(stats.mode & 0o777).toString(8)}): if nobody read it, chmod go= ${path}`,
    )
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}
