/**
 * Heads of HTTP/1.1 messages: start line and fields (RFC 9112 sections 2 to 5), strictly.
 * In: bytes, in any pieces. Out: a verdict, and a `Head` whose ranges point into the bytes. No string is made here.
 * Owns a carry buffer for a head that comes in pieces; no socket, no timer.
 *
 *   START --> METHOD --SP--> TARGET --SP--> VERSION --CR--> LINE_LF --LF--> FIELD      (a request)
 *   START --> STATUS_LINE (version, status) --SP--> REASON --CR--> LINE_LF --> FIELD   (a response)
 *   FIELD (the fields of a trailer section: no start line)
 *   FIELD --> NAME --:--> OWS --> VALUE --CR--> VALUE_LF --LF--> FIELD      FIELD --CR--> END_LF --LF--> DONE
 *
 * Invariant: the same verdict at the same byte for every split of the input.
 * Stricter than the RFC allows on purpose: no bare LF, no folded lines, no lenient spaces.
 */
import { COLON, CR, FIELD, HTAB, isDigit, LF, SP, TARGET, TCHAR } from '../bytes.ts'
import { Head, MAX_FIELDS } from '../head.ts'
import { hashStep, lookupName } from '../names.ts'
import { BAD_MESSAGE, BAD_VERSION, DONE, HEAD_TOO_LARGE, MORE, TARGET_TOO_LONG, type Verdict } from '../verdict.ts'

/** Envoy's max_request_headers_kb default. */
const MAX_HEAD_BYTES = 60 * 1024
const MAX_TARGET_BYTES = 16 * 1024
/** Empty lines before a request line, sent by old clients after a body. */
const MAX_EMPTY_LINES = 4

const EMPTY = Buffer.alloc(0)
/** Many heads fit; each connection keeps its last one. */
const FIRST_CARRY_BYTES = 512
const MAX_KEPT_BYTES = 8192

const START = 0
const START_LF = 1
const METHOD = 2
const REQUEST_TARGET = 3
const VERSION = 4
const LINE_LF = 5
const FIELD_START = 6
const NAME = 7
const OWS = 8
const VALUE = 9
const VALUE_LF = 10
const END_LF = 11
const STATUS_LINE = 12
const REASON = 13

const HTTP = Buffer.from('HTTP/', 'latin1')

export interface HeadLimits {
  maxHeadBytes: number
  maxFields: number
}

/** Reads heads of one kind off one connection. */
export class HeadReader {
  readonly head = new Head()
  /** After DONE: where in the last piece the head ended. */
  next = 0
  readonly #isRequest: boolean
  readonly #first: number
  readonly #maxHeadBytes: number
  readonly #maxFields: number
  #state: number
  #emptyLines = 0
  /** Where in `head.bytes` the head begins, where the current token began, and what else is remembered of it. */
  #headStart = 0
  #mark = 0
  #nameStart = 0
  #nameEnd = 0
  #valueStart = 0
  #valueEnd = 0
  #hash = 0
  #carry: Buffer = EMPTY
  #carryBytes = 0
  /** Of the last head, which stands whole at the start of `#carry`; 0: it does not. */
  #lastBytes = 0
  /** This head is the last one again, byte by byte: what was made of that holds for it. */
  repeats = false

  constructor(
    kind: 'request' | 'response' | 'trailers',
    { maxHeadBytes = MAX_HEAD_BYTES, maxFields = MAX_FIELDS }: Partial<HeadLimits> = {},
  ) {
    this.#isRequest = kind === 'request'
    this.#first = this.#state = kind === 'trailers' ? FIELD_START : START
    this.#maxHeadBytes = maxHeadBytes
    this.#maxFields = maxFields
  }

  /** Nothing of a next message has come yet. */
  get isIdle(): boolean {
    return this.#state === this.#first && this.#carryBytes === 0 && this.#emptyLines === 0
  }

  reset(): void {
    this.#state = this.#first
    this.#emptyLines = 0
    this.#carryBytes = 0
    // a pinned head stays: on a connection the next one is often the same
    if (this.#lastBytes > 0 && !this.head.isChanged && this.#carry.length <= MAX_KEPT_BYTES) return
    if (this.#carry.length > MAX_KEPT_BYTES) this.#carry = EMPTY
    this.#forget()
  }

  #forget(): void {
    this.#lastBytes = 0
    this.head.clearFields()
    this.head.bytes = EMPTY
  }

  #isLast(chunk: Buffer, at: number, end: number): boolean {
    const bytes = this.#lastBytes
    if (end - at < bytes) return false
    const carry = this.#carry
    for (let i = 0; i < bytes; i++) if (chunk[at + i] !== carry[i]) return false
    return true
  }

  /** After DONE: keeps the head when the bytes that it stands in are no longer this reader's to look at. */
  pin(): void {
    const { head } = this
    if (this.repeats || head.bytes === this.#carry) return
    const from = this.#headStart
    const bytes = this.next - from
    this.#grow(bytes)
    head.bytes.copy(this.#carry, 0, from, this.next)
    head.rebase(this.#carry, from)
    this.#headStart = 0
    this.#lastBytes = bytes
  }

  /** Goes on with `chunk[at, end)`. MORE: all of it was taken. DONE: see `head` and `next`. Else: why it is refused. */
  read(chunk: Buffer, at: number, end: number): Verdict {
    const before = this.#carryBytes
    if (before === 0) {
      if (this.#lastBytes > 0 && this.#state === this.#first) {
        if (this.#isLast(chunk, at, end)) {
          this.repeats = true
          this.next = at + this.#lastBytes
          return DONE
        }
        this.#forget()
      }
      this.repeats = false
      this.#headStart = at
      this.head.bytes = chunk
      const verdict = this.#scan(chunk, at, end)
      if (verdict === MORE) this.#keep(chunk, end)
      return verdict
    }
    const room = this.#maxHeadBytes + 1 - before
    const taken = Math.min(end - at, room)
    this.#grow(before + taken)
    chunk.copy(this.#carry, before, at, at + taken)
    this.#carryBytes = before + taken
    this.head.bytes = this.#carry
    const verdict = this.#scan(this.#carry, before, this.#carryBytes)
    if (verdict === DONE) this.next = at + (this.next - before)
    return verdict
  }

  /** The head goes on in the next piece: from here on it is gathered in `#carry`. */
  #keep(chunk: Buffer, end: number): void {
    const by = this.#headStart
    if (this.#state === START || this.#state === START_LF) return // only empty lines so far
    this.#grow(end - by)
    chunk.copy(this.#carry, 0, by, end)
    this.#carryBytes = end - by
    this.#headStart = 0
    this.#mark -= by
    this.#nameStart -= by
    this.#nameEnd -= by
    this.#valueStart -= by
    this.#valueEnd -= by
    this.head.rebase(this.#carry, by)
  }

  #grow(bytes: number): void {
    if (this.#carry.length >= bytes) return
    const larger = Buffer.allocUnsafe(Math.max(FIRST_CARRY_BYTES, bytes, this.#carry.length * 2))
    this.#carry.copy(larger, 0, 0, this.#carryBytes)
    this.#carry = larger
  }

  // hot: one pass, no slices, no throw
  #scan(buf: Buffer, from: number, end: number): Verdict {
    const { head } = this
    let i = from
    let stop = Math.min(end, this.#headStart + this.#maxHeadBytes)
    while (i < stop) {
      const byte = buf[i]!
      switch (this.#state) {
        case START:
          if (byte === CR) {
            if (!this.#isRequest || ++this.#emptyLines > MAX_EMPTY_LINES) return BAD_MESSAGE
            this.#state = START_LF
            i++
            break
          }
          this.#headStart = i
          stop = Math.min(end, i + this.#maxHeadBytes)
          this.#mark = i
          this.#state = this.#isRequest ? METHOD : STATUS_LINE
          break
        case START_LF:
          if (byte !== LF) return BAD_MESSAGE
          this.#state = START
          i++
          this.#headStart = i
          break
        case METHOD:
          while (i < stop && TCHAR[buf[i]!] === 1) i++
          if (i === stop) break
          if (buf[i] !== SP || i === this.#mark) return BAD_MESSAGE
          head.methodStart = this.#mark
          head.methodEnd = i
          this.#mark = ++i
          this.#state = REQUEST_TARGET
          break
        case REQUEST_TARGET: {
          const targetStop = Math.min(stop, this.#mark + MAX_TARGET_BYTES + 1)
          while (i < targetStop && TARGET[buf[i]!] === 1) i++
          if (i - this.#mark > MAX_TARGET_BYTES) return TARGET_TOO_LONG
          if (i === stop) break
          if (buf[i] !== SP || i === this.#mark) return BAD_MESSAGE
          head.targetStart = this.#mark
          head.targetEnd = i
          this.#mark = ++i
          this.#state = VERSION
          break
        }
        case VERSION: {
          const k = i - this.#mark
          if (k === 8) {
            if (byte !== CR) return BAD_MESSAGE
            if (buf[this.#mark + 5] !== 0x31) return BAD_VERSION
            head.minor = buf[this.#mark + 7] === 0x30 ? 0 : 1
            this.#state = LINE_LF
          } else if (!isVersionByte(byte, k)) return BAD_MESSAGE
          i++
          break
        }
        case STATUS_LINE: {
          // HTTP/1.1 200 Reason
          const k = i - this.#mark
          if (k < 8) {
            if (!isVersionByte(byte, k)) return BAD_MESSAGE
          } else if (k === 8) {
            if (byte !== SP) return BAD_MESSAGE
            if (buf[this.#mark + 5] !== 0x31) return BAD_VERSION
            head.minor = buf[this.#mark + 7] === 0x30 ? 0 : 1
            head.status = 0
          } else if (k < 12) {
            if (!isDigit(byte)) return BAD_MESSAGE
            head.status = head.status * 10 + byte - 0x30
          } else {
            if (head.status < 100) return BAD_MESSAGE
            head.reasonStart = head.reasonEnd = i + 1
            // "HTTP/1.1 200" without the last space is so common that every client takes it
            if (byte === SP) this.#state = REASON
            else if (byte === CR) this.#state = LINE_LF
            else return BAD_MESSAGE
          }
          i++
          break
        }
        case REASON:
          while (i < stop && FIELD[buf[i]!] === 1) i++
          if (i === stop) break
          if (buf[i] !== CR) return BAD_MESSAGE
          head.reasonEnd = i++
          this.#state = LINE_LF
          break
        case LINE_LF:
          if (byte !== LF) return BAD_MESSAGE
          this.#state = FIELD_START
          i++
          break
        case FIELD_START:
          if (byte === CR) {
            this.#state = END_LF
            i++
            break
          }
          // a line led by white space would be a folded one
          if (TCHAR[byte] !== 1) return BAD_MESSAGE
          if (head.count === this.#maxFields) return HEAD_TOO_LARGE
          this.#nameStart = i
          this.#hash = 0
          this.#state = NAME
          break
        case NAME: {
          let hash = this.#hash
          while (i < stop && TCHAR[buf[i]!] === 1) hash = hashStep(hash, buf[i++]!)
          this.#hash = hash
          if (i === stop) break
          if (buf[i] !== COLON) return BAD_MESSAGE
          this.#nameEnd = i++
          this.#state = OWS
          break
        }
        case OWS:
          while (i < stop && (buf[i] === SP || buf[i] === HTAB)) i++
          if (i === stop) break
          this.#valueStart = i
          this.#state = VALUE
          break
        case VALUE: {
          while (i < stop && FIELD[buf[i]!] === 1) i++
          if (i === stop) break
          if (buf[i] !== CR) return BAD_MESSAGE
          let valueEnd = i
          while (valueEnd > this.#valueStart && (buf[valueEnd - 1] === SP || buf[valueEnd - 1] === HTAB)) valueEnd--
          this.#valueEnd = valueEnd
          i++
          this.#state = VALUE_LF
          break
        }
        case VALUE_LF:
          if (byte !== LF) return BAD_MESSAGE
          i++
          head.push(
            this.#nameStart,
            this.#nameEnd,
            this.#valueStart,
            this.#valueEnd,
            lookupName(buf, this.#nameStart, this.#nameEnd, this.#hash),
            this.#hash,
            false,
          )
          this.#state = FIELD_START
          break
        default: // END_LF
          if (byte !== LF) return BAD_MESSAGE
          this.#state = this.#first
          this.next = i + 1
          return DONE
      }
    }
    return i - this.#headStart >= this.#maxHeadBytes ? HEAD_TOO_LARGE : MORE
  }
}

function isVersionByte(byte: number, k: number): boolean {
  return k < 5 ? byte === HTTP[k] : k === 6 ? byte === 0x2e : isDigit(byte)
}
