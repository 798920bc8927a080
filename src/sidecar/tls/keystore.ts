/**
 * A sidecar's key, chain and roots on disk: in and out as one set. Each generation has a folder of its own, and one
 * rename makes it the current one, so that key and certificate always match. 0600 in 0700.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

export interface KeySet {
  keyPem: string
  certChainPem: string
  rootsPem: string
}

/** Istio's file names. */
const FILES = { keyPem: 'key.pem', certChainPem: 'cert-chain.pem', rootsPem: 'root-cert.pem' } as const
const CURRENT = 'current'
const GENERATION = /^\d+$/

export class Keystore {
  readonly #dir: string

  constructor(podDir: string) {
    this.#dir = join(podDir, 'certs')
  }

  /** The current set; `undefined` when there is none, or a file is not ours alone. */
  load(): KeySet | undefined {
    try {
      const generation = readlinkSync(join(this.#dir, CURRENT))
      if (!GENERATION.test(generation)) return undefined
      const read = (file: string): string => readPrivate(join(this.#dir, generation, file))
      return {
        keyPem: read(FILES.keyPem),
        certChainPem: read(FILES.certChainPem),
        rootsPem: read(FILES.rootsPem),
      }
    } catch {
      return undefined
    }
  }

  /** All three or none; older generations go. */
  save(set: KeySet): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    const generations = readdirSync(this.#dir).filter((name) => GENERATION.test(name))
    const fresh = String(Math.max(0, ...generations.map(Number)) + 1)
    mkdirSync(join(this.#dir, fresh), { mode: 0o700 })
    for (const name of ['keyPem', 'certChainPem', 'rootsPem'] as const)
      writePrivate(join(this.#dir, fresh, FILES[name]), set[name])
    syncFolder(join(this.#dir, fresh))
    const link = join(this.#dir, `${CURRENT}.tmp`)
    rmSync(link, { force: true })
    symlinkSync(fresh, link)
    renameSync(link, join(this.#dir, CURRENT))
    syncFolder(this.#dir)
    for (const old of generations) rmSync(join(this.#dir, old), { recursive: true, force: true })
  }
}

function writePrivate(file: string, text: string): void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function readPrivate(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile() || stats.uid !== process.getuid?.() || (stats.mode & 0o077) !== 0)
      throw new Error(`${file} is not a private file of ours`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

function syncFolder(dir: string): void {
  const fd = openSync(dir, 'r')
  fsyncSync(fd)
  closeSync(fd)
}
