/**
 * Chunked bodies, RFC 9112 section 7.1: bytes in, body ranges out. Owns no bytes, socket or timer.
 *
 *   SIZE --;--> EXTENSION --CR--> SIZE_LF --LF--> DATA --last byte--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *   size 0: SIZE_LF --LF--> TRAILER_START --CR--> END_LF --LF--> done
 *           TRAILER_START --> TRAILER_NAME --:--> TRAILER_VALUE --CR--> TRAILER_LF --LF--> TRAILER_START
 *
 * Extensions and trailers are checked and dropped. Invariant: the same events for every split of the input.
 */
import { COLON, CR, FIELD, HEX, HTAB, LF, SEMICOLON, SP, TCHAR } from '../bytes.ts'
import type { BodySink } from '../body.ts'
import { BAD_MESSAGE, DONE, HEAD_TOO_LARGE, MORE, type Verdict } from '../verdict.ts'

/** A size line of endless zeros or extensions would never give a body byte to count. */
const MAX_SIZE_DIGITS = 16
const MAX_EXTENSION_BYTES = 4096
const MAX_TRAILER_BYTES = 8192

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER_START = 6
const TRAILER_NAME = 7
const TRAILER_VALUE = 8
const TRAILER_LF = 9
const END_LF = 10
const PADDING = 11

export class ChunkedReader {
  /** After DONE: where the body ended in the last piece. */
  next = 0
  #state = SIZE
  #digits = 0
  #leftBytes = 0
  #lineBytes = 0
  readonly #padded: boolean

  /** `padded`: sizes may have spaces after them, as some old servers write them (in requests: refused). */
  constructor(padded = false) {
    this.#padded = padded
  }

  reset(): void {
    this.#state = SIZE
    this.#digits = 0
    this.#leftBytes = 0
    this.#lineBytes = 0
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
            this.#lineBytes = 0
          } else if (this.#padded && (byte === SP || byte === HTAB)) {
            this.#state = PADDING
            this.#lineBytes = 0
          } else {
            return BAD_MESSAGE
          }
          at++
          break
        }
        case EXTENSION:
          if (byte === CR) this.#state = SIZE_LF
          else if (FIELD[byte] !== 1 || ++this.#lineBytes > MAX_EXTENSION_BYTES) return BAD_MESSAGE
          at++
          break
        case PADDING:
          if (byte === CR) this.#state = SIZE_LF
          else if (byte === SEMICOLON) this.#state = EXTENSION
          else if ((byte !== SP && byte !== HTAB) || ++this.#lineBytes > MAX_EXTENSION_BYTES) return BAD_MESSAGE
          at++
          break
        case SIZE_LF:
          if (byte !== LF) return BAD_MESSAGE
          this.#lineBytes = 0
          this.#state = this.#leftBytes === 0 ? TRAILER_START : DATA
          at++
          break
        case TRAILER_START:
          if (byte === CR) this.#state = END_LF
          else if (TCHAR[byte] === 1) this.#state = TRAILER_NAME
          else return BAD_MESSAGE
          if (++this.#lineBytes > MAX_TRAILER_BYTES) return HEAD_TOO_LARGE
          at++
          break
        case TRAILER_NAME:
          if (byte === COLON) this.#state = TRAILER_VALUE
          else if (TCHAR[byte] !== 1) return BAD_MESSAGE
          if (++this.#lineBytes > MAX_TRAILER_BYTES) return HEAD_TOO_LARGE
          at++
          break
        case TRAILER_VALUE:
          if (byte === CR) this.#state = TRAILER_LF
          else if (FIELD[byte] !== 1) return BAD_MESSAGE
          if (++this.#lineBytes > MAX_TRAILER_BYTES) return HEAD_TOO_LARGE
          at++
          break
        case TRAILER_LF:
          if (byte !== LF) return BAD_MESSAGE
          this.#state = TRAILER_START
          at++
          break
        default: // END_LF
          if (byte !== LF) return BAD_MESSAGE
          this.next = at + 1
          this.reset()
          return DONE
      }
    }
    return MORE
  }
}
