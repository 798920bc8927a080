/** What a session is given: limits as data, and who hears of it. */
import { MAX_FIELDS } from '../head.ts'
import type { AbuseBudgets } from './abuse.ts'
import type { ErrorCode } from './errors.ts'
import { DEFAULT_MAX_FRAME_BYTES } from './frame.ts'
import type { Http2Stream, StreamHandler } from './stream.ts'
import type { Verdict } from '../verdict.ts'

export interface SessionLimits {
  /** Of streams that the peer opens; enforced from the first one on. */
  readonly maxConcurrentStreams: number
  /** What each stream may have under way to us at first, and at most. */
  readonly streamWindowBytes: number
  readonly maxStreamWindowBytes: number
  readonly connectionWindowBytes: number
  readonly maxConnectionWindowBytes: number
  /** Largest frame that we take. */
  readonly maxFrameBytes: number
  /** The decoder's dynamic table, and the most that our encoder will use of the peer's. */
  readonly headerTableBytes: number
  /** By RFC 9113 section 10.5.1: names and values and 32 for each. */
  readonly maxHeaderListBytes: number
  /** Of one head. */
  readonly maxFields: number
  /** A message that is malformed ends its stream; false: the connection. */
  readonly streamErrorOnMalformed: boolean
  /** Servers: extended CONNECT (RFC 8441). */
  readonly enableConnectProtocol: boolean
}

export const DEFAULT_LIMITS: SessionLimits = {
  maxConcurrentStreams: 100,
  streamWindowBytes: 64 * 1024,
  maxStreamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 1024 * 1024,
  maxConnectionWindowBytes: 3 * 1024 * 1024,
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  headerTableBytes: 4096,
  maxHeaderListBytes: 32 * 1024,
  maxFields: MAX_FIELDS,
  streamErrorOnMalformed: true,
  enableConnectProtocol: false,
}

export interface SessionOptions {
  readonly role: 'client' | 'server'
  readonly limits?: Partial<SessionLimits>
  readonly budgets: AbuseBudgets
  readonly nowMs: () => number
}

export interface SessionHandler {
  /** Servers: a request's head is whole and right; its stream's `onHead` follows. */
  onRequest(stream: Http2Stream): StreamHandler
  /** Servers: a request's head is against the rules, so that no stream's owner hears of it. Each costs a reset of the budget. */
  onRefused(verdict: Verdict, details: string): void
  /** SETTINGS of the peer are in, its first ones or others: it may take more than before. */
  onReady(): void
  onGoaway(lastStreamId: number, code: ErrorCode): void
  /** The output went from empty to not empty: flush at the end of the turn. Not called from the constructor. */
  onOutput(): void
  /** There is room for another stream. */
  onStreamClosed(): void
  /** The connection is over. GOAWAY is in the output: flush, then close. */
  onFatal(code: ErrorCode, reason: string): void
}
