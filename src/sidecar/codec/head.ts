/**
 * The head of a message, whichever codec read it: ranges into its bytes, and an id for each name that a proxy acts upon.
 * In: what a reader pushes. Out: ranges, ids, text where it is asked for. Leaf; owns no bytes of a connection.
 */
import { latin1 } from './bytes.ts'

/** More fields than this in one head is taken for an attack on memory and time (431). */
export const MAX_FIELDS = 100
/** Per field: name start, name end, value start, value end, id. */
const STRIDE = 5
const EMPTY = Buffer.alloc(0)

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
  readonly #fields = new Int32Array(MAX_FIELDS * STRIDE)

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
  setId(i: number, id: number): void {
    this.#fields[i * STRIDE + 4] = id
  }

  text(start: number, end: number): string {
    return latin1(this.bytes, start, end)
  }
  value(i: number): string {
    return latin1(this.bytes, this.valueStart(i), this.valueEnd(i))
  }

  /** Index of the first field with this id, or -1. */
  find(id: number): number {
    for (let i = 0; i < this.count; i++) if (this.#fields[i * STRIDE + 4] === id) return i
    return -1
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
  push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number, id: number): void {
    const at = this.count++ * STRIDE
    this.#fields[at] = nameStart
    this.#fields[at + 1] = nameEnd
    this.#fields[at + 2] = valueStart
    this.#fields[at + 3] = valueEnd
    this.#fields[at + 4] = id
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
