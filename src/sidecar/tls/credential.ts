/**
 * A sidecar's own identity over time: bootstrap in, a credential always fit for the next handshake out. Makes the keys,
 * asks the CA, keeps the pair on disk, renews at half-life. The old certificate serves until it expires; then there is
 * none (fail closed), and asking goes on. Owns the timer and the files in podDir/certs.
 */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, unlinkSync } from 'node:fs'
import { whyUntrusted } from '../../identity/chain.ts'
import { parseBundle } from '../../identity/pem.ts'
import { createRequest } from '../../identity/request.ts'
import { loadSvid } from '../../identity/svid.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { SidecarBootstrap } from '../../xds/bootstrap.ts'
import type { Credential, CredentialSource } from '../ports.ts'
import { CaError, type CertificateIssuer } from './issuer.ts'
import { type KeySet, Keystore } from './keystore.ts'
import { issuedAtEpochMs, renewAtEpochMs, retryDelayMs } from './renewal.ts'

type Whereabouts = Pick<
  SidecarBootstrap,
  'spiffeId' | 'trustDomain' | 'podDir' | 'caSocket' | 'rootCertFile' | 'tokenFile'
>

export interface CredentialManagerOptions extends Whereabouts {
  clock: Clock
  log: Log
  /** Default: the CA at caSocket. */
  issuer?: CertificateIssuer
  random?: () => number
  /**
   * The CA answered and refused, and no valid certificate is left: only a new bootstrap token helps, so a sidecar
   * ends, and is started again with one.
   */
  onRefused?: (error: CaError) => void
}

/** For the admin page: dates and names, never keys. */
export interface CredentialDescription {
  spiffeId: string
  valid: boolean
  generation: number
  serial: string
  notBefore: string
  notAfter: string
  renewAt: string
  /** Certificates received from the CA by this process. */
  issued: number
  lastError: string | null
}

/** A suspended laptop's timers stand still: the wall clock is looked at this often. */
const MAX_SLEEP_MS = 30_000
/** Life assumed for retries while there was no certificate yet. */
const UNKNOWN_LIFE_MS = 16 * 60_000

export class CredentialManager implements CredentialSource {
  readonly #options: CredentialManagerOptions
  readonly #keystore: Keystore
  #issuer: CertificateIssuer | undefined
  readonly #random: () => number
  readonly #listeners = new Set<(credential: Credential) => void>()
  #credential: Credential | undefined
  #generation = 0
  #issued = 0
  #token: string | undefined
  #renewAtEpochMs = 0
  #retryAtMs = 0
  #failures = 0
  #asking = false
  #lastError: CaError | undefined
  #cancelTimer: () => void = () => undefined
  #onFirst: ((error: CaError | null) => void) | undefined
  #closed = false

  constructor(options: CredentialManagerOptions) {
    this.#options = options
    this.#keystore = new Keystore(options.podDir)
    this.#issuer = options.issuer
    this.#random = options.random ?? Math.random
  }

  /**
   * Resolves with the first credential in place, from disk at once or from the CA; rejects when the CA refuses. One from
   * disk is another process's: where the supervisor has left a token, so that the CA is there, it is renewed at once.
   */
  start(): Promise<void> {
    this.#readToken()
    this.#loadFromDisk()
    if (this.#credential !== undefined) {
      if (this.#token !== undefined) this.#renewAtEpochMs = this.#nowEpochMs()
      this.#sleep()
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      this.#onFirst = (error) => (error === null ? resolve() : reject(error))
      this.#wake()
    })
  }

  current(): Credential | undefined {
    const credential = this.#credential
    return credential !== undefined && this.#nowEpochMs() < credential.notAfterEpochMs ? credential : undefined
  }

  onChange(listener: (credential: Credential) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  describe(): CredentialDescription | undefined {
    const credential = this.#credential
    if (credential === undefined) return undefined
    return {
      spiffeId: credential.spiffeId,
      valid: this.current() !== undefined,
      generation: credential.generation,
      serial: credential.serial,
      notBefore: new Date(credential.notBeforeEpochMs).toISOString(),
      notAfter: new Date(credential.notAfterEpochMs).toISOString(),
      renewAt: new Date(this.#renewAtEpochMs).toISOString(),
      issued: this.#issued,
      lastError: this.#lastError?.message ?? null,
    }
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer()
    this.#listeners.clear()
  }

  /** Asks when it is time by the wall clock and no retry is being waited for; else sleeps on. */
  #wake(): void {
    if (this.#closed || this.#asking) return
    const due = this.#nowEpochMs() >= this.#renewAtEpochMs && this.#options.clock.nowMs() >= this.#retryAtMs
    if (due) void this.#ask()
    else this.#sleep()
  }

  #sleep(): void {
    this.#cancelTimer()
    if (this.#closed) return
    const untilRenewalMs = this.#renewAtEpochMs - this.#nowEpochMs()
    const untilRetryMs = this.#retryAtMs - this.#options.clock.nowMs()
    const delayMs = Math.min(Math.max(untilRenewalMs, untilRetryMs, 0), MAX_SLEEP_MS)
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#wake())
  }

  async #ask(): Promise<void> {
    this.#asking = true
    try {
      await this.#renew()
      this.#failures = 0
      this.#lastError = undefined
    } catch (error) {
      this.#onFailure(error instanceof CaError ? error : new CaError((error as Error).message, false))
    }
    this.#asking = false
    this.#sleep()
  }

  async #renew(): Promise<void> {
    const { spiffeId } = this.#options
    const valid = this.current()
    if (valid === undefined) this.#readToken()
    const token = valid === undefined ? this.#token : undefined
    // an expired one proves nothing, but the CA's answer tells its absence from its refusal
    const credential = token === undefined ? this.#credential : undefined
    if (credential === undefined && token === undefined)
      throw new CaError('no valid certificate in the pod folder, and no bootstrap token', true)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const csrPem = createRequest(privateKey, spiffeId)
    this.#issuer ??= await this.#caClient()
    const chain = await this.#issuer.issue({ csrPem, token, credential, rootsPem: this.#pinnedRoots() ?? '' })
    if (this.#closed) return
    if (token !== undefined) this.#token = undefined
    const set: KeySet = {
      keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      certChainPem: chain.slice(0, -1).join(''),
      rootsPem: chain.at(-1) ?? '',
    }
    const fresh = this.#verify(set)
    if (typeof fresh === 'string') throw new CaError(`the CA answered with a bad certificate: ${fresh}`, false)
    this.#saveToDisk(set)
    this.#issued++
    this.#use(fresh)
  }

  /** A start with a certificate on disk does without it. */
  async #caClient(): Promise<CertificateIssuer> {
    const { CaClient } = await import('./ca-client.ts')
    return new CaClient(this.#options.caSocket, this.#options.trustDomain)
  }

  #use(credential: Credential): void {
    const { notBeforeEpochMs, notAfterEpochMs } = credential
    this.#credential = credential
    this.#renewAtEpochMs = renewAtEpochMs(notBeforeEpochMs, notAfterEpochMs, this.#random())
    this.#options.log.info(
      { serial: credential.serial, notAfter: new Date(notAfterEpochMs).toISOString() },
      'certificate in use',
    )
    for (const listener of this.#listeners) listener(credential)
    this.#onFirst?.(null)
    this.#onFirst = undefined
  }

  #onFailure(error: CaError): void {
    const { log, clock, onRefused } = this.#options
    this.#lastError = error
    this.#failures++
    const held = this.#credential
    const lifeMs =
      held === undefined
        ? UNKNOWN_LIFE_MS
        : held.notAfterEpochMs - issuedAtEpochMs(held.notBeforeEpochMs, held.notAfterEpochMs)
    this.#retryAtMs = clock.nowMs() + retryDelayMs(this.#failures, lifeMs, this.#random())
    log.warn(
      { reason: error.message, failures: this.#failures, valid: this.current() !== undefined },
      'no new certificate',
    )
    if (!error.refused || this.current() !== undefined) return
    this.#token = undefined
    if (this.#onFirst !== undefined) {
      this.#onFirst(error)
      this.#onFirst = undefined
      this.close()
    } else onRefused?.(error)
  }

  #loadFromDisk(): void {
    const set = this.#keystore.load()
    if (set === undefined) return
    const credential = this.#verify(set)
    if (typeof credential === 'string') this.#options.log.info({ reason: credential }, 'certificate on disk not used')
    else this.#use(credential)
  }

  /** A failed write costs a restart without the CA, not the certificate. */
  #saveToDisk(set: KeySet): void {
    try {
      this.#keystore.save(set)
    } catch (error) {
      this.#options.log.error({ err: error }, 'the certificate could not be kept on disk')
    }
  }

  /** The set as the next generation, or why it is not fit for use now. */
  #verify(set: KeySet): Credential | string {
    const { spiffeId, trustDomain } = this.#options
    const verdict = loadSvid(set.certChainPem, set.keyPem, trustDomain)
    if (!verdict.ok) return verdict.reason
    const { loaded } = verdict
    if (loaded.spiffeId !== spiffeId) return `it is ${loaded.spiffeId}'s`
    const roots = parseBundle(set.rootsPem)
    if (!roots.ok) return `its roots: ${roots.reason}`
    const pinned = parseBundle(this.#pinnedRoots() ?? set.rootsPem)
    if (!pinned.ok) return `the pinned roots: ${pinned.reason}`
    const leaf = loaded.certificates[0] as Buffer
    const untrusted =
      whyUntrusted(leaf, roots.certificates, this.#nowEpochMs()) ??
      whyUntrusted(leaf, pinned.certificates, this.#nowEpochMs())
    if (untrusted !== undefined) return untrusted
    return {
      generation: ++this.#generation,
      spiffeId,
      ...set,
      serial: loaded.serialHex,
      notBeforeEpochMs: loaded.notBeforeEpochMs,
      notAfterEpochMs: loaded.notAfterEpochMs,
    }
  }

  /** Read each time: the file outlives us and may have been replaced. */
  #pinnedRoots(): string | undefined {
    try {
      return readFileSync(this.#options.rootCertFile, 'utf8')
    } catch {
      return undefined
    }
  }

  /** Read once, then removed: a token is for one start. */
  #readToken(): void {
    const { tokenFile } = this.#options
    if (tokenFile === '') return
    try {
      this.#token = readFileSync(tokenFile, 'utf8').trim()
      unlinkSync(tokenFile)
    } catch {
      // none: the certificate on disk is still good, or the CA will say so
    }
  }

  #nowEpochMs(): number {
    return this.#options.clock.nowEpochMs()
  }
}
