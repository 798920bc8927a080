/** A store that ends with its process: for tests. Same rules as `lmdb.ts`, which the same tests hold both to. */
import { StoreState } from './state.ts'
import { CompactedError, type CommitResult, type Entry, type Store, type StoreEvent, type Write } from './store.ts'

export interface MemoryStoreOptions {
  /** Commits whose events are kept for `watch`. */
  maxHistory?: number
}

export class MemoryStore implements Store {
  readonly #state = new StoreState(0, new Map())
  /** Events of the last commits; the last one's revision is the store's. */
  readonly #history: (readonly StoreEvent[])[] = []
  readonly #maxHistory: number

  constructor(options: MemoryStoreOptions = {}) {
    this.#maxHistory = options.maxHistory ?? 10_000
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

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    await Promise.resolve() // as on disk: a watcher that commits must not see its own events before these
    const plan = this.#state.plan(writes, this.revision + 1, new Map())
    if (!plan.ok) return plan
    if (plan.events.length === 0) return { ok: true, revision: this.revision }
    this.#history.push(plan.events)
    if (this.#history.length > this.#maxHistory) this.#history.shift()
    this.#state.apply(plan)
    return { ok: true, revision: plan.revision }
  }

  watch(fromRevision: number, onEvents: (events: readonly StoreEvent[]) => void): () => void {
    const oldest = this.revision - this.#history.length
    if (fromRevision < oldest) throw new CompactedError(oldest)
    for (const events of this.#history.slice(fromRevision - oldest)) onEvents(events)
    return this.#state.watch(onEvents)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
