/**
 * Ids that are another each time: request ids (UUID version 4), traces and spans. Random bytes are drawn in batches: a
 * draw each costs more than the request's head.
 */
import { randomFillSync } from 'node:crypto'
import { latin1 } from '../codec/bytes.ts'

const BATCH_BYTES = 8192
const pool = Buffer.alloc(BATCH_BYTES)
let at = BATCH_BYTES
const uuid = Buffer.from('00000000-0000-0000-0000-000000000000', 'latin1')
const trace = Buffer.from('00-00000000000000000000000000000000-0000000000000000-00', 'latin1')
/** Where in the text each byte's two digits stand. */
const UUID_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const TRACE_PLACES = [3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 36, 38, 40, 42, 44, 46, 48, 50]
const NUM_TRACE_BYTES = 16
const SPAN_START = 36
const VERSION_END = 2
const FLAGS_START = 53
const DIGITS = Buffer.from('0123456789abcdef', 'latin1')

// hot
export function requestId(): string {
  draw(16)
  pool[at + 6] = (pool[at + 6]! & 0x0f) | 0x40
  pool[at + 8] = (pool[at + 8]! & 0x3f) | 0x80
  write(uuid, UUID_PLACES, 0)
  return latin1(uuid, 0, uuid.length)
}

/** A new trace and its first span. */
// hot
export function newTraceParent(isSampled: boolean): string {
  draw(TRACE_PLACES.length)
  pool[at] = pool[at]! | 1 // an id of zeros is none
  pool[at + NUM_TRACE_BYTES] = pool[at + NUM_TRACE_BYTES]! | 1
  write(trace, TRACE_PLACES, 0)
  trace[FLAGS_START] = DIGITS[0]!
  trace[FLAGS_START + 1] = isSampled ? DIGITS[1]! : DIGITS[0]!
  return latin1(trace, 0, trace.length)
}

/** The trace and flags of the well-formed `traceparent` at `buf[start...]`, another span; what we write is version 00. */
// hot
export function withNewSpan(buf: Buffer, start: number): string {
  draw(TRACE_PLACES.length - NUM_TRACE_BYTES)
  pool[at] = pool[at]! | 1
  for (let i = VERSION_END; i < SPAN_START; i++) trace[i] = buf[start + i]!
  for (let i = FLAGS_START; i < trace.length; i++) trace[i] = buf[start + i]!
  write(trace, TRACE_PLACES, NUM_TRACE_BYTES)
  return latin1(trace, 0, trace.length)
}

/** So many bytes stand in the pool from `at` on. */
function draw(bytes: number): void {
  if (at + bytes <= BATCH_BYTES) return
  randomFillSync(pool)
  at = 0
}

function write(text: Buffer, places: readonly number[], first: number): void {
  for (let i = first; i < places.length; i++) {
    const byte = pool[at++]!
    const place = places[i]!
    text[place] = DIGITS[byte >> 4]!
    text[place + 1] = DIGITS[byte & 15]!
  }
}
