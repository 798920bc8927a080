/**
 * The head of a message, whichever codec read it: ranges into its bytes, and an id for each name that a proxy acts upon.
 * In: what a reader pushes. Out: ranges, ids, text where it is asked for. Leaf; owns no bytes of a connection.
 */
import { latin1 } from './bytes.ts'
import { NUM_NAMES } from './names.ts'

/** More fields than this in one head is taken for an attack on memory and time (431), where the configuration says nothing. */
export const MAX_FIELDS = 100
/** What a sidecar adds does not count against what its program may send. */
const MESH_FIELDS = 28
/** Per field: name start, name end, value start, value end, id, hash of the name, whether it is sensitive. */
const STRIDE = 7
/** As many as most heads have; it grows. */
const FIRST_ROOM = 16
const NO_ROOM = new Int32Array(0)
const EMPTY = Buffer.alloc(0)
const FIRST_SLAB_BYTES = 1024
/** A slab that one large head has grown over this is not kept. */
const KEPT_SLAB_BYTES = 8 * 1024

/** How many fields a connection's peer may send: `peerId` names another sidecar, '' is anybody else. */
export function fieldsOf(maxFields: number, peerId: string): number {
  return peerId === '' ? maxFields : maxFields + MESH_FIELDS
}

/** Bytes of its fields, without the start line. */
export function sizeOf(head: Head): number {
  return head.count === 0 ? 0 : head.valueEnd(head.count - 1) - head.nameStart(0)
}

/**
 * A parsed head: ranges into `bytes`. Valid until its reader is reset. A name stands there in the case it came in
 * (HTTP/2: lower), and where `: ` and CRLF follow name and value, an HTTP/1.1 encoder may copy a run of fields at once.
 */
export class Head {
  bytes: Buffer = EMPTY
  methodStart = 0
  methodEnd = 0
  /** HTTP/2: `:path`. */
  targetStart = 0
  targetEnd = 0
  /** Of HTTP/2: `:scheme`, `:authority` and `:protocol`; empty ranges where absent. */
  schemeStart = 0
  schemeEnd = 0
  authorityStart = 0
  authorityEnd = 0
  protocolStart = 0
  protocolEnd = 0
  /** 0 or 1; higher minors count as 1. */
  minor = 1
  status = 0
  reasonStart = 0
  reasonEnd = 0
  count = 0
  /** HTTP/2: pseudo-headers that came as never indexed, and so go on (RFC 7541 section 7.1.3); by `PSEUDO_BIT`. */
  sensitivePseudos = 0
  /** An id was set since it was read. */
  isChanged = false
  /** None before the first field: a connection may wait for its first head all day. */
  #fields = NO_ROOM
  /** By id: index of the first field with it, or -1. */
  readonly #first = new Int16Array(NUM_NAMES).fill(-1)
  #slab = EMPTY

  nameStart(i: number): number {
    return this.#fields[i * STRIDE]!
  }
  nameEnd(i: number): number {
    return this.#fields[i * STRIDE + 1]!
  }
  valueStart(i: number): number {
    return this.#fields[i * STRIDE + 2]!
  }
  valueEnd(i: number): number {
    return this.#fields[i * STRIDE + 3]!
  }
  id(i: number): number {
    return this.#fields[i * STRIDE + 4]!
  }
  /** Of the name in lower case, by `hashStep`. */
  hash(i: number): number {
    return this.#fields[i * STRIDE + 5]!
  }
  /** It came as a field that no hop may put into a table (RFC 7541 section 7.1.3). */
  isSensitive(i: number): boolean {
    return this.#fields[i * STRIDE + 6] === 1
  }
  setId(i: number, id: number): void {
    this.isChanged = true
    const old = this.#fields[i * STRIDE + 4]!
    this.#fields[i * STRIDE + 4] = id
    if (old > 0 && this.#first[old] === i) this.#first[old] = this.#nextOf(old, i + 1)
    if (id > 0 && (this.#first[id]! < 0 || this.#first[id]! > i)) this.#first[id] = i
  }

  #nextOf(id: number, from: number): number {
    for (let i = from; i < this.count; i++) if (this.#fields[i * STRIDE + 4] === id) return i
    return -1
  }

  /** No fields; the start line stays. */
  clearFields(): void {
    this.isChanged = false
    for (let i = 0; i < this.count; i++) {
      const id = this.#fields[i * STRIDE + 4]!
      if (id > 0) this.#first[id] = -1
    }
    this.count = 0
  }

  text(start: number, end: number): string {
    return latin1(this.bytes, start, end)
  }

  /** Of a request; letters count as they are. */
  isMethod(method: string): boolean {
    if (this.methodEnd - this.methodStart !== method.length) return false
    for (let i = 0; i < method.length; i++) if (this.bytes[this.methodStart + i] !== method.charCodeAt(i)) return false
    return true
  }

  value(i: number): string {
    return latin1(this.bytes, this.valueStart(i), this.valueEnd(i))
  }

  /** Index of the first field with this id (of a known name), or -1. */
  find(id: number): number {
    return this.#first[id]!
  }

  /** Value of a field by id, '' where absent. */
  get(id: number): string {
    const i = this.find(id)
    return i < 0 ? '' : this.value(i)
  }

  /** Values of a field by lower-case name, joined by `,` as one list; `undefined` where absent. Slower than `get`. */
  getByName(name: string): string | undefined {
    let found: string | undefined
    for (let i = 0; i < this.count; i++) {
      const start = this.nameStart(i)
      const end = this.nameEnd(i)
      if (end - start !== name.length || this.id(i) < 0) continue
      if (latin1(this.bytes, start, end).toLowerCase() !== name) continue
      found = found === undefined ? this.value(i) : `${found},${this.value(i)}`
    }
    return found
  }

  /** @internal for the reader */
  push(
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    id: number,
    hash: number,
    sensitive: boolean,
  ): void {
    if (id > 0 && this.#first[id]! < 0) this.#first[id] = this.count
    const at = this.count++ * STRIDE
    if (at === this.#fields.length) this.#grow()
    this.#fields[at] = nameStart
    this.#fields[at + 1] = nameEnd
    this.#fields[at + 2] = valueStart
    this.#fields[at + 3] = valueEnd
    this.#fields[at + 4] = id
    this.#fields[at + 5] = hash
    this.#fields[at + 6] = sensitive ? 1 : 0
  }

  #grow(): void {
    const larger = new Int32Array(Math.max(FIRST_ROOM * STRIDE, this.#fields.length * 2))
    larger.set(this.#fields)
    this.#fields = larger
  }

  /** @internal empties the head, and gives it a slab of its own to be written to */
  openSlab(): Buffer {
    if (this.#slab.length === 0 || this.#slab.length > KEPT_SLAB_BYTES)
      this.#slab = Buffer.allocUnsafeSlow(FIRST_SLAB_BYTES)
    this.bytes = this.#slab
    this.methodStart = this.methodEnd = this.targetStart = this.targetEnd = 0
    this.schemeStart = this.schemeEnd = this.authorityStart = this.authorityEnd = 0
    this.protocolStart = this.protocolEnd = this.reasonStart = this.reasonEnd = 0
    this.minor = 1
    this.status = this.sensitivePseudos = 0
    this.clearFields()
    return this.#slab
  }

  /** @internal the slab with room for `bytes` after the `used` ones; ranges stay */
  growSlab(used: number, bytes: number): Buffer {
    if (used + bytes <= this.#slab.length) return this.#slab
    const larger = Buffer.allocUnsafeSlow(Math.max(used + bytes, this.#slab.length * 2))
    this.#slab.copy(larger, 0, 0, used)
    this.bytes = this.#slab = larger
    return larger
  }

  /** @internal moves every range: the bytes moved to the start of another buffer */
  rebase(bytes: Buffer, by: number): void {
    this.bytes = bytes
    this.methodStart -= by
    this.methodEnd -= by
    this.targetStart -= by
    this.targetEnd -= by
    this.reasonStart -= by
    this.reasonEnd -= by
    for (let i = 0; i < this.count; i++)
      for (let k = 0; k < 4; k++) this.#fields[i * STRIDE + k] = this.#fields[i * STRIDE + k]! - by
  }
}
