/**
 * The store's interface, shaped like etcd's KV and Watch: one revision that only grows, compare-and-set, watch
 * from a revision. Values are JSON. `lmdb.ts` is the one on disk, `memory.ts` the one for tests.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Entry {
  key: string
  value: Json
  /** Revision of the write that made the key, and of the last one. */
  createRevision: number
  modRevision: number
}

export interface Write {
  key: string
  /** `undefined` deletes. */
  value: Json | undefined
  /** Write only if the key's modRevision is this; 0: only if absent. Omitted: always. */
  ifRevision?: number
}

export interface StoreEvent {
  type: 'put' | 'delete'
  key: string
  /** For a delete: the last value. */
  value: Json
  revision: number
}

export type CommitResult =
  | { ok: true; revision: number }
  /** Nothing was written; `key` is the first whose condition failed. */
  | { ok: false; key: string; modRevision: number }

export interface Store {
  /** Revision of the last commit; 0 in an empty store. */
  readonly revision: number
  get(key: string): Entry | undefined
  /** Entries whose keys start with `prefix`, in key order. */
  list(prefix: string): Entry[]
  /** All writes or none, in one revision; resolves once they are durable. No writes: the current revision. */
  commit(writes: readonly Write[]): Promise<CommitResult>
  /**
   * Calls `onEvents` with every commit's events after `fromRevision`, in order, one call a commit.
   * Throws CompactedError when that history is gone: list again, then watch from `revision`.
   * Returns the function that stops it.
   */
  watch(fromRevision: number, onEvents: (events: readonly StoreEvent[]) => void): () => void
  close(): Promise<void>
}

export class CompactedError extends Error {
  readonly code = 'COMPACTED'
  readonly oldestRevision: number
  constructor(oldestRevision: number) {
    super(`history before revision ${oldestRevision} is gone: list again, then watch`)
    this.oldestRevision = oldestRevision
  }
}

/** Nothing can be written any more; what was acknowledged can still be read. */
export class StoreUnavailableError extends Error {
  readonly code = 'STORE_UNAVAILABLE'
}
