/**
 * The static table of RFC 7541 appendix A, as lines of bytes like those of a dynamic table.
 * In: nothing. Out: entries by index; for an encoder, the index of a name or of a whole field. Leaf, read only.
 */
import { LOWER } from '../../bytes.ts'
import { hashName } from '../../names.ts'
import { classify } from './fields.ts'

// prettier-ignore
const ENTRIES: readonly [name: string, value?: string][] = [
  [':authority'], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'],
  [':scheme', 'http'], [':scheme', 'https'],
  [':status', '200'], [':status', '204'], [':status', '206'], [':status', '304'], [':status', '400'],
  [':status', '404'], [':status', '500'],
  ['accept-charset'], ['accept-encoding', 'gzip, deflate'], ['accept-language'], ['accept-ranges'], ['accept'],
  ['access-control-allow-origin'], ['age'], ['allow'], ['authorization'], ['cache-control'], ['content-disposition'],
  ['content-encoding'], ['content-language'], ['content-length'], ['content-location'], ['content-range'],
  ['content-type'], ['cookie'], ['date'], ['etag'], ['expect'], ['expires'], ['from'], ['host'], ['if-match'],
  ['if-modified-since'], ['if-none-match'], ['if-range'], ['if-unmodified-since'], ['last-modified'], ['link'],
  ['location'], ['max-forwards'], ['proxy-authenticate'], ['proxy-authorization'], ['range'], ['referer'], ['refresh'],
  ['retry-after'], ['server'], ['set-cookie'], ['strict-transport-security'], ['transfer-encoding'], ['user-agent'],
  ['vary'], ['via'], ['www-authenticate'],
]

export const NUM_STATIC = ENTRIES.length

/** All lines behind each other; entry `index` (from 1) is `[STARTS[index], ENDS[index])`. */
export const STATIC_BYTES = Buffer.from(
  ENTRIES.map(([name, value]) => `${name}: ${value ?? ''}\r\n`).join(''),
  'latin1',
)
export const STATIC_STARTS = new Int32Array(NUM_STATIC + 1)
export const STATIC_NAME_ENDS = new Int32Array(NUM_STATIC + 1)
export const STATIC_ENDS = new Int32Array(NUM_STATIC + 1)
export const STATIC_KINDS = new Int32Array(NUM_STATIC + 1)
export const STATIC_HASHES = new Int32Array(NUM_STATIC + 1)

const SLOTS = 256
const slotOf = (hash: number): number => (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (SLOTS - 1)
/** First index of each name. */
const names = new Uint8Array(SLOTS)
/** Index of `:status` by code. */
export const STATIC_STATUS = new Uint8Array(1000)

ENTRIES.reduce((start, [name, value = ''], i) => {
  const index = i + 1
  const nameEnd = start + name.length
  const end = nameEnd + value.length + 4
  const hash = hashName(STATIC_BYTES, start, nameEnd)
  STATIC_STARTS[index] = start
  STATIC_NAME_ENDS[index] = nameEnd
  STATIC_ENDS[index] = end
  STATIC_KINDS[index] = classify(STATIC_BYTES, start, nameEnd, end, hash)
  STATIC_HASHES[index] = hash
  if (name === ':status') STATIC_STATUS[Number(value)] = index
  if (ENTRIES[i - 1]?.[0] === name) return end
  let slot = slotOf(hash)
  while (names[slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
  names[slot] = index
  return end
}, 0)

/** First index with this name (in any case), or 0. */
export function staticName(buf: Uint8Array, start: number, end: number, hash: number): number {
  let slot = slotOf(hash)
  for (let index = names[slot]!; index !== 0; slot = (slot + 1) & (SLOTS - 1), index = names[slot]!)
    if (STATIC_HASHES[index] === hash && isAt(STATIC_STARTS[index]!, STATIC_NAME_ENDS[index]!, buf, start, end))
      return index
  return 0
}

/** Index of the field with this value among those that have the name of `first`, or 0. */
export function staticField(first: number, buf: Uint8Array, start: number, end: number): number {
  const hash = STATIC_HASHES[first]
  for (let index = first; index <= NUM_STATIC && STATIC_HASHES[index] === hash; index++) {
    const valueStart = STATIC_NAME_ENDS[index]! + 2
    const valueEnd = STATIC_ENDS[index]! - 2
    if (valueEnd - valueStart !== end - start || end === start) continue
    let i = 0
    while (i < end - start && STATIC_BYTES[valueStart + i] === buf[start + i]) i++
    if (i === end - start) return index
  }
  return 0
}

function isAt(from: number, to: number, buf: Uint8Array, start: number, end: number): boolean {
  if (to - from !== end - start) return false
  for (let i = 0; i < to - from; i++) if (STATIC_BYTES[from + i] !== LOWER[buf[start + i]!]) return false
  return true
}
