/**
 * Character classes of RFC 9110 section 5.6 as tables of 256, and comparison of bytes without strings.
 * Leaf: no state, no I/O.
 */

export const CR = 0x0d
export const LF = 0x0a
export const SP = 0x20
export const HTAB = 0x09
export const COLON = 0x3a
export const COMMA = 0x2c
export const SEMICOLON = 0x3b

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0))
}

const TCHAR_TEXT = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/** 1 for `tchar`: methods, field names, list tokens. */
export const TCHAR = table((b) => TCHAR_TEXT.includes(String.fromCharCode(b)))

/** 1 for what a field value may hold: HTAB, SP, VCHAR, obs-text. No other control character, no DEL. */
export const FIELD = table((b) => b === HTAB || (b >= SP && b !== 0x7f))

/** 1 for what a request target may hold: visible ASCII but `#` (a fragment is never sent; it would hide a path). */
export const TARGET = table((b) => b > SP && b < 0x7f && b !== 0x23)

/** ASCII lower case; other bytes stay. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, b) => (b >= 0x41 && b <= 0x5a ? b + 32 : b))

/** Value of a hexadecimal digit, -1 for any other byte. */
export const HEX = Int8Array.from({ length: 256 }, (_, b) => {
  if (b >= 0x30 && b <= 0x39) return b - 0x30
  const lower = b | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1
})

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Whether `buf[start, end)` is `lower` (already lower case) but for ASCII case. */
export function equalsIgnoreCase(buf: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  if (end - start !== lower.length) return false
  for (let i = 0; i < lower.length; i++) if (LOWER[buf[start + i]!] !== lower[i]) return false
  return true
}

/** Whether `buf[start, end)` begins with `text`. */
export function startsWith(buf: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start < text.length) return false
  for (let i = 0; i < text.length; i++) if (buf[start + i] !== text[i]) return false
  return true
}

/** The bytes of an ASCII text, to compare with. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0))
}

/** Node's own methods behind `toString` and `write`, without their dispatch on an encoding's name. */
interface Latin1Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, at: number, bytes: number): number
}

/** Bytes as a string, one character each. */
export function latin1(buf: Buffer, start: number, end: number): string {
  return (buf as unknown as Latin1Buffer).latin1Slice(start, end)
}

/**
 * The text of a part that keep-alive connections mostly repeat. The bytes are compared with the last text, which costs
 * less than a new string, and one string for all makes later comparisons short.
 */
export class LastText {
  #text = ''

  // hot
  read(buf: Buffer, start: number, end: number): string {
    const last = this.#text
    let same = last.length === end - start
    for (let i = 0; same && i < last.length; i++) same = last.charCodeAt(i) === buf[start + i]
    return same ? last : (this.#text = latin1(buf, start, end))
  }
}

/** Writes a Latin-1 string at `at`; returns the bytes written. */
export function writeLatin1(buf: Buffer, text: string, at: number): number {
  return (buf as unknown as Latin1Buffer).latin1Write(text, at, text.length)
}

/** Up to here a loop is cheaper than a call of Node's. */
const LOOP_BYTES = 96

/** Copies `from[start, end)` to `to` at `at`; returns where it ends there. */
// hot
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start
  if (length > LOOP_BYTES) from.copy(to, at, start, end)
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
  return at + length
}

const MAX_LENGTH_DIGITS = 16

/** A Content-Length: 1*DIGIT, at most 2^53-1 (leading zeros do not count); -1 for anything else. */
export function readLength(buf: Uint8Array, start: number, end: number): number {
  if (start === end) return -1
  let value = 0
  let digits = 0
  for (let i = start; i < end; i++) {
    const byte = buf[i]!
    if (!isDigit(byte)) return -1
    if (digits > 0 || byte !== 0x30) digits++
    if (digits > MAX_LENGTH_DIGITS) return -1
    value = value * 10 + (byte - 0x30) // in this order: beyond 2^53 a sum is rounded
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1
}
