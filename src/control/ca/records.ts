/**
 * What the CA has issued, newest per pod: for `cert ls`, for knowing a pod by its certificate's serial, and for
 * refusing a key that another identity uses. In the store, written behind the answer: signing never waits for it.
 */
import type { CertificateStatus } from '../../client/contract.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Store } from '../store/store.ts'

export interface IssuedCertificate {
  spiffeId: string
  pod: string
  namespace: string
  serialHex: string
  keyId: string
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

interface PodRecord extends IssuedCertificate {
  issued: number
  /** The serials before: an answer may have been lost, and the pod still hold the certificate before. */
  earlierSerials: string[]
}

const PREFIX = 'ca/pods/'
const EARLIER_SERIALS = 4

export class Records {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #pods = new Map<string, PodRecord>()
  readonly #podBySerial = new Map<string, PodRecord>()
  readonly #dirty = new Set<string>()
  #writing: Promise<void> | undefined

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    for (const { key, value } of store.list(PREFIX)) this.#index(key, value as unknown as PodRecord)
  }

  /** The pod that a certificate was issued to. */
  podOf(serialHex: string): { pod: string; namespace: string } | undefined {
    return this.#podBySerial.get(serialHex)
  }

  /** Another identity than `spiffeId` that holds an unexpired certificate for this key. */
  otherOwner(keyId: string, spiffeId: string): string | undefined {
    const now = this.#clock.nowEpochMs()
    for (const record of this.#pods.values())
      if (record.keyId === keyId && record.spiffeId !== spiffeId && record.notAfterEpochMs > now) return record.spiffeId
    return undefined
  }

  add(certificate: IssuedCertificate): void {
    const key = `${PREFIX}${certificate.namespace}/${certificate.pod}`
    const last = this.#pods.get(key)
    for (const serial of last?.earlierSerials.slice(EARLIER_SERIALS - 1) ?? []) this.#podBySerial.delete(serial)
    this.#index(key, {
      ...certificate,
      issued: (last?.issued ?? 0) + 1,
      earlierSerials: last === undefined ? [] : [last.serialHex, ...last.earlierSerials].slice(0, EARLIER_SERIALS),
    })
    this.#write(key)
    this.#forgetLongExpired()
  }

  /** By namespace and pod. */
  list(): CertificateStatus[] {
    return [...this.#pods.keys()].sort().map((key) => {
      const record = this.#pods.get(key) as PodRecord
      return {
        spiffeId: record.spiffeId,
        pod: record.pod,
        namespace: record.namespace,
        serial: record.serialHex,
        notBefore: new Date(record.notBeforeEpochMs).toISOString(),
        notAfter: new Date(record.notAfterEpochMs).toISOString(),
        issued: record.issued,
      }
    })
  }

  /** Resolves when all is in the store. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  #index(key: string, record: PodRecord): void {
    this.#pods.set(key, record)
    for (const serial of [record.serialHex, ...record.earlierSerials]) this.#podBySerial.set(serial, record)
  }

  /** A pod is gone for good when its certificate has been expired for as long as it lived. */
  #forgetLongExpired(): void {
    const now = this.#clock.nowEpochMs()
    for (const [key, record] of this.#pods) {
      if (now < 2 * record.notAfterEpochMs - record.notBeforeEpochMs) continue
      this.#pods.delete(key)
      for (const serial of [record.serialHex, ...record.earlierSerials]) this.#podBySerial.delete(serial)
      this.#write(key)
    }
  }

  /** One commit at a time; what changes meanwhile goes into the next. */
  #write(key: string): void {
    this.#dirty.add(key)
    this.#writing ??= this.#drain().finally(() => (this.#writing = undefined))
  }

  async #drain(): Promise<void> {
    while (this.#dirty.size > 0) {
      const keys = [...this.#dirty]
      this.#dirty.clear()
      try {
        await this.#store.commit(
          keys.map((key) => {
            const record = this.#pods.get(key)
            return { key, value: record === undefined ? undefined : { ...record } }
          }),
        )
      } catch (error) {
        this.#log.error({ err: error }, 'issued certificates could not be recorded')
      }
    }
  }
}
