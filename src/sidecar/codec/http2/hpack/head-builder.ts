/**
 * Fields of a header block into a head, by the rules of a message (RFC 9113 sections 8.1 to 8.3).
 * In: lines in order. Out: a `Head` over a slab of its own: values of the pseudo-headers, then lines; and a verdict.
 * A list over its limit is counted on and no longer kept, so that the table stays in step at a small price.
 */
import { copyBytes, LOWER } from '../../bytes.ts'
import { type Head, MAX_FIELDS } from '../../head.ts'
import { DROPPED, hashName, nameId, nameSet } from '../../names.ts'
import { DONE, HEADERS_TOO_LARGE, MALFORMED, type Verdict } from '../../verdict.ts'
import type { FieldSink } from './block-reader.ts'
import { AUTHORITY, INVALID, METHOD, PATH, PROTOCOL, SCHEME, STATUS } from './fields.ts'
import { ENTRY_BYTES } from './table.ts'

export type MessageKind = 'request' | 'response' | 'trailers'

/** A line has this many bytes less than its field counts for in a list (RFC 9113 section 10.5.1). */
const COUNTED_BYTES = ENTRY_BYTES - 4
/** So far over the limit even counting is given up, and the connection with it: one byte can stand for a whole table. */
const GIVE_UP_FACTOR = 16
const GIVE_UP_BYTES = 64 * 1024

const HOST = nameId('host')
const COOKIE = nameId('cookie')
const COOKIE_NAME = Buffer.from('cookie', 'latin1')
const COOKIE_HASH = hashName(COOKIE_NAME, 0, COOKIE_NAME.length)
/** Those that may come once, or are joined. */
const COUNTED = nameSet('host', 'cookie', 'content-length')

const bit = (kind: number): number => 1 << -kind
const REQUEST_PSEUDOS = bit(METHOD) | bit(SCHEME) | bit(PATH) | bit(AUTHORITY) | bit(PROTOCOL)
/** Of CONNECT; any other request has all but PROTOCOL, and so has the extended CONNECT of RFC 8441, with it. */
const CONNECT_PSEUDOS = bit(METHOD) | bit(AUTHORITY)
const PLAIN_PSEUDOS = bit(METHOD) | bit(SCHEME) | bit(PATH)
const STAR = 0x2a

const EMPTY: Buffer = Buffer.alloc(0)
/** No run: no line begins there. */
const NOWHERE = -1

export class HeadBuilder implements FieldSink {
  #head: Head
  #kind: MessageKind = 'request'
  #slab: Buffer
  #at = 0
  /**
   * Lines that are not in the slab yet, whose place there begins at `#runAt`. A head that repeats stands in the table
   * as it came, line behind line: one copy for all of it.
   */
  #runBytes = EMPTY
  #runStart = NOWHERE
  #runEnd = NOWHERE
  #runAt = 0
  #listBytes = 0
  #maxListBytes = 0
  #giveUpBytes = 0
  #seenPseudos = 0
  #hosts = 0
  #lengths = 0
  #cookies = 0
  #malformed = false
  #tooLarge = false

  readonly #maxFields: number

  constructor(head: Head, maxFields = MAX_FIELDS) {
    this.#maxFields = maxFields
    this.#head = head
    this.#slab = head.bytes
  }

  begin(head: Head, kind: MessageKind, maxListBytes: number): void {
    this.#head = head
    this.#kind = kind
    this.#slab = head.openSlab()
    this.#maxListBytes = maxListBytes
    this.#giveUpBytes = maxListBytes * GIVE_UP_FACTOR + GIVE_UP_BYTES
    this.#at = this.#listBytes = this.#seenPseudos = this.#hosts = this.#lengths = this.#cookies = 0
    this.#runStart = this.#runEnd = NOWHERE
    this.#malformed = this.#tooLarge = false
  }

  // hot
  indexed(bytes: Buffer, start: number, nameEnd: number, end: number, kind: number, hash: number): boolean {
    return this.#take(bytes, start, nameEnd, end, kind, hash, false)
  }

  // hot
  literal(
    bytes: Buffer,
    start: number,
    nameEnd: number,
    end: number,
    kind: number,
    hash: number,
    sensitive: boolean,
  ): boolean {
    const taken = this.#take(bytes, start, nameEnd, end, kind, hash, sensitive)
    this.#flush()
    return taken
  }

  #take(
    bytes: Buffer,
    start: number,
    nameEnd: number,
    end: number,
    kind: number,
    hash: number,
    sensitive: boolean,
  ): boolean {
    const head = this.#head
    const length = end - start
    this.#listBytes += length + COUNTED_BYTES
    if (this.#listBytes > this.#maxListBytes || head.count >= this.#maxFields) {
      this.#tooLarge = true
      return this.#listBytes <= this.#giveUpBytes
    }
    if (kind < DROPPED) {
      this.#pseudo(bytes, nameEnd + 2, end - 2, kind, sensitive)
      return true
    }
    const at = this.#at
    if (at + length > this.#slab.length) this.#slab = head.growSlab(at, length)
    if (bytes === this.#runBytes && start === this.#runEnd) this.#runEnd = end
    else {
      this.#flush()
      this.#runBytes = bytes
      this.#runStart = start
      this.#runEnd = end
      this.#runAt = at
    }
    this.#at = at + length
    const shift = at - start
    head.push(at, nameEnd + shift, nameEnd + shift + 2, at + length - 2, kind, hash, sensitive)
    if (kind > 0 && COUNTED[kind] === 1) {
      if (kind === COOKIE) this.#cookies++
      else if (kind === HOST) this.#hosts++
      else this.#lengths++
    }
    return true
  }

  /** Writes the lines that waited for a neighbour. */
  #flush(): void {
    copyBytes(this.#runBytes, this.#runStart, this.#runEnd, this.#slab, this.#runAt)
    this.#runStart = this.#runEnd = NOWHERE
  }

  #pseudo(bytes: Buffer, start: number, end: number, kind: number, sensitive: boolean): void {
    const head = this.#head
    const mine = bit(kind)
    const allowed = this.#kind === 'request' ? REQUEST_PSEUDOS : this.#kind === 'response' ? bit(STATUS) : 0
    if (kind === INVALID || (mine & allowed) === 0 || (this.#seenPseudos & mine) !== 0 || head.count > 0) {
      this.#malformed = true
      return
    }
    this.#seenPseudos |= mine
    if (sensitive) head.sensitivePseudos |= mine
    const at = this.#at
    if (at + end - start > this.#slab.length) this.#slab = head.growSlab(at, end - start)
    const to = (this.#at = copyBytes(bytes, start, end, this.#slab, at))
    switch (kind) {
      case METHOD:
        head.methodStart = at
        head.methodEnd = to
        break
      case SCHEME:
        head.schemeStart = at
        head.schemeEnd = to
        break
      case PATH:
        head.targetStart = at
        head.targetEnd = to
        break
      case AUTHORITY:
        head.authorityStart = at
        head.authorityEnd = to
        break
      case PROTOCOL:
        head.protocolStart = at
        head.protocolEnd = to
        break
      default: // STATUS: three digits
        head.status = (bytes[start]! - 0x30) * 100 + (bytes[start + 1]! - 0x30) * 10 + bytes[start + 2]! - 0x30
    }
  }

  /** After the last field. */
  finish(): Verdict {
    this.#flush()
    if (this.#malformed) return MALFORMED
    if (this.#tooLarge) return HEADERS_TOO_LARGE
    if (this.#lengths > 1) return MALFORMED
    if (this.#cookies > 1) this.#joinCookies()
    if (this.#kind === 'request') return this.#finishRequest()
    // 101 is not of HTTP/2, RFC 9113 section 8.6
    return this.#kind === 'response' && (this.#head.status === 0 || this.#head.status === 101) ? MALFORMED : DONE
  }

  #finishRequest(): Verdict {
    const head = this.#head
    const seen = this.#seenPseudos
    if (this.#hosts > 1) return MALFORMED
    if (this.#hosts === 1 && !this.#takeHost()) return MALFORMED
    if (head.authorityStart === head.authorityEnd) return MALFORMED
    if (head.isMethod('CONNECT') && (seen & bit(PROTOCOL)) === 0) return seen === CONNECT_PSEUDOS ? DONE : MALFORMED
    if ((seen & PLAIN_PSEUDOS) !== PLAIN_PSEUDOS) return MALFORMED
    if ((seen & bit(PROTOCOL)) !== 0 && (!head.isMethod('CONNECT') || (seen & bit(AUTHORITY)) === 0)) return MALFORMED
    return this.#slab[head.targetStart] !== STAR || head.isMethod('OPTIONS') ? DONE : MALFORMED
  }

  /** Host stands in for a missing `:authority`; beside one it must say the same (RFC 9113 section 8.3.1). */
  #takeHost(): boolean {
    const head = this.#head
    const i = head.find(HOST)
    const start = head.valueStart(i)
    const end = head.valueEnd(i)
    if ((this.#seenPseudos & bit(AUTHORITY)) === 0) {
      head.authorityStart = start
      head.authorityEnd = end
      return true
    }
    if (head.authorityEnd - head.authorityStart !== end - start) return false
    const by = head.authorityStart - start
    for (let k = start; k < end; k++) if (LOWER[this.#slab[k]!] !== LOWER[this.#slab[k + by]!]) return false
    return true
  }

  /** Crumbs become one field (RFC 9113 section 8.2.3), at the end; they stay where they stood, as DROPPED. */
  #joinCookies(): void {
    const head = this.#head
    const start = this.#at
    let slab = head.growSlab(start, COOKIE_NAME.length + 2)
    let at = copyBytes(COOKIE_NAME, 0, COOKIE_NAME.length, slab, start)
    slab[at++] = 0x3a
    slab[at++] = 0x20
    let sensitive = false
    const valueStart = at
    for (let i = 0; i < head.count; i++) {
      if (head.id(i) !== COOKIE) continue
      const from = head.valueStart(i)
      const to = head.valueEnd(i)
      slab = head.growSlab(at, to - from + 4)
      if (at > valueStart) {
        slab[at++] = 0x3b
        slab[at++] = 0x20
      }
      at = copyBytes(slab, from, to, slab, at)
      sensitive ||= head.isSensitive(i)
      head.setId(i, DROPPED)
    }
    slab[at] = 0x0d
    slab[at + 1] = 0x0a
    head.push(start, start + COOKIE_NAME.length, valueStart, at, COOKIE, COOKIE_HASH, sensitive)
    this.#slab = slab
    this.#at = at + 2
  }
}
