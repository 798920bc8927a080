/**
 * Certificate files, loaded. In: compiled TLS settings. Out: options and contexts for handshakes; a reload reads all files
 * again and keeps what it had where one is not usable. Owns the contexts.
 */
import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { FileTls, PemSource } from './files.ts'

export interface LoadedTls {
  options: SecureContextOptions
  context: SecureContext
}

/** Throws an Error that names the file. */
export function loadTls(tls: FileTls): LoadedTls {
  const { minVersion, maxVersion, ciphers, curves } = tls
  const options: SecureContextOptions = {
    key: tls.certificates.map((c) => readPem(c.key)),
    cert: tls.certificates.map((c) => readPem(c.chain)),
    // an empty list: the system's roots are not asked for
    ca: tls.trustedCa === null ? [] : readPem(tls.trustedCa),
    minVersion,
    maxVersion,
    ciphers,
    ecdhCurve: curves,
    honorCipherOrder: true,
    // a ticket would let a peer in without its key
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
  try {
    return { options, context: createSecureContext(options) }
  } catch (error) {
    throw new Error(`${filesOf(tls).join(', ') || 'inline'}: ${reasonOf(error)}`, { cause: error })
  }
}

/** Files that it is made of. */
export function filesOf({ certificates, trustedCa }: FileTls): string[] {
  const sources = [...certificates.flatMap((c) => [c.chain, c.key]), ...(trustedCa === null ? [] : [trustedCa])]
  return sources.flatMap((source) => ('file' in source ? [source.file] : []))
}

function readPem(source: PemSource): string {
  if ('text' in source) return source.text
  let text: string
  try {
    text = readFileSync(source.file, 'utf8')
  } catch (error) {
    throw new Error(`${source.file}: ${reasonOf(error)}`, { cause: error })
  }
  if (text.includes('-----BEGIN ')) return text
  throw new Error(`${source.file}: there is no PEM block in it`)
}

/** Of a file's fault: its first part, the file has been named. */
function reasonOf(error: unknown): string {
  const { message, syscall } = error as NodeJS.ErrnoException
  return syscall === undefined ? message : (message.split(',')[0] ?? '')
}

export class FileStore {
  readonly #loaded = new Map<string, { tls: FileTls; loaded: LoadedTls }>()

  /** Of the last good reading; throws where there has never been one. */
  get(tls: FileTls): LoadedTls {
    let entry = this.#loaded.get(tls.key)
    if (entry === undefined) {
      entry = { tls, loaded: loadTls(tls) }
      this.#loaded.set(tls.key, entry)
    }
    return entry.loaded
  }

  files(): string[] {
    return [...new Set([...this.#loaded.values()].flatMap(({ tls }) => filesOf(tls)))]
  }

  /** For the next handshakes. Returns why a set of files could not be used; it stays as it was. */
  reload(): string[] {
    const faults: string[] = []
    for (const entry of this.#loaded.values()) {
      try {
        entry.loaded = loadTls(entry.tls)
      } catch (error) {
        faults.push(reasonOf(error))
      }
    }
    return faults
  }
}
