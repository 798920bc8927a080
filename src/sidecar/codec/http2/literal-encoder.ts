/**
 * Header blocks that do not touch the dynamic table (RFC 7541 section 6.2.2, names in full), so that they may be written
 * now and sent later: trailers that wait behind queued DATA. In: fields. Out: the block. No connection's state.
 */
import { LOWER } from '../bytes.ts'
import type { Head } from '../head.ts'
import type { HeaderName } from '../names.ts'
import { MAX_INTEGER_BYTES, writeInteger } from './hpack/integer.ts'
import type { BlockEncoder } from './stream.ts'

/** First bits, RFC 7541 sections 6.2.2 and 6.2.3, with index 0: the name follows. */
const WITHOUT_INDEXING = 0x00
const NEVER_INDEXED = 0x10
/** Section 5.2: no Huffman code, seven bits of length. */
const STRING_MAX = 0x7f
const FIRST_BYTES = 512

export class LiteralEncoder implements BlockEncoder {
  #buf = Buffer.allocUnsafe(FIRST_BYTES)
  #at = 0

  get block(): Buffer {
    return this.#buf.subarray(0, this.#at)
  }

  status(code: number): void {
    this.#pair(Buffer.from(':status'), Buffer.from(String(code)))
  }

  pseudo(name: string, value: string): void {
    this.#pair(Buffer.from(`:${name}`), Buffer.from(value, 'latin1'))
  }

  text(name: HeaderName, value: string): void {
    this.#pair(name.bytes, Buffer.from(value, 'latin1'))
  }

  field(head: Head, i: number): void {
    const name = Buffer.from(head.bytes.subarray(head.nameStart(i), head.nameEnd(i)))
    for (let k = 0; k < name.length; k++) name[k] = LOWER[name[k]!]!
    this.#pair(name, head.bytes.subarray(head.valueStart(i), head.valueEnd(i)), head.isSensitive(i))
  }

  #pair(name: Uint8Array, value: Uint8Array, sensitive = false): void {
    const needed = this.#at + name.length + value.length + 3 * MAX_INTEGER_BYTES
    if (needed > this.#buf.length) {
      const larger = Buffer.allocUnsafe(needed * 2)
      this.#buf.copy(larger, 0, 0, this.#at)
      this.#buf = larger
    }
    this.#buf[this.#at++] = sensitive ? NEVER_INDEXED : WITHOUT_INDEXING
    this.#string(name)
    this.#string(value)
  }

  #string(bytes: Uint8Array): void {
    const at = writeInteger(this.#buf, this.#at, bytes.length, STRING_MAX, 0)
    this.#buf.set(bytes, at)
    this.#at = at + bytes.length
  }
}
