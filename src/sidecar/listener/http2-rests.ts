/**
 * What is queued of answers that are over for everybody else: it goes out as its client opens windows. A client that
 * opens none holds our memory, and its stream keeps the connection from being idle.
 * In: streams that have only their queue left. Out: a reset of those that took nothing for long. Owns one timer, which
 * runs while it knows of any; streams that have ended meanwhile are only noticed then.
 */
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { INTERNAL_ERROR } from '../codec/http2/errors.ts'
import type { Http2Stream } from '../codec/http2/stream.ts'
import type { PaceClock } from './pace.ts'
import { WRITE_STALL_MS } from './stall.ts'

const LOOK_MS = WRITE_STALL_MS / 4

interface Rest {
  generation: number
  bytes: number
  /** When it was last seen to move. */
  movedMs: number
}

export class Http2Rests {
  readonly #clock: PaceClock
  readonly #rests = new Map<Http2Stream, Rest>()
  #timer: TimerEntry | null = null

  constructor(clock: PaceClock) {
    this.#clock = clock
  }

  watch(stream: Http2Stream): void {
    const { generation, queuedBytes: bytes } = stream
    this.#rests.set(stream, { generation, bytes, movedMs: this.#clock.nowMs() })
    this.#timer ??= new TimerEntry(() => this.#onTimer())
    if (!this.#timer.armed) this.#clock.wheel.schedule(this.#timer, LOOK_MS)
  }

  /** The connection is over. */
  stop(): void {
    this.#clock.wheel.cancel(this.#timer)
    this.#rests.clear()
  }

  #onTimer(): void {
    const nowMs = this.#clock.nowMs()
    for (const [stream, rest] of this.#rests) {
      const { queuedBytes } = stream
      const isOver = stream.generation !== rest.generation || queuedBytes === 0
      const isStuck = queuedBytes === rest.bytes && nowMs - rest.movedMs >= WRITE_STALL_MS
      if (isOver || isStuck) this.#rests.delete(stream)
      if (isOver) continue
      if (isStuck) stream.reset(INTERNAL_ERROR)
      else if (queuedBytes !== rest.bytes) {
        rest.bytes = queuedBytes
        rest.movedMs = nowMs
      }
    }
    if (this.#rests.size > 0) this.#clock.wheel.schedule(this.#timer!, LOOK_MS)
  }
}
