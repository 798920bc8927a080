/**
 * The store on disk. In: a folder, which it locks. Out: a Store whose acknowledged writes survive kill -9 and a
 * power cut. Owns the lmdb environment, the lock, and a copy of all entries in memory: reads never touch the disk.
 *
 * Tables: `entries` (key -> [createRevision, modRevision, value]), `events` (revision -> events, the last
 * `maxHistory` of them), `meta` (`revision`). One lmdb transaction holds all commits that wait while the one
 * before is being flushed. Only when it is flushed is anything of it visible, told to watchers, or acknowledged.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { open, type Database, type RootDatabase } from 'lmdb'
import { acquireLock, type StoreLock } from './lock.ts'
import { deepFreeze, StoreState, type Plan } from './state.ts'
import {
  CompactedError,
  type CommitResult,
  type Entry,
  type Json,
  type Store,
  type StoreEvent,
  StoreUnavailableError,
  type Write,
} from './store.ts'

export interface LmdbStoreOptions {
  dir: string
  /** Commits whose events are kept for `watch`. */
  maxHistory?: number
}

/** lmdb's own limit is 1978 bytes. */
const MAX_KEY_BYTES = 1024

interface Waiting {
  writes: readonly Write[]
  resolve(result: CommitResult): void
  reject(error: Error): void
}

export class LmdbStore implements Store {
  readonly #lock: StoreLock
  readonly #root: RootDatabase<Json, string>
  readonly #entries: Database<[number, number, Json], string>
  readonly #events: Database<StoreEvent[], number>
  readonly #meta: Database<number, string>
  readonly #state: StoreState
  readonly #maxHistory: number
  /** Revision of the oldest events kept; history reaches back to the state before it. */
  #oldestKept: number
  #waiting: Waiting[] = []
  #flushing: Promise<void> | undefined
  #broken: Error | undefined

  /** Opens or makes the store in `dir`. Throws StoreLockedError while another process has it. */
  constructor(options: LmdbStoreOptions) {
    this.#maxHistory = options.maxHistory ?? 10_000
    mkdirSync(options.dir, { recursive: true, mode: 0o700 })
    this.#lock = acquireLock(join(options.dir, 'lock'))
    try {
      // Not overlapping: a transaction is resolved only when it is flushed. No batches of its own: they are made here,
      // and lmdb lets a failed batch's promise go unheard, which would end the process.
      const tuning = {
        encoding: 'json',
        overlappingSync: false,
        eventTurnBatching: false,
        noMemInit: false,
        maxDbs: 4,
      } as const
      this.#root = open({ path: join(options.dir, 'data.mdb'), ...tuning })
      this.#entries = this.#root.openDB({ name: 'entries', encoding: 'json' })
      this.#events = this.#root.openDB({ name: 'events', encoding: 'json' })
      this.#meta = this.#root.openDB({ name: 'meta', encoding: 'json' })
      this.#state = new StoreState(this.#meta.get('revision') ?? 0, this.#loadEntries())
      this.#oldestKept = [...this.#events.getKeys({ limit: 1 })][0] ?? this.#state.revision + 1
    } catch (error) {
      this.#lock.release()
      throw error
    }
  }

  get revision(): number {
    return this.#state.revision
  }

  get(key: string): Entry | undefined {
    return this.#state.get(key)
  }

  list(prefix: string): Entry[] {
    return this.#state.list(prefix)
  }

  commit(writes: readonly Write[]): Promise<CommitResult> {
    for (const { key } of writes) {
      if (key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES)
        throw new RangeError(`a key has 1 to ${MAX_KEY_BYTES} bytes`)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  watch(fromRevision: number, onEvents: (events: readonly StoreEvent[]) => void): () => void {
    if (fromRevision < this.#oldestKept - 1) throw new CompactedError(this.#oldestKept - 1)
    if (fromRevision < this.revision) {
      const range = this.#events.getRange({ start: fromRevision + 1, end: this.revision + 1 })
      for (const { value } of range) onEvents(value.map(freezeEvent))
    }
    return this.#state.watch(onEvents)
  }

  /** Waits for the commits under way; later ones are refused. */
  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    this.#broken ??= new StoreUnavailableError('the store is closed')
    await this.#root.close()
    this.#lock.release()
  }

  #loadEntries(): Map<string, Entry> {
    const entries = new Map<string, Entry>()
    for (const { key, value } of this.#entries.getRange()) {
      const [createRevision, modRevision, json] = value
      entries.set(key, Object.freeze({ key, value: deepFreeze(json), createRevision, modRevision }))
    }
    return entries
  }

  async #flush(): Promise<void> {
    await Promise.resolve() // commits of the same turn go together
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      await this.#flushBatch(batch)
    }
    this.#flushing = undefined
  }

  async #flushBatch(batch: readonly Waiting[]): Promise<void> {
    const pending = new Map<string, Entry | undefined>()
    const plans: Plan[] = []
    let { revision } = this
    for (const { writes } of batch) {
      const plan = this.#state.plan(writes, revision + 1, pending)
      plans.push(plan)
      if (!plan.ok || plan.events.length === 0) continue
      revision++
      for (const [key, entry] of plan.entries) pending.set(key, entry)
    }
    try {
      if (this.#broken !== undefined) throw this.#broken
      if (revision > this.revision) await this.#write(plans, revision)
    } catch (error) {
      // After a failed flush the kernel may have dropped the data: nothing more is acknowledged by this process.
      this.#broken ??= new StoreUnavailableError('the store cannot write to its disk; restart the control plane', {
        cause: error,
      })
      // lmdb prints the reason, and rejects with it a promise that lies in the error: unheard, that ends the process
      void (error as { commitError?: Promise<unknown> }).commitError?.catch(() => undefined)
      for (const waiting of batch) waiting.reject(this.#broken)
      return
    }
    this.#oldestKept = Math.max(this.#oldestKept, revision - this.#maxHistory + 1)
    for (const [i, plan] of plans.entries()) {
      if (plan.ok && plan.events.length > 0) this.#state.apply(plan)
      batch[i]?.resolve(plan.ok ? { ok: true, revision: plan.events.length > 0 ? plan.revision : this.revision } : plan)
    }
  }

  async #write(plans: readonly Plan[], revision: number): Promise<void> {
    // Promises of the single puts settle with the transaction's: one await is enough.
    await this.#root.transaction(() => {
      for (const plan of plans) {
        if (!plan.ok || plan.events.length === 0) continue
        for (const [key, entry] of plan.entries) {
          if (entry === undefined) void this.#entries.remove(key)
          else void this.#entries.put(key, [entry.createRevision, entry.modRevision, entry.value])
        }
        void this.#events.put(plan.revision, plan.events)
      }
      for (let old = this.#oldestKept; old <= revision - this.#maxHistory; old++) void this.#events.remove(old)
      void this.#meta.put('revision', revision)
    })
  }
}

function freezeEvent(event: StoreEvent): StoreEvent {
  deepFreeze(event.value)
  return Object.freeze(event)
}
