/** Frames for tests, written and read byte by byte: nothing of the product makes or parses them. */

export const T = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8
export const PRIORITY = 0x20

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export type Field = [name: string, value: string]

export function frame(type: number, flags: number, id: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const header = Buffer.alloc(9)
  header.writeUIntBE(body.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(id >>> 0, 5)
  return Buffer.concat([header, body])
}

export function u32(...values: number[]): Buffer {
  const buf = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) buf.writeUInt32BE(value >>> 0, i * 4)
  return buf
}

export function settings(...pairs: number[]): Buffer {
  const buf = Buffer.alloc((pairs.length / 2) * 6)
  for (let i = 0; i < pairs.length; i += 2) {
    buf.writeUInt16BE(pairs[i]!, i * 3)
    buf.writeUInt32BE(pairs[i + 1]!, i * 3 + 2)
  }
  return frame(T.SETTINGS, 0, 0, buf)
}

/** Literals without indexing, names in full, no Huffman. */
export function block(...fields: Field[]): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of fields) parts.push(Buffer.from([0]), text(name), text(value))
  return Buffer.concat(parts)
}

/** As `block`, with incremental indexing. */
export function indexedBlock(...fields: Field[]): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of fields) parts.push(Buffer.from([0x40]), text(name), text(value))
  return Buffer.concat(parts)
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  const head: number[] = []
  let rest = bytes.length
  if (rest < 127) head.push(rest)
  else {
    head.push(127)
    for (rest -= 127; rest >= 128; rest = Math.floor(rest / 128)) head.push((rest % 128) | 128)
    head.push(rest)
  }
  return Buffer.concat([Buffer.from(head), bytes])
}

export function headers(id: number, fields: Field[] | Buffer, flags = END_HEADERS | END_STREAM): Buffer {
  return frame(T.HEADERS, flags, id, Buffer.isBuffer(fields) ? fields : block(...fields))
}

export function data(id: number, payload: Buffer | string, flags = 0): Buffer {
  return frame(T.DATA, flags, id, payload)
}

export function windowUpdate(id: number, increment: number): Buffer {
  return frame(T.WINDOW_UPDATE, 0, id, u32(increment))
}

export function reset(id: number, code = 8): Buffer {
  return frame(T.RST_STREAM, 0, id, u32(code))
}

export interface Frame {
  type: number
  flags: number
  id: number
  payload: Buffer
}

/** Whole frames of `bytes`; what is left over is not looked at. */
export function parseFrames(bytes: Buffer): Frame[] {
  const list: Frame[] = []
  for (let at = 0; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    if (end > bytes.length) break
    list.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      id: bytes.readUInt32BE(at + 5) & 0x7f_ff_ff_ff,
      payload: bytes.subarray(at + 9, end),
    })
    at = end
  }
  return list
}
