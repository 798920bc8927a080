/**
 * Integers of RFC 7541 section 5.1: a prefix of N bits, then seven bits a byte, the low ones first.
 * Leaf. Values over 2^24 are refused: nothing that we take is so long, and a longer one is meant to overflow.
 */

const MAX_VALUE = 0xffffff
/** Four bytes hold 28 bits; more can only be padding. */
const MAX_MORE_BYTES = 4

/**
 * What follows a prefix of all ones, at `buf[at]`: `(value << 3) + bytes read`, the value without the prefix;
 * -1 where it is cut off or too large.
 */
export function readInteger(buf: Uint8Array, at: number, end: number): number {
  let value = 0
  for (let i = 0; i < MAX_MORE_BYTES; i++) {
    if (at + i >= end) return -1
    const byte = buf[at + i]!
    value += (byte & 0x7f) << (7 * i)
    if (byte < 0x80) return value > MAX_VALUE ? -1 : (value << 3) + i + 1
  }
  return -1
}

/** Bytes that `writeInteger` may take. */
export const MAX_INTEGER_BYTES = 6

/** Writes `value` with its first bits in the free ones of `first`; returns where it ends. */
export function writeInteger(buf: Uint8Array, at: number, value: number, prefixMax: number, first: number): number {
  let i = at
  if (value < prefixMax) {
    buf[i++] = first | value
    return i
  }
  buf[i++] = first | prefixMax
  let rest = value - prefixMax
  for (; rest >= 0x80; rest >>>= 7) buf[i++] = (rest & 0x7f) | 0x80
  buf[i++] = rest
  return i
}
