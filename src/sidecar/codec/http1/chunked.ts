/**
 * Chunked bodies, RFC 9112 section 7.1: bytes in, body ranges and trailers out. Owns no bytes but those of a trailer
 * section that comes in pieces; no socket, no timer.
 *
 *   SIZE --;--> EXTENSION --CR--> SIZE_LF --LF--> DATA --last byte--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *   size 0: SIZE_LF --LF--> TRAILER_START --CR--> END_LF --LF--> done      TRAILER_START --> TRAILERS --> done
 *
 * Extensions are checked and dropped; trailers are read as the fields of a head are, and what may not stand in them is
 * dropped. Invariant: the same events for every split of the input.
 */
import { CR, FIELD, HEX, HTAB, LF, SEMICOLON, SP } from '../bytes.ts'
import type { BodySink } from '../body.ts'
import { dropForbiddenTrailers } from '../trailers.ts'
import { BAD_MESSAGE, DONE, MORE, type Verdict } from '../verdict.ts'
import { EXTENSION_BAD, EXTENSION_END, EXTENSION_START, extensionStep } from './chunk-extension.ts'
import { HeadReader } from './head.ts'

/** A size line of endless zeros or extensions would never give a body byte to count. */
const MAX_SIZE_DIGITS = 16
const MAX_EXTENSION_BYTES = 4096
/** What extensions may come to beyond 16 bytes a chunk and twice its data: many of them around single bytes are an attack. */
const MAX_EXCESS_BYTES = 16 * 1024
const MAX_TRAILER_BYTES = 8192
const NOBODY: readonly string[] = []

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER_START = 6
const TRAILERS = 7
const END_LF = 8
const PADDING = 9

export class ChunkedReader {
  /** After DONE: where the body ended in the last piece. */
  next = 0
  #state = SIZE
  #digits = 0
  #leftBytes = 0
  #lineBytes = 0
  #excessBytes = 0
  #extension = EXTENSION_START
  #trailers: HeadReader | null = null
  #nominated = NOBODY
  readonly #lenient: boolean

  /** `lenient`: spaces behind sizes, as some old servers write them, and extensions of any shape (in requests: refused). */
  constructor(lenient = false) {
    this.#lenient = lenient
  }

  /** For a next body. `nominated`: what Connection listed in its head, which may not come as a trailer either. */
  reset(nominated: readonly string[] = NOBODY): void {
    this.#state = SIZE
    this.#digits = 0
    this.#leftBytes = 0
    this.#lineBytes = 0
    this.#excessBytes = 0
    this.#trailers?.reset()
    this.#nominated = nominated
  }

  // hot: no slices, no throw
  read(buf: Buffer, at: number, end: number, sink: BodySink): Verdict {
    while (at < end) {
      const byte = buf[at]!
      switch (this.#state) {
        case DATA: {
          const stop = Math.min(end, at + this.#leftBytes)
          sink.onBody(buf, at, stop)
          this.#leftBytes -= stop - at
          at = stop
          if (this.#leftBytes === 0) this.#state = DATA_CR
          break
        }
        case DATA_CR: // anything else here is a smuggling hole (SPILL.TERM)
          if (byte !== CR) return BAD_MESSAGE
          this.#state = DATA_LF
          at++
          break
        case DATA_LF:
          if (byte !== LF) return BAD_MESSAGE
          this.#state = SIZE
          this.#digits = 0
          at++
          break
        case SIZE: {
          const digit = HEX[byte]!
          if (digit >= 0) {
            // 13 digits and a top one below 2 stay under 2^53: beyond that a 64-bit peer would wrap
            if (++this.#digits > MAX_SIZE_DIGITS) return BAD_MESSAGE
            this.#leftBytes = this.#leftBytes * 16 + digit
            if (this.#leftBytes > Number.MAX_SAFE_INTEGER) return BAD_MESSAGE
          } else if (this.#digits === 0) {
            return BAD_MESSAGE
          } else if (byte === CR) {
            this.#state = SIZE_LF
          } else if (byte === SEMICOLON) {
            this.#state = EXTENSION
            this.#extension = EXTENSION_START
          } else if (this.#lenient && (byte === SP || byte === HTAB)) {
            this.#state = PADDING
          } else {
            return BAD_MESSAGE
          }
          at++
          break
        }
        case EXTENSION:
          this.#extension = this.#lenient ? anyExtension(byte) : extensionStep(this.#extension, byte)
          if (this.#extension === EXTENSION_END) this.#state = SIZE_LF
          else if (this.#extension === EXTENSION_BAD || ++this.#lineBytes > MAX_EXTENSION_BYTES) return BAD_MESSAGE
          at++
          break
        case PADDING:
          if (byte === CR) this.#state = SIZE_LF
          else if (byte === SEMICOLON) {
            this.#state = EXTENSION
            this.#extension = EXTENSION_START
          } else if ((byte !== SP && byte !== HTAB) || ++this.#lineBytes > MAX_EXTENSION_BYTES) return BAD_MESSAGE
          at++
          break
        case SIZE_LF:
          if (byte !== LF) return BAD_MESSAGE
          if (this.#lineBytes > 0 && this.#isExcess()) return BAD_MESSAGE
          this.#state = this.#leftBytes === 0 ? TRAILER_START : DATA
          at++
          break
        case TRAILER_START:
          if (byte === CR) {
            this.#state = END_LF
            at++
          } else {
            this.#trailers ??= new HeadReader('trailers', { maxHeadBytes: MAX_TRAILER_BYTES })
            this.#state = TRAILERS
          }
          break
        case TRAILERS:
          return this.#readTrailers(this.#trailers!, buf, at, end, sink)
        default: // END_LF
          if (byte !== LF) return BAD_MESSAGE
          this.next = at + 1
          this.reset()
          return DONE
      }
    }
    return MORE
  }

  #isExcess(): boolean {
    this.#excessBytes = Math.max(0, this.#excessBytes + this.#lineBytes - 16 - 2 * this.#leftBytes)
    this.#lineBytes = 0
    return this.#excessBytes > MAX_EXCESS_BYTES
  }

  #readTrailers(reader: HeadReader, buf: Buffer, at: number, end: number, sink: BodySink): Verdict {
    const verdict = reader.read(buf, at, end)
    if (verdict !== DONE) return verdict
    this.next = reader.next
    if (dropForbiddenTrailers(reader.head, this.#nominated)) sink.onTrailers?.(reader.head)
    this.reset()
    return DONE
  }
}

function anyExtension(byte: number): number {
  return byte === CR ? EXTENSION_END : FIELD[byte] === 1 ? EXTENSION_START : EXTENSION_BAD
}
