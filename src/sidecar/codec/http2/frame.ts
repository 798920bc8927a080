/**
 * The frame layout of HTTP/2, RFC 9113 sections 4.1 and 6: types, flags, sizes, and the nine bytes before each payload.
 * Leaf: no state, no I/O.
 */

export const FRAME_HEADER_BYTES = 9
export const DEFAULT_MAX_FRAME_BYTES = 16_384
export const LARGEST_FRAME_BYTES = 0xff_ff_ff
export const DEFAULT_WINDOW_BYTES = 65_535
export const MAX_WINDOW_BYTES = 0x7f_ff_ff_ff
export const MAX_STREAM_ID = 0x7f_ff_ff_ff

export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 0x1
export const ACK = 0x1
export const END_HEADERS = 0x4
export const PADDED = 0x8
export const HAS_PRIORITY = 0x20

/** What a client sends before its first frame, section 3.4. */
export const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

// hot
export function writeFrameHeader(
  buf: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  buf[at] = length >>> 16
  buf[at + 1] = length >>> 8
  buf[at + 2] = length
  buf[at + 3] = type
  buf[at + 4] = flags
  writeUint32(buf, at + 5, id)
}

export function writeUint32(buf: Buffer, at: number, value: number): void {
  buf[at] = value >>> 24
  buf[at + 1] = value >>> 16
  buf[at + 2] = value >>> 8
  buf[at + 3] = value
}

/** 0 to 2^32 - 1. */
export function readUint32(buf: Buffer, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** Stream ids and window increments: the top bit is reserved and ignored. */
export function readUint31(buf: Buffer, at: number): number {
  return ((buf[at]! & 0x7f) << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!
}
