/**
 * Waiting until a revision has reached every proxy. In: sessions and what they have settled. Out: a Delivery.
 * Polls nothing: `check` is called whenever a session has changed.
 */
import type { Delivery } from '../../client/contract.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Session } from './session.ts'

/** Commit times remembered. */
const MAX_COMMITS = 1024

interface Wait {
  revision: number
  /** Those connected when the wait began; one that leaves is no longer waited for. */
  sessions: Set<Session>
  done: (delivery: Delivery) => void
  cancel: () => void
}

export class DeliveryLog {
  readonly #clock: Clock
  readonly #waits = new Set<Wait>()
  /** In order of revision. */
  readonly #commits: { revision: number; atMs: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Revision `revision` was written at `atMs` (monotonic). */
  committed(revision: number, atMs: number): void {
    this.#commits.push({ revision, atMs })
    if (this.#commits.length > MAX_COMMITS) this.#commits.shift()
  }

  /** When `revision`, or the first one after it that is known, was written. */
  committedAtMs(revision: number): number | undefined {
    return this.#commits.find((c) => c.revision >= revision)?.atMs
  }

  /** Resolves when each of `sessions` has all of `revision`, or with those pending after `timeoutMs`. */
  wait(revision: number, sessions: Iterable<Session>, timeoutMs: number): Promise<Delivery> {
    return new Promise((resolve) => {
      const wait: Wait = { revision, sessions: new Set(sessions), done: resolve, cancel: () => undefined }
      if (this.#finished(wait)) {
        resolve(this.#result(wait))
        return
      }
      this.#waits.add(wait)
      wait.cancel = this.#clock.after(timeoutMs, () => this.#end(wait))
    })
  }

  /** A session has settled something. */
  check(): void {
    for (const wait of this.#waits) if (this.#finished(wait)) this.#end(wait)
  }

  /** `session` is gone. */
  forget(session: Session): void {
    for (const wait of this.#waits) wait.sessions.delete(session)
    this.check()
  }

  /** Ends all waits with what is so far. */
  close(): void {
    for (const wait of this.#waits) this.#end(wait)
  }

  #finished(wait: Wait): boolean {
    for (const session of wait.sessions) if (session.settledRevision < wait.revision) return false
    return true
  }

  #end(wait: Wait): void {
    this.#waits.delete(wait)
    wait.cancel()
    wait.done(this.#result(wait))
  }

  #result(wait: Wait): Delivery {
    const delivery: Delivery = {
      revision: wait.revision,
      proxies: wait.sessions.size,
      acked: 0,
      pending: [],
      nacks: [],
    }
    const tookMs: number[] = []
    const committedAtMs = this.committedAtMs(wait.revision)
    for (const session of wait.sessions) {
      const settlement = session.settlementOf(wait.revision)
      if (session.nack !== undefined) {
        delivery.nacks.push({ proxy: session.name, type: session.nack.type, detail: session.nack.detail })
      }
      if (settlement === undefined) {
        delivery.pending.push(session.name)
        continue
      }
      if (session.nack === undefined) delivery.acked++
      if (settlement.told && committedAtMs !== undefined) tookMs.push(Math.max(0, settlement.atMs - committedAtMs))
    }
    if (tookMs.length > 0) delivery.ms = percentiles(tookMs)
    return delivery
  }
}

function percentiles(values: number[]): { p50: number; p99: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
