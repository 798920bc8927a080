/**
 * The state of a store in memory: what both implementations share. In: commits. Out: what each would write (`plan`),
 * then the new state and its events (`apply`). Owns the entries and the watchers; knows nothing of disks.
 *
 * Values are copied and frozen on their way in, so that readers may share them: a reader's change would otherwise
 * be seen by all, and never be stored.
 */
import type { Entry, Json, StoreEvent, Write } from './store.ts'

export type Plan =
  | { ok: true; revision: number; events: StoreEvent[]; entries: Map<string, Entry | undefined> }
  | Conflict
interface Conflict {
  ok: false
  key: string
  modRevision: number
}

type OnEvents = (events: readonly StoreEvent[]) => void

export class StoreState {
  #revision: number
  readonly #entries: Map<string, Entry>
  /** Sorted; `undefined` after a key came or went. */
  #keys: string[] | undefined
  readonly #watchers = new Set<OnEvents>()

  constructor(revision: number, entries: Map<string, Entry>) {
    this.#revision = revision
    this.#entries = entries
  }

  get revision(): number {
    return this.#revision
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  list(prefix: string): Entry[] {
    this.#keys ??= [...this.#entries.keys()].sort()
    const found: Entry[] = []
    for (let i = lowerBound(this.#keys, prefix); i < this.#keys.length; i++) {
      const key = this.#keys[i]
      const entry = key?.startsWith(prefix) === true ? this.#entries.get(key) : undefined
      if (entry === undefined) break
      found.push(entry)
    }
    return found
  }

  /** What `writes` would do at `revision`, on top of `pending` (plans made but not applied yet). */
  plan(writes: readonly Write[], revision: number, pending: ReadonlyMap<string, Entry | undefined>): Plan {
    const before = (key: string): Entry | undefined => (pending.has(key) ? pending.get(key) : this.#entries.get(key))
    for (const { key, ifRevision } of writes) {
      const modRevision = before(key)?.modRevision ?? 0
      if (ifRevision !== undefined && ifRevision !== modRevision) return { ok: false, key, modRevision }
    }
    const events: StoreEvent[] = []
    const entries = new Map<string, Entry | undefined>()
    for (const write of writes) {
      const { key } = write
      const old = entries.has(key) ? entries.get(key) : before(key)
      if (write.value === undefined) {
        if (old === undefined) continue
        entries.set(key, undefined)
        events.push({ type: 'delete', key, value: old.value, revision })
      } else {
        const value = frozenCopy(write.value)
        entries.set(
          key,
          Object.freeze({ key, value, createRevision: old?.createRevision ?? revision, modRevision: revision }),
        )
        events.push({ type: 'put', key, value, revision })
      }
    }
    return { ok: true, revision, events, entries }
  }

  apply(plan: Plan & { ok: true }): void {
    for (const [key, entry] of plan.entries) {
      if (entry === undefined || !this.#entries.has(key)) this.#keys = undefined
      if (entry === undefined) this.#entries.delete(key)
      else this.#entries.set(key, entry)
    }
    this.#revision = plan.revision
    for (const watcher of this.#watchers) watcher(plan.events)
  }

  watch(onEvents: OnEvents): () => void {
    const watcher: OnEvents = (events) => onEvents(events) // one identity per call, so that each has its own stop
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
    }
  }
}

function frozenCopy(value: Json): Json {
  return deepFreeze(JSON.parse(JSON.stringify(value)) as Json)
}

/** Freezes what has just been parsed. */
export function deepFreeze(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  for (const child of Object.values(value)) deepFreeze(child)
  Object.freeze(value)
  return value
}

/** First place whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
