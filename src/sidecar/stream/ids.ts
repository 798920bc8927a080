/** Request ids: UUID version 4, from random bytes drawn in batches (a draw each costs more than the request's head). */
import { randomFillSync } from 'node:crypto'
import { latin1 } from '../codec/bytes.ts'

const BATCH_BYTES = 8192
const pool = Buffer.alloc(BATCH_BYTES)
let at = BATCH_BYTES
const text = Buffer.from('00000000-0000-0000-0000-000000000000', 'latin1')
/** Where in the text each byte's two digits stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const DIGITS = Buffer.from('0123456789abcdef', 'latin1')

// hot
export function requestId(): string {
  if (at === BATCH_BYTES) {
    randomFillSync(pool)
    at = 0
  }
  pool[at + 6] = (pool[at + 6]! & 0x0f) | 0x40
  pool[at + 8] = (pool[at + 8]! & 0x3f) | 0x80
  for (let i = 0; i < 16; i++) {
    const byte = pool[at++]!
    const place = PLACES[i]!
    text[place] = DIGITS[byte >> 4]!
    text[place + 1] = DIGITS[byte & 15]!
  }
  return latin1(text, 0, text.length)
}
