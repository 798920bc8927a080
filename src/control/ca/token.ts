/**
 * Bootstrap tokens: one per start of a sidecar, for one identity and pod, good once and for ten minutes. In: whom it
 * is for. Out: the token, or who presents one. Only hashes are kept; they lie in the store, so that neither a token
 * nor the memory of its use is lost with the process.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../store/store.ts'

export interface TokenOwner {
  spiffeId: string
  pod: string
  namespace: string
}

interface TokenRecord extends TokenOwner {
  secretSha256: string
  expiresAtEpochMs: number
  used: boolean
}

export type TokenVerdict =
  | { ok: true; id: string; owner: TokenOwner }
  /** `replayed`: it was good, and has been used; someone may have copied it. */
  | { ok: false; refusal: 'unknown_token' | 'expired_token' | 'replayed_token' }

const TOKEN_LIFE_MS = 600_000
const PREFIX = 'ca/tokens/'
const FORM = /^([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/

export class Tokens {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #records = new Map<string, TokenRecord>()

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    for (const { key, value } of store.list(PREFIX))
      this.#records.set(key.slice(PREFIX.length), value as unknown as TokenRecord)
    this.#forgetExpired()
  }

  /** `ID.SECRET`: the ID finds the record, the 256-bit secret proves. */
  issue(owner: TokenOwner): string {
    this.#forgetExpired()
    const id = randomBytes(12).toString('base64url')
    const secret = randomBytes(32).toString('base64url')
    const record: TokenRecord = {
      ...owner,
      secretSha256: sha256(secret).toString('hex'),
      expiresAtEpochMs: this.#clock.nowEpochMs() + TOKEN_LIFE_MS,
      used: false,
    }
    this.#records.set(id, record)
    void this.#write(id, record)
    return `${id}.${secret}`
  }

  /** Whose token this is; says nothing about the request yet, so nothing is used up. */
  check(token: string): TokenVerdict {
    const [, id = '', secret = ''] = FORM.exec(token) ?? []
    const record = this.#records.get(id)
    if (record === undefined || !timingSafeEqual(sha256(secret), Buffer.from(record.secretSha256, 'hex')))
      return { ok: false, refusal: 'unknown_token' }
    if (record.used) return { ok: false, refusal: 'replayed_token' }
    if (this.#clock.nowEpochMs() >= record.expiresAtEpochMs) return { ok: false, refusal: 'expired_token' }
    return { ok: true, id, owner: { spiffeId: record.spiffeId, pod: record.pod, namespace: record.namespace } }
  }

  isFresh(id: string): boolean {
    return this.#records.get(id)?.used === false
  }

  /** Marks it used, at once in memory; resolves when a restart would know it too. */
  use(id: string): Promise<void> {
    const record = this.#records.get(id)
    if (record === undefined) return Promise.resolve()
    record.used = true
    return this.#write(id, record)
  }

  #forgetExpired(): void {
    const now = this.#clock.nowEpochMs()
    for (const [id, record] of this.#records) {
      if (now < record.expiresAtEpochMs) continue
      this.#records.delete(id)
      void this.#write(id, undefined)
    }
  }

  async #write(id: string, record: TokenRecord | undefined): Promise<void> {
    try {
      await this.#store.commit([{ key: PREFIX + id, value: record === undefined ? undefined : { ...record } }])
    } catch (error) {
      this.#log.error({ err: error }, 'a bootstrap token could not be stored')
    }
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
