/**
 * Header blocks, RFC 7541 sections 3 and 6: representations and the dynamic table they change.
 * In: a whole block. Out: each field as a line `name: value CRLF` to a sink, whether valid as HTTP or not.
 * Owns the table of one direction of one connection. The message's rules are the sink's.
 */
import { copyBytes } from '../../bytes.ts'
import { hashName } from '../../names.ts'
import { COMPRESSION_FAULT, DONE, type Verdict } from '../../verdict.ts'
import { classify, classifyKnown } from './fields.ts'
import { decodeHuffman } from './huffman.ts'
import { readInteger } from './integer.ts'
import {
  NUM_STATIC,
  STATIC_BYTES,
  STATIC_ENDS,
  STATIC_HASHES,
  STATIC_KINDS,
  STATIC_NAME_ENDS,
  STATIC_STARTS,
} from './static-table.ts'
import { DynamicTable } from './table.ts'

/**
 * Takes lines; their kind is one of fields.ts or an id of names.ts. False: the block is given up, and with it the
 * connection.
 */
export interface FieldSink {
  /** An entry of a table. Its bytes stay until the block is read. */
  indexed(bytes: Buffer, start: number, nameEnd: number, end: number, kind: number, hash: number): boolean
  /** A field written out. Its bytes stay during the call. */
  literal(
    bytes: Buffer,
    start: number,
    nameEnd: number,
    end: number,
    kind: number,
    hash: number,
    sensitive: boolean,
  ): boolean
}

const COLON = 0x3a
const FAULT = -1

export class BlockReader {
  readonly #table = new DynamicTable()
  #maxTableBytes: number
  /** The table may be larger than its bound: the next block has to begin with a smaller size (section 4.2). */
  #mustResize = false
  /** The line of a literal, in the table's arena after its last entry. */
  #lineStart = 0
  #lineEnd = 0
  /** Of the entry that gave it its name. */
  #nameKind = 0
  #nameHash = 0

  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes
  }

  setMaxTableBytes(bytes: number): void {
    this.#maxTableBytes = bytes
    this.#mustResize = this.#table.maxBytes > bytes
  }

  /** DONE, or COMPRESSION_FAULT. */
  // hot
  read(buf: Buffer, start: number, end: number, sink: FieldSink): Verdict {
    const table = this.#table
    let mayResize = true
    let at = start
    while (at < end) {
      const byte = buf[at++]!
      if (mayResize && (byte & 0xe0) === 0x20) {
        at = this.#resize(buf, at, end, byte & 0x1f)
        if (at === FAULT) return COMPRESSION_FAULT
        continue
      }
      mayResize = false
      if (this.#mustResize) return COMPRESSION_FAULT
      if (byte >= 0x80) {
        let index = byte & 0x7f
        if (index === 0x7f) {
          const more = readInteger(buf, at, end)
          if (more < 0) return COMPRESSION_FAULT
          index += more >> 3
          at += more & 7
        }
        if (!this.#indexed(table, index, sink)) return COMPRESSION_FAULT
      } else if ((byte & 0xe0) === 0x20) {
        return COMPRESSION_FAULT // a size only stands before the first field, section 4.2
      } else {
        at = this.#literal(buf, at, end, byte, sink)
        if (at === FAULT) return COMPRESSION_FAULT
      }
    }
    return DONE
  }

  // hot
  #indexed(table: DynamicTable, index: number, sink: FieldSink): boolean {
    if (index > NUM_STATIC) {
      const i = table.slotOf(index - NUM_STATIC - 1)
      if (i < 0) return false
      return sink.indexed(
        table.bytes,
        table.starts[i]!,
        table.nameEnds[i]!,
        table.ends[i]!,
        table.kinds[i]!,
        table.hashes[i]!,
      )
    }
    if (index === 0) return false
    return sink.indexed(
      STATIC_BYTES,
      STATIC_STARTS[index]!,
      STATIC_NAME_ENDS[index]!,
      STATIC_ENDS[index]!,
      STATIC_KINDS[index]!,
      STATIC_HASHES[index]!,
    )
  }

  #resize(buf: Buffer, from: number, end: number, prefix: number): number {
    let at = from
    let bytes = prefix
    if (prefix === 0x1f) {
      const more = readInteger(buf, at, end)
      if (more < 0) return FAULT
      bytes += more >> 3
      at += more & 7
    }
    if (bytes > this.#maxTableBytes) return FAULT
    this.#table.resize(bytes)
    this.#mustResize = false
    return at
  }

  #literal(buf: Buffer, from: number, end: number, first: number, sink: FieldSink): number {
    const table = this.#table
    const indexing = first >= 0x40
    const prefixMax = indexing ? 0x3f : 0x0f
    let at = from
    let index = first & prefixMax
    if (index === prefixMax) {
      const more = readInteger(buf, at, end)
      if (more < 0) return FAULT
      index += more >> 3
      at += more & 7
    }
    this.#lineStart = this.#lineEnd = table.reserve(0, 0)
    at = index === 0 ? this.#string(buf, at, end) : this.#nameOf(index) ? at : FAULT
    if (at === FAULT) return FAULT
    const nameBytes = this.#lineEnd - this.#lineStart
    this.#lineStart = table.reserve(nameBytes, nameBytes + 2)
    this.#lineEnd = this.#lineStart + nameBytes
    table.bytes[this.#lineEnd++] = COLON
    table.bytes[this.#lineEnd++] = 0x20
    at = this.#string(buf, at, end)
    if (at === FAULT) return FAULT
    const start = this.#lineStart
    const nameEnd = start + nameBytes
    table.bytes[this.#lineEnd++] = 0x0d
    table.bytes[this.#lineEnd++] = 0x0a
    const hash = index === 0 ? hashName(table.bytes, start, nameEnd) : this.#nameHash
    const kind =
      index === 0
        ? classify(table.bytes, start, nameEnd, this.#lineEnd, hash)
        : classifyKnown(table.bytes, start, nameEnd, this.#lineEnd, hash, this.#nameKind)
    const sensitive = (first & 0xf0) === 0x10
    if (!sink.literal(table.bytes, start, nameEnd, this.#lineEnd, kind, hash, sensitive)) return FAULT
    if (indexing) table.insert(start, nameEnd, this.#lineEnd, kind, hash)
    return at
  }

  /** The name of an entry, to the line. The entry may leave the table by this very field: its bytes are copied before. */
  #nameOf(index: number): boolean {
    const table = this.#table
    if (index <= NUM_STATIC) {
      const start = STATIC_STARTS[index]!
      const end = STATIC_NAME_ENDS[index]!
      this.#nameKind = STATIC_KINDS[index]!
      this.#nameHash = STATIC_HASHES[index]!
      this.#lineStart = table.reserve(0, end - start)
      this.#lineEnd = copyBytes(STATIC_BYTES, start, end, table.bytes, this.#lineStart)
      return true
    }
    const slot = table.slotOf(index - NUM_STATIC - 1)
    if (slot < 0) return false
    this.#nameKind = table.kinds[slot]!
    this.#nameHash = table.hashes[slot]!
    this.#lineStart = table.reserve(0, table.nameEnds[slot]! - table.starts[slot]!)
    // where the entry stands after the arena has moved
    this.#lineEnd = copyBytes(table.bytes, table.starts[slot]!, table.nameEnds[slot]!, table.bytes, this.#lineStart)
    return true
  }

  /** A string literal (section 5.2), to the end of the line; where it ended in `buf`, or FAULT. */
  #string(buf: Buffer, from: number, end: number): number {
    if (from >= end) return FAULT
    const table = this.#table
    let at = from
    const first = buf[at++]!
    let length = first & 0x7f
    if (length === 0x7f) {
      const more = readInteger(buf, at, end)
      if (more < 0) return FAULT
      length += more >> 3
      at += more & 7
    }
    if (length > end - at) return FAULT
    const isHuffman = first >= 0x80
    const kept = this.#lineEnd - this.#lineStart
    // the shortest code has 5 bits; and the line ends with CRLF
    this.#lineStart = table.reserve(kept, kept + (isHuffman ? length * 2 : length) + 2)
    const to = this.#lineStart + kept
    this.#lineEnd = isHuffman
      ? decodeHuffman(buf, at, at + length, table.bytes, to)
      : copyBytes(buf, at, at + length, table.bytes, to)
    return this.#lineEnd < 0 ? FAULT : at + length
  }
}
