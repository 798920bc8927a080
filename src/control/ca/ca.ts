/**
 * The certificate authority: who asks (a token, or a certificate of ours) and a request in, a certificate or a named
 * refusal out. Owns the root, the tokens and the record of what it issued. Knows nothing of gRPC.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { CertificateList, TokenRequest } from '../../client/contract.ts'
import { BACKDATE_MS, whyUntrusted } from '../../identity/chain.ts'
import { toPem } from '../../identity/pem.ts'
import { controlPlaneId, workloadOfSpiffeId, workloadSpiffeId } from '../../identity/spiffe-id.ts'
import { verifySvid } from '../../identity/svid.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../store/store.ts'
import { type CsrRefusal, verifyCsr } from './csr.ts'
import { RateLimit } from './rate-limit.ts'
import { Records } from './records.ts'
import { openRoot, type Root } from './root.ts'
import { createLeafCertificate, keyIdentifier } from './template.ts'
import { type TokenOwner, Tokens } from './token.ts'

export interface CaOptions {
  /** Of its own, 0700. */
  dir: string
  store: Store
  trustDomain: string
  defaultTtlMs: number
  maxTtlMs: number
  clock: Clock
  log: Log
}

/** Who asks, as proven by a token or a certificate. */
export interface Caller extends TokenOwner {
  tokenId?: string
}

export type CaRefusal =
  | CsrRefusal
  | 'no_credentials'
  | 'unknown_token'
  | 'expired_token'
  | 'replayed_token'
  | 'untrusted_certificate'
  | 'not_a_workload'
  | 'too_long'
  | 'too_often'
  | 'key_in_use'

export type CallerVerdict = { ok: true; caller: Caller } | { ok: false; refusal: CaRefusal; reason: string }
export type IssueVerdict =
  | { ok: true; certChain: string[]; notAfterEpochMs: number }
  | { ok: false; refusal: CaRefusal; reason: string }

/** A key and certificate of the control plane itself. */
export interface ServerIdentity {
  keyPem: string
  certChainPem: string
  rootsPem: string
  notAfterEpochMs: number
}

export class CertificateAuthority {
  readonly trustDomain: string
  readonly rootsPem: string
  /** The control plane's own identity. */
  readonly serverId: string
  readonly clock: Clock
  readonly #options: CaOptions
  readonly #root: Root
  readonly #tokens: Tokens
  readonly #records: Records
  readonly #rate: RateLimit
  /** Keys that no workload may bring: the root's, and the control plane's. */
  readonly #ownKeyIds = new Set<string>()

  /** Opens or makes the root; throws RootError when it may not be used. */
  static async open(options: CaOptions): Promise<CertificateAuthority> {
    return new CertificateAuthority(options, openRoot(options.dir, options.trustDomain, options.clock.nowEpochMs()))
  }

  private constructor(options: CaOptions, root: Root) {
    const { store, clock, log, trustDomain } = options
    this.#options = options
    this.#root = root
    this.#tokens = new Tokens(store, clock, log)
    this.#records = new Records(store, clock, log)
    this.#rate = new RateLimit(clock)
    this.#ownKeyIds.add(root.keyId.toString('hex'))
    this.clock = clock
    this.trustDomain = trustDomain
    this.rootsPem = root.pem
    this.serverId = controlPlaneId(trustDomain)
  }

  /** A bootstrap token for one start of a pod's sidecar. Throws for names that make no identity, and for our own. */
  issueToken(request: TokenRequest): string {
    const { pod, namespace, serviceAccount } = request
    const spiffeId = workloadSpiffeId(this.trustDomain, namespace, serviceAccount)
    if (spiffeId === this.serverId) throw new TypeError(`${spiffeId} is the control plane's own identity`)
    return this.#tokens.issue({ spiffeId, pod, namespace })
  }

  /** Who holds this token. */
  callerOfToken(token: string): CallerVerdict {
    const verdict = this.#tokens.check(token)
    if (verdict.ok) return { ok: true, caller: { ...verdict.owner, tokenId: verdict.id } }
    if (verdict.refusal === 'replayed_token')
      this.#options.log.warn({ token: token.slice(0, 16) }, 'a used bootstrap token was presented again')
    return { ok: false, refusal: verdict.refusal, reason: 'the bootstrap token is not good (any more)' }
  }

  /** Who holds this certificate: one of ours, unexpired, whatever the TLS library said. */
  callerOfCertificate(der: Buffer): CallerVerdict {
    const untrusted = whyUntrusted(der, [this.#root.der], this.clock.nowEpochMs())
    const verdict = verifySvid(der, this.trustDomain)
    const reason = untrusted ?? (verdict.ok ? undefined : verdict.reason)
    if (!verdict.ok || reason !== undefined)
      return { ok: false, refusal: 'untrusted_certificate', reason: reason ?? 'untrusted' }
    const { spiffeId, serialHex } = verdict.svid
    const workload = workloadOfSpiffeId(spiffeId)
    if (workload === undefined || spiffeId === this.serverId)
      return { ok: false, refusal: 'not_a_workload', reason: `${spiffeId} is not a workload's identity` }
    // unknown serial: the record was lost, the root was not; the account's name stands in for the pod's
    const pod = this.#records.podOf(serialHex) ?? { pod: workload.serviceAccount, namespace: workload.namespace }
    return { ok: true, caller: { spiffeId, pod: pod.pod, namespace: pod.namespace } }
  }

  /** Signs for the caller's own identity, or says why not. `ttlMs` 0 or less: the default. */
  async issue(caller: Caller, csrPem: string, ttlMs: number): Promise<IssueVerdict> {
    const { log, defaultTtlMs, maxTtlMs } = this.#options
    const { spiffeId, pod, namespace } = caller
    if (ttlMs > maxTtlMs) return refuse('too_long', `at most ${maxTtlMs / 1000} s`)
    if (!this.#rate.allows(`${namespace}/${pod}`)) return refuse('too_often', 'more than one certificate a second')
    const csr = verifyCsr(csrPem, spiffeId)
    if (!csr.ok) return csr
    const keyId = keyIdentifier(csr.spkiDer).toString('hex')
    if (this.#ownKeyIds.has(keyId) || this.#records.otherOwner(keyId, spiffeId) !== undefined)
      return refuse('key_in_use', "the key is another identity's")
    if (caller.tokenId !== undefined) {
      // again: two requests with one token may be here at once
      if (!this.#tokens.isFresh(caller.tokenId)) return refuse('replayed_token', 'the bootstrap token is used up')
      await this.#tokens.use(caller.tokenId)
    }
    const issued = this.#sign(csr.spkiDer, spiffeId, ttlMs > 0 ? ttlMs : defaultTtlMs)
    this.#records.add({ spiffeId, pod, namespace, keyId, ...issued })
    log.info(
      { spiffeId, pod, serial: issued.serialHex, notAfter: new Date(issued.notAfterEpochMs).toISOString() },
      'issued',
    )
    return { ok: true, certChain: [issued.pem, this.#root.pem], notAfterEpochMs: issued.notAfterEpochMs }
  }

  /** A new key and certificate for a server of the control plane. */
  issueForServer(spiffeId: string): ServerIdentity {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const spkiDer = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
    this.#ownKeyIds.add(keyIdentifier(spkiDer).toString('hex'))
    const { pem, notAfterEpochMs } = this.#sign(spkiDer, spiffeId, this.#options.defaultTtlMs)
    return {
      keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      certChainPem: pem,
      rootsPem: this.rootsPem,
      notAfterEpochMs,
    }
  }

  certificates(): CertificateList {
    const { certificate, notAfterEpochMs } = this.#root
    return {
      items: this.#records.list(),
      root: {
        serial: certificate.serialNumber.toLowerCase(),
        notAfter: new Date(notAfterEpochMs).toISOString(),
        fingerprint256: certificate.fingerprint256,
      },
    }
  }

  /** Resolves when all that was issued is recorded; the store is its owner's. */
  async close(): Promise<void> {
    await this.#records.close()
  }

  #sign(
    spkiDer: Buffer,
    spiffeId: string,
    ttlMs: number,
  ): { pem: string; serialHex: string; notBeforeEpochMs: number; notAfterEpochMs: number } {
    const root = this.#root
    const wholeSecond = Math.floor(this.clock.nowEpochMs() / 1000) * 1000
    const validity = {
      notBeforeEpochMs: Math.max(wholeSecond - BACKDATE_MS, root.notBeforeEpochMs),
      notAfterEpochMs: Math.min(wholeSecond + ttlMs, root.notAfterEpochMs),
    }
    const der = createLeafCertificate({ spkiDer, spiffeId, ...validity }, root)
    const verdict = verifySvid(der, this.trustDomain)
    if (!verdict.ok) throw new Error(verdict.reason)
    return { pem: toPem('CERTIFICATE', der), serialHex: verdict.svid.serialHex, ...validity }
  }
}

function refuse(refusal: CaRefusal, reason: string): { ok: false; refusal: CaRefusal; reason: string } {
  return { ok: false, refusal, reason }
}
