/** Request ids: UUID version 4, from random bytes drawn in batches (a draw each costs more than the request's head). */
import { randomFillSync } from 'node:crypto'

const BATCH_BYTES = 8192
const pool = Buffer.alloc(BATCH_BYTES)
let at = BATCH_BYTES

// hot
export function requestId(): string {
  if (at === BATCH_BYTES) {
    randomFillSync(pool)
    at = 0
  }
  pool[at + 6] = (pool[at + 6]! & 0x0f) | 0x40
  pool[at + 8] = (pool[at + 8]! & 0x3f) | 0x80
  const hex = pool.toString('hex', at, (at += 16))
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
