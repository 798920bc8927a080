/**
 * Header blocks of one direction of an HTTP/2 connection into heads: RFC 7541 and the message rules of RFC 9113.
 * In: a whole block. Out: a `Head` and a verdict. Owns the dynamic table.
 */
import { Head } from '../../head.ts'
import { DONE, type Verdict } from '../../verdict.ts'
import { BlockReader } from './block-reader.ts'
import { HeadBuilder, type MessageKind } from './head-builder.ts'

/** What a builder holds before its first block. */
const NO_HEAD = new Head()

export class HpackDecoder {
  readonly #reader: BlockReader
  readonly #builder: HeadBuilder

  /** `maxTableBytes`: what we announce as SETTINGS_HEADER_TABLE_SIZE. */
  constructor(maxTableBytes: number, maxFields?: number) {
    this.#reader = new BlockReader(maxTableBytes)
    this.#builder = new HeadBuilder(NO_HEAD, maxFields)
  }

  /** Another announcement, once the peer has acknowledged it: a larger table is a fault from the next block on. */
  setMaxTableBytes(bytes: number): void {
    this.#reader.setMaxTableBytes(bytes)
  }

  /**
   * Decodes a block (CONTINUATION joined by the caller) into `head`, which is emptied first.
   * DONE; MALFORMED or HEADERS_TOO_LARGE: a fault of this stream, the table stays in step; or COMPRESSION_FAULT, also
   * for a list so far over its limit that staying in step is not worth its price.
   */
  decode(buf: Buffer, start: number, end: number, head: Head, kind: MessageKind, maxListBytes: number): Verdict {
    this.#builder.begin(head, kind, maxListBytes)
    const verdict = this.#reader.read(buf, start, end, this.#builder)
    return verdict === DONE ? this.#builder.finish() : verdict
  }
}
