/**
 * DER, read where it lies: bytes in, positions and plain values out. X.690 sections 8 and 10; no copy, no recursion.
 * Strict: one-byte tags, definite lengths in their shortest form, nothing beyond the parent's end.
 * Throws DerError; whoever opens a certificate turns it into a verdict.
 */
export class DerError extends Error {
  readonly code = 'BAD_DER'
}

export interface DerNode {
  tag: number
  /** First byte of the tag. */
  start: number
  /** First byte of the contents. */
  content: number
  /** One past the last byte. */
  end: number
}

export const BOOLEAN = 0x01
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const OBJECT_IDENTIFIER = 0x06
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30
export const SET = 0x31

/** Context-specific tag, primitive or constructed. */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number
}

/** Walks the children of one node in order. */
export class DerCursor {
  readonly bytes: Uint8Array
  readonly #start: number
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.#start = start
    this.#at = start
    this.#end = end
  }

  /** The children of `node`. */
  into(node: DerNode): DerCursor {
    return new DerCursor(this.bytes, node.content, node.end)
  }

  get started(): boolean {
    return this.#at > this.#start
  }

  get done(): boolean {
    return this.#at === this.#end
  }

  /** The next child; of this tag, if one is given. */
  next(tag?: number): DerNode {
    const node = readNode(this.bytes, this.#at, this.#end)
    if (tag !== undefined && node.tag !== tag)
      throw new DerError(`tag 0x${node.tag.toString(16)} where 0x${tag.toString(16)} belongs`)
    this.#at = node.end
    return node
  }

  /** The next child if it has this tag. */
  optional(tag: number): DerNode | undefined {
    return !this.done && this.bytes[this.#at] === tag ? this.next() : undefined
  }

  /** Says that nothing may follow. */
  finish(): void {
    if (!this.done) throw new DerError('bytes after the last element')
  }
}

function readNode(bytes: Uint8Array, start: number, limit: number): DerNode {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined || start + 2 > limit) throw new DerError('cut short')
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of several bytes')
  let content = start + 2
  let length = first
  if (first >= 0x80) {
    const size = first & 0x7f
    if (size === 0 || size > 3) throw new DerError('a length that is indefinite or too large')
    if (content + size > limit) throw new DerError('cut short')
    length = 0
    for (let i = 0; i < size; i++) length = length * 256 + (bytes[content + i] ?? 0)
    content += size
    if (length < 0x80 || length < 256 ** (size - 1)) throw new DerError('a length in longer form than needed')
  }
  const end = content + length
  if (end > limit) throw new DerError('longer than what holds it')
  return { tag, start, content, end }
}

/** `1.2.840.10045.4.3.2` */
export function readOid(bytes: Uint8Array, node: DerNode): string {
  if (node.tag !== OBJECT_IDENTIFIER || node.end === node.content) throw new DerError('not an object identifier')
  const arcs: number[] = []
  let value = 0
  let fresh = true
  for (let i = node.content; i < node.end; i++) {
    const byte = bytes[i] ?? 0
    if (fresh && byte === 0x80) throw new DerError('a padded object identifier')
    value = value * 128 + (byte & 0x7f)
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier too large')
    fresh = (byte & 0x80) === 0
    if (fresh) {
      if (arcs.length === 0) {
        const top = Math.min(Math.floor(value / 40), 2)
        arcs.push(top, value - top * 40)
      } else arcs.push(value)
      value = 0
    }
  }
  if (!fresh) throw new DerError('an object identifier cut short')
  return arcs.join('.')
}

/** TRUE is 0xff, FALSE 0x00, nothing else. */
export function readBoolean(bytes: Uint8Array, node: DerNode): boolean {
  const value = bytes[node.content]
  if (node.tag !== BOOLEAN || node.end - node.content !== 1 || (value !== 0 && value !== 0xff))
    throw new DerError('not a boolean')
  return value === 0xff
}

/** Bits of a named bit list: index 0 is the first. */
export function readBits(bytes: Uint8Array, node: DerNode): boolean[] {
  const unused = bytes[node.content]
  const length = node.end - node.content - 1
  if (node.tag !== BIT_STRING || unused === undefined || length < 0 || unused > 7 || (length === 0 && unused !== 0))
    throw new DerError('not a bit string')
  const bits: boolean[] = []
  for (let i = 0; i < length * 8 - unused; i++)
    bits.push(((bytes[node.content + 1 + (i >> 3)] ?? 0) & (0x80 >> (i & 7))) !== 0)
  return bits
}

/** Contents of an INTEGER in hex, its shortest form demanded. */
export function readIntegerHex(bytes: Uint8Array, node: DerNode): string {
  const first = bytes[node.content] ?? 0
  const second = bytes[node.content + 1] ?? 0
  const length = node.end - node.content
  if (node.tag !== INTEGER || length === 0) throw new DerError('not an integer')
  if (length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new DerError('a padded integer')
  return Buffer.from(bytes.subarray(node.content, node.end)).toString('hex')
}

const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const GENERALIZED = /^(\d\d\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/** RFC 5280 4.1.2.5: seconds given, UTC, two-digit years from 50 on are 19xx. */
export function readTimeEpochMs(bytes: Uint8Array, node: DerNode): number {
  const text = Buffer.from(bytes.subarray(node.content, node.end)).toString('latin1')
  const parts = (node.tag === UTC_TIME ? UTC : node.tag === GENERALIZED_TIME ? GENERALIZED : /$^/).exec(text)
  if (parts === null) throw new DerError('not a time')
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number)
  const fullYear = node.tag === UTC_TIME ? (year < 50 ? 2000 + year : 1900 + year) : year
  const time = Date.UTC(fullYear, month - 1, day, hour, minute, second)
  if (new Date(time).getUTCDate() !== day || month < 1 || month > 12) throw new DerError('no such date')
  return time
}

const CONSTRUCTED = 0x20
const UNIVERSAL_LIMIT = 0x40

/**
 * Says that `bytes` is one DER value, all the way down: shortest forms everywhere, constructed bit only on SEQUENCE
 * and SET, depth bounded. Contents of bit and octet strings are opaque.
 */
export function checkDer(bytes: Uint8Array, maxDepth: number): void {
  const root = new DerCursor(bytes)
  if (root.done) throw new DerError('cut short')
  const open = [root]
  for (let cursor = open.at(-1); cursor !== undefined; cursor = open.at(-1)) {
    if (cursor === root && cursor.started && !cursor.done) throw new DerError('bytes after the last element')
    if (cursor.done) {
      open.pop()
      continue
    }
    const node = cursor.next()
    const composite = (node.tag | CONSTRUCTED) === SEQUENCE || (node.tag | CONSTRUCTED) === SET
    if (node.tag < UNIVERSAL_LIMIT && composite !== ((node.tag & CONSTRUCTED) !== 0))
      throw new DerError('a primitive in constructed form, or the reverse')
    if (node.tag === INTEGER) readIntegerHex(bytes, node)
    else if (node.tag === BOOLEAN) readBoolean(bytes, node)
    else if (node.tag === OBJECT_IDENTIFIER) readOid(bytes, node)
    else if (node.tag === BIT_STRING && ((bytes[node.content] ?? 8) > 7 || node.end === node.content))
      throw new DerError('not a bit string')
    if ((node.tag & CONSTRUCTED) === 0) continue
    if (open.length > maxDepth) throw new DerError('nested too deep')
    open.push(cursor.into(node))
  }
}
