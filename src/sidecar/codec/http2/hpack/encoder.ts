/**
 * Header blocks of one direction of an HTTP/2 connection, RFC 7541.
 * In: fields of heads by their bytes, own fields and pseudo-headers as text. Out: representations in a sink.
 * Owns the dynamic table. What is written often costs one index; nothing is coded by Huffman (see huffman.ts).
 *
 * What goes into the table: own fields at once; a passing field when it is seen for the second time, so that unique
 * values do not drive out the others; unique values only once, for their name; secrets never (RFC 7541 section 7.1).
 */
import { copyBytes, LOWER, writeLatin1 } from '../../bytes.ts'
import type { Head } from '../../head.ts'
import { headerName, type HeaderName, nameId, nameSet } from '../../names.ts'
import type { PseudoName } from './fields.ts'
import { MAX_INTEGER_BYTES, writeInteger } from './integer.ts'
import { hashField, LookupTable } from './lookup.ts'
import { NUM_STATIC, STATIC_STATUS, staticField, staticName } from './static-table.ts'
import { DEFAULT_TABLE_BYTES, ENTRY_BYTES } from './table.ts'

/** Where a header block is written; grows. */
export interface BlockSink {
  buf: Buffer
  at: number
  /** After it `buf`, which may be another object then, has `bytes` bytes from `at` on. */
  reserve(bytes: number): void
}

/** How a field may be sent. */
const ONCE_SEEN = 0
const AT_ONCE = 1
const UNIQUE = 2
const NEVER = 3

/** First bits of the representations, and the largest value of their prefix, RFC 7541 section 6. */
const INDEXED = 0x80
const INDEXED_MAX = 0x7f
const WITH_INDEXING = 0x40
const WITH_INDEXING_MAX = 0x3f
const RESIZE = 0x20
const RESIZE_MAX = 0x1f
const NEVER_INDEXED = 0x10
const WITHOUT_INDEXING = 0x00
const WITHOUT_INDEXING_MAX = 0x0f
const STRING_MAX = 0x7f

const PSEUDOS: Record<PseudoName, HeaderName> = {
  method: headerName(':method'),
  scheme: headerName(':scheme'),
  path: headerName(':path'),
  authority: headerName(':authority'),
  protocol: headerName(':protocol'),
}
const STATUS = headerName(':status')
const STATUS_TEXTS = Array.from({ length: 1000 }, (_, code) => String(code))

const SECRETS = nameSet('authorization', 'proxy-authorization', 'set-cookie')
const UNIQUES = nameSet('x-request-id', 'traceparent', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'b3')
const COOKIE = nameId('cookie')
/** A shorter cookie could be guessed one try at a time (as nghttp2 has it). */
const SAFE_COOKIE_BYTES = 20

/** Our own bound: also what a peer gets from us when it allows more. */
const MAX_TABLE_BYTES = 64 * 1024
/** A field that takes more than this part of the table would drive out all others. */
const LARGE_PART = 4
const SEEN = 512
/** Up to here a loop is cheaper than a call of Node's. */
const LOOP_TEXT_BYTES = 40

/** What was last written under a name. */
interface Written {
  text: string
  /** Of the static table, or 0. */
  index: number
  /** Of the entry in the dynamic table, where `index` is 0. */
  seq: number
}

export class HpackEncoder {
  readonly #table = new LookupTable()
  readonly #maxTableBytes: number
  /** What the table may have from the next block on, and the least it was meanwhile (section 4.2). */
  #nextTableBytes = DEFAULT_TABLE_BYTES
  #leastTableBytes = DEFAULT_TABLE_BYTES
  #out: BlockSink = { buf: Buffer.alloc(0), at: 0, reserve: () => {} }
  /** Fields that were sent once without indexing, by hash. */
  readonly #seen = new Int32Array(SEEN)
  /** By `HeaderName.slot`. */
  readonly #written: (Written | undefined)[] = []
  #scratch = Buffer.allocUnsafeSlow(256)
  /** Where the last field stands now: as in `Written`; `#isKept` false where it was not indexed. */
  #isKept = false
  #keptIndex = 0
  #keptSeq = 0

  constructor(maxTableBytes = MAX_TABLE_BYTES) {
    this.#maxTableBytes = maxTableBytes
    this.setPeerLimit(DEFAULT_TABLE_BYTES)
  }

  /** SETTINGS_HEADER_TABLE_SIZE of the peer; told to its decoder at the start of the next block. */
  setPeerLimit(bytes: number): void {
    this.#nextTableBytes = Math.min(bytes, this.#maxTableBytes)
    this.#leastTableBytes = Math.min(this.#leastTableBytes, this.#nextTableBytes)
  }

  /** A block begins. */
  begin(out: BlockSink): void {
    this.#out = out
    if (this.#nextTableBytes === this.#table.maxBytes && this.#leastTableBytes === this.#nextTableBytes) return
    if (this.#leastTableBytes < this.#nextTableBytes && this.#leastTableBytes < this.#table.maxBytes)
      this.#resize(this.#leastTableBytes)
    this.#resize(this.#nextTableBytes)
    this.#leastTableBytes = this.#nextTableBytes
  }

  // hot
  status(code: number): void {
    const index = STATIC_STATUS[code]!
    if (index !== 0) this.#indexed(index)
    else this.#cached(STATUS, STATUS_TEXTS[code] ?? String(code), AT_ONCE)
  }

  /** `sensitive`: it came as never indexed (`Head.sensitivePseudos`). */
  // hot
  pseudo(name: PseudoName, value: string, sensitive = false): void {
    if (sensitive) this.#text(PSEUDOS[name], value, NEVER)
    else this.#cached(PSEUDOS[name], value, name === 'path' || name === 'authority' ? ONCE_SEEN : AT_ONCE)
  }

  /** A field of a parsed head, by its bytes, in lower case; no string is made. */
  // hot
  field(head: Head, i: number): void {
    const id = head.id(i)
    const start = head.valueStart(i)
    const end = head.valueEnd(i)
    let how = ONCE_SEEN
    if (head.isSensitive(i)) how = NEVER
    else if (id > 0) {
      if (SECRETS[id] === 1 || (id === COOKIE && end - start < SAFE_COOKIE_BYTES)) how = NEVER
      else if (UNIQUES[id] === 1) how = UNIQUE
    }
    const { bytes } = head
    this.#field(bytes, head.nameStart(i), head.nameEnd(i), head.hash(i), bytes, start, end, how)
  }

  /** A field of our own; `unique`: its value is another each time, and is kept out of the table. */
  // hot
  text(name: HeaderName, value: string, unique = false): void {
    const { id } = name
    if (id > 0 && (SECRETS[id] === 1 || (id === COOKIE && value.length < SAFE_COOKIE_BYTES)))
      this.#text(name, value, NEVER)
    else if (unique) this.#text(name, value, UNIQUE)
    else this.#cached(name, value, AT_ONCE)
  }

  // hot
  #cached(name: HeaderName, value: string, how: number): void {
    const written = this.#written[name.slot]
    const table = this.#table
    if (written !== undefined && written.text === value) {
      if (written.index !== 0) return this.#indexed(written.index)
      const age = (table.newest - written.seq) | 0
      if (age >= 0 && age < table.count) return this.#indexed(NUM_STATIC + 1 + age)
    }
    this.#text(name, value, how)
    if (!this.#isKept) return
    if (written === undefined) this.#written[name.slot] = { text: value, index: this.#keptIndex, seq: this.#keptSeq }
    else {
      written.text = value
      written.index = this.#keptIndex
      written.seq = this.#keptSeq
    }
  }

  #text(name: HeaderName, value: string, how: number): void {
    const { length } = value
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(length * 2)
    const scratch = this.#scratch
    if (length > LOOP_TEXT_BYTES) writeLatin1(scratch, value, 0)
    else for (let i = 0; i < length; i++) scratch[i] = value.charCodeAt(i)
    this.#field(name.bytes, 0, name.bytes.length, name.hash, scratch, 0, length, how)
  }

  // hot
  #field(
    name: Buffer,
    nameStart: number,
    nameEnd: number,
    nameHash: number,
    value: Buffer,
    start: number,
    end: number,
    how: number,
  ): void {
    const table = this.#table
    const mayIndex = how <= AT_ONCE
    const hash = mayIndex ? hashField(nameHash, value, start, end) : 0
    if (mayIndex) {
      const age = table.findField(hash, name, nameStart, nameEnd, value, start, end)
      if (age >= 0) {
        this.#keep(0, (table.newest - age) | 0)
        this.#indexed(NUM_STATIC + 1 + age)
        return
      }
    }
    let nameIndex = staticName(name, nameStart, nameEnd, nameHash)
    if (nameIndex !== 0) {
      const index = mayIndex ? staticField(nameIndex, value, start, end) : 0
      if (index !== 0) {
        this.#keep(index, 0)
        this.#indexed(index)
        return
      }
    } else {
      const age = table.findName(nameHash, name, nameStart, nameEnd)
      if (age >= 0) nameIndex = NUM_STATIC + 1 + age
    }
    const indexing =
      (how === AT_ONCE || (how === ONCE_SEEN && this.#wasSeen(hash)) || (how === UNIQUE && nameIndex === 0)) &&
      (nameEnd - nameStart + end - start + ENTRY_BYTES) * LARGE_PART <= table.maxBytes
    this.#literal(nameIndex, name, nameStart, nameEnd, value, start, end, indexing, how)
    this.#isKept = false
    if (!indexing) return
    this.#insert(name, nameStart, nameEnd, nameHash, value, start, end, mayIndex ? hash : 0)
    if (mayIndex) this.#keep(0, table.newest)
  }

  #literal(
    nameIndex: number,
    name: Buffer,
    nameStart: number,
    nameEnd: number,
    value: Buffer,
    start: number,
    end: number,
    indexing: boolean,
    how: number,
  ): void {
    const out = this.#out
    out.reserve(nameEnd - nameStart + end - start + 3 * MAX_INTEGER_BYTES)
    const { buf } = out
    let at = indexing
      ? writeInteger(buf, out.at, nameIndex, WITH_INDEXING_MAX, WITH_INDEXING)
      : writeInteger(buf, out.at, nameIndex, WITHOUT_INDEXING_MAX, how === NEVER ? NEVER_INDEXED : WITHOUT_INDEXING)
    if (nameIndex === 0) {
      at = writeInteger(buf, at, nameEnd - nameStart, STRING_MAX, 0)
      for (let i = nameStart; i < nameEnd; i++) buf[at++] = LOWER[name[i]!]!
    }
    at = writeInteger(buf, at, end - start, STRING_MAX, 0)
    out.at = copyBytes(value, start, end, buf, at)
  }

  #insert(
    name: Buffer,
    nameStart: number,
    nameEnd: number,
    nameHash: number,
    value: Buffer,
    start: number,
    end: number,
    hash: number,
  ): void {
    const table = this.#table
    const lineStart = table.reserve(0, nameEnd - nameStart + end - start + 4)
    const { bytes } = table
    let at = lineStart
    for (let i = nameStart; i < nameEnd; i++) bytes[at++] = LOWER[name[i]!]!
    const lineNameEnd = at
    bytes[at++] = 0x3a
    bytes[at++] = 0x20
    at = copyBytes(value, start, end, bytes, at)
    bytes[at++] = 0x0d
    bytes[at++] = 0x0a
    table.insert(lineStart, lineNameEnd, at, hash, nameHash)
  }

  #keep(index: number, seq: number): void {
    this.#isKept = true
    this.#keptIndex = index
    this.#keptSeq = seq
  }

  /** Whether a field with this hash was sent before; from now on it was. */
  #wasSeen(hash: number): boolean {
    const slot = hash & (SEEN - 1)
    const was = this.#seen[slot] === hash
    this.#seen[slot] = hash
    return was
  }

  // hot
  #indexed(index: number): void {
    const out = this.#out
    if (out.buf.length - out.at < MAX_INTEGER_BYTES) out.reserve(MAX_INTEGER_BYTES)
    if (index < INDEXED_MAX) out.buf[out.at++] = INDEXED | index
    else out.at = writeInteger(out.buf, out.at, index, INDEXED_MAX, INDEXED)
  }

  #resize(bytes: number): void {
    const out = this.#out
    out.reserve(MAX_INTEGER_BYTES)
    out.at = writeInteger(out.buf, out.at, bytes, RESIZE_MAX, RESIZE)
    this.#table.resize(bytes)
  }
}
