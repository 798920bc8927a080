/**
 * What a peer may make us do for nothing, per connection: token buckets for frames that cost the receiver more than the
 * sender (CVE-2019-9512 to 9518, CVE-2023-44487, CVE-2025-8671), and counts for single messages (CVE-2020-11080,
 * CVE-2024-27983). In: what happened. Out: whether it is too much. The budgets are data; no timer.
 */

export interface Budget {
  burst: number
  perSecond: number
}

export interface AbuseBudgets {
  /** RST_STREAM of the peer (rapid reset). */
  readonly peerResets: Budget
  /** Resets that the peer's faults made us send, refusals included (MadeYouReset). */
  readonly ownResets: Budget
  readonly settings: Budget
  /** Each DATA frame that we send earns one back: gRPC measures the path by PINGs while it receives. */
  readonly pings: Budget
  /** Frames that carry nothing: DATA without bytes or end, header blocks' empty pieces, unknown types. */
  readonly emptyFrames: Budget
  readonly priorities: Budget
  /** Earned back by the bytes and messages that we send, so that a dribble of small windows is not. */
  readonly windowUpdates: Budget
  /** DATA held back for slow readers; more than this takes up the connection's window, and so stops all its streams. */
  readonly maxHeldBytes: number
  /** Control frames that wait for a peer that reads nothing. */
  readonly maxQueuedControlFrames: number
  readonly maxContinuations: number
  readonly maxSettingsEntries: number
  readonly maxInterimResponses: number
}

/** For anybody who can connect. */
export const STRANGER_BUDGETS: AbuseBudgets = {
  peerResets: { burst: 1000, perSecond: 33 },
  ownResets: { burst: 1000, perSecond: 33 },
  settings: { burst: 100, perSecond: 100 },
  pings: { burst: 200, perSecond: 100 },
  emptyFrames: { burst: 100, perSecond: 100 },
  priorities: { burst: 500, perSecond: 100 },
  windowUpdates: { burst: 2000, perSecond: 1000 },
  maxHeldBytes: 4 * 1024 * 1024,
  maxQueuedControlFrames: 1000,
  maxContinuations: 8,
  maxSettingsEntries: 32,
  maxInterimResponses: 16,
}

/**
 * For a sidecar whose certificate was checked, which carries the cancelled calls of a whole application, and for the
 * application before its own sidecar.
 */
export const MESH_PEER_BUDGETS: AbuseBudgets = {
  ...STRANGER_BUDGETS,
  peerResets: { burst: 20_000, perSecond: 5000 },
  ownResets: { burst: 20_000, perSecond: 5000 },
  pings: { burst: 2000, perSecond: 1000 },
  emptyFrames: { burst: 1000, perSecond: 1000 },
  windowUpdates: { burst: 20_000, perSecond: 10_000 },
  maxHeldBytes: 16 * 1024 * 1024,
}

/**
 * What we reset of the streams on one connection before we take another one: servers count resets as we do, node:http2
 * (nghttp2) from 1,000 at once and 33 a second on, and all calls on the connection would end with it.
 */
export const CAREFUL_RESETS: Budget = { burst: 500, perSecond: 33 }
/** The same for another sidecar, by half of what it takes: callers behind us who cancel much must not end the link of all. */
export const MESH_PEER_RESETS: Budget = { burst: 10_000, perSecond: 2500 }

/** Looks at the clock only when its burst is used up. */
export class Bucket {
  readonly #burst: number
  readonly #perMs: number
  #tokens: number
  #lastMs: number

  constructor(budget: Budget, nowMs: number) {
    this.#burst = budget.burst
    this.#perMs = budget.perSecond / 1000
    this.#tokens = budget.burst
    this.#lastMs = nowMs
  }

  /** False: too much. */
  take(clock: () => number): boolean {
    if (this.#tokens >= 1) {
      this.#tokens--
      return true
    }
    const nowMs = clock()
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#lastMs) * this.#perMs)
    this.#lastMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  earn(tokens: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + tokens)
  }
}

const BYTES_PER_WINDOW_UPDATE = 1024

export class AbuseGuard {
  readonly budgets: AbuseBudgets
  readonly #nowMs: () => number
  readonly #peerResets: Bucket
  readonly #ownResets: Bucket
  readonly #settings: Bucket
  readonly #pings: Bucket
  readonly #emptyFrames: Bucket
  readonly #priorities: Bucket
  readonly #windowUpdates: Bucket

  constructor(budgets: AbuseBudgets, nowMs: () => number) {
    this.budgets = budgets
    this.#nowMs = nowMs
    const startMs = nowMs()
    this.#peerResets = new Bucket(budgets.peerResets, startMs)
    this.#ownResets = new Bucket(budgets.ownResets, startMs)
    this.#settings = new Bucket(budgets.settings, startMs)
    this.#pings = new Bucket(budgets.pings, startMs)
    this.#emptyFrames = new Bucket(budgets.emptyFrames, startMs)
    this.#priorities = new Bucket(budgets.priorities, startMs)
    this.#windowUpdates = new Bucket(budgets.windowUpdates, startMs)
  }

  // each: false, if that was one too many

  peerReset(): boolean {
    return this.#peerResets.take(this.#nowMs)
  }
  ownReset(): boolean {
    return this.#ownResets.take(this.#nowMs)
  }
  settings(): boolean {
    return this.#settings.take(this.#nowMs)
  }
  ping(): boolean {
    return this.#pings.take(this.#nowMs)
  }
  emptyFrame(): boolean {
    return this.#emptyFrames.take(this.#nowMs)
  }
  priority(): boolean {
    return this.#priorities.take(this.#nowMs)
  }
  windowUpdate(): boolean {
    return this.#windowUpdates.take(this.#nowMs)
  }

  /** We sent DATA, which a peer may answer with windows and PINGs. */
  onDataSent(bytes: number, endsStream: boolean): void {
    this.#windowUpdates.earn(bytes / BYTES_PER_WINDOW_UPDATE + (endsStream ? 2 : 0))
    if (bytes >= BYTES_PER_WINDOW_UPDATE || endsStream) this.#pings.earn(1)
  }
}
