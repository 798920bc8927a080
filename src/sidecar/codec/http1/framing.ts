/**
 * Where a message ends and what becomes of its connection: RFC 9112 sections 6 and 9, RFC 9110 section 7.6.
 * In: a head. Out: the body's kind and length, persistence, upgrade; or the verdict that refuses the message.
 * Two readers that disagree here are request smuggling, so whatever is not plain is refused.
 * Marks fields that Connection names as DROPPED.
 */
import { ascii, COMMA, equalsIgnoreCase, HTAB, LastText, readLength, SP, TCHAR } from '../bytes.ts'
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  BODY_UNTIL_CLOSE,
  type BodyFraming,
  type BodyKind,
  type BodySink,
} from '../body.ts'
import { ChunkedReader } from './chunked.ts'
import type { Head } from '../head.ts'
import { listsTrailers } from '../te.ts'
import { DROPPED, nameId, UNKNOWN } from '../names.ts'
import { isAuthority } from './target.ts'
import { BAD_MESSAGE, DONE, EXPECTATION_FAILED, MORE, NOT_SERVED, UNKNOWN_CODING, type Verdict } from '../verdict.ts'

const HOST = nameId('host')
const CONTENT_LENGTH = nameId('content-length')
const TRANSFER_ENCODING = nameId('transfer-encoding')
const CONNECTION = nameId('connection')
const EXPECT = nameId('expect')
const UPGRADE = nameId('upgrade')
const TE = nameId('te')
const MAX_FORWARDS = nameId('max-forwards')

/** Longer lists only serve to make each field's check dear. */
const MAX_NOMINATED = 10

/** What proxies on the way tell, and not all of it is known here by name. */
const FORWARDED = 'x-forwarded-'

const CHUNKED = ascii('chunked')
const CLOSE = ascii('close')
const KEEP_ALIVE = ascii('keep-alive')
const UPGRADE_TOKEN = ascii('upgrade')
const CONTINUE = ascii('100-continue')
const MAX_HOPS_DIGITS = 9
const NOBODY: readonly string[] = []
const CODINGS = new Set(['gzip', 'x-gzip', 'deflate', 'compress', 'x-compress'])

/** What a head says of its message's frame. One per connection, filled anew for each message. */
export class Framing implements BodyFraming {
  kind: BodyKind = BODY_NONE
  lengthBytes = 0
  keepAlive = true
  /** `Connection: upgrade` with an Upgrade field. */
  upgrade = false
  expectContinue = false
  /** `TE: trailers`: whoever sent this request takes trailers of the response. */
  acceptsTrailers = false
  /** Of OPTIONS and TRACE: how many proxies may still pass it on; -1 where it does not say. */
  maxForwards = -1
  /** What Connection named beyond options of the hop, lower case: not there as fields, and not wanted as trailers. */
  nominated: readonly string[] = NOBODY
  /** Of the Host field; '' where there is none. */
  authority = ''
  readonly #lastHost = new LastText()
  /** The last one that was well formed; an empty one never is. */
  #checkedHost: string | null = null
  // of the pass over the fields
  #host = -1
  #lengths = 0
  #codings = 0
  #hosts = 0
  #close = false
  #persist = false
  #upgradeToken = false
  #upgradeField = false
  #expect = -1

  /** Requests. DONE, or the status that refuses it. */
  readRequest(head: Head): Verdict {
    const verdict = this.#fields(head)
    if (verdict !== DONE) return verdict
    if (this.#hosts > 1 || (this.#hosts === 0 && head.minor === 1)) return BAD_MESSAGE
    this.authority =
      this.#host < 0 ? '' : this.#lastHost.read(head.bytes, head.valueStart(this.#host), head.valueEnd(this.#host))
    if (this.#host >= 0 && this.authority !== this.#checkedHost) {
      if (!isAuthority(this.authority)) return BAD_MESSAGE
      this.#checkedHost = this.authority
    }
    if (this.#codings > 0) {
      if (head.minor === 0 || this.#lengths > 0) return BAD_MESSAGE
      this.kind = BODY_CHUNKED
    } else this.kind = this.#lengths > 0 && this.lengthBytes > 0 ? BODY_LENGTH : BODY_NONE
    // what follows a CONNECT is a tunnel's, or nobody's
    if (this.kind !== BODY_NONE && head.isMethod('CONNECT')) return NOT_SERVED
    this.keepAlive = !this.#close && (head.minor === 1 || this.#persist)
    if (this.#expect >= 0 && (this.kind === BODY_NONE || head.minor === 0)) {
      // nothing to wait for, or nobody who knows what a 100 is: it must not reach the upstream in our HTTP/1.1 request
      this.expectContinue = false
      head.setId(this.#expect, DROPPED)
    }
    return DONE
  }

  /** Responses to a request with `method`. DONE, or any fault (the client then gets a 502). */
  readResponse(head: Head, method: string): Verdict {
    const verdict = this.#fields(head)
    if (verdict !== DONE) return verdict
    const { status } = head
    this.keepAlive = !this.#close && (head.minor === 1 || this.#persist)
    if (this.#codings > 0 && (this.#lengths > 0 || head.minor === 0)) return BAD_MESSAGE
    const connected = method === 'CONNECT' && status < 300
    if (connected || method === 'HEAD' || status < 200 || status === 204 || status === 304) this.kind = BODY_NONE
    else if (this.#codings > 0) this.kind = BODY_CHUNKED
    else if (this.#lengths > 0) this.kind = this.lengthBytes > 0 ? BODY_LENGTH : BODY_NONE
    else {
      this.kind = BODY_UNTIL_CLOSE
      this.keepAlive = false
    }
    return DONE
  }

  /** A Content-Length was there, also where no body follows (HEAD, 304). */
  get hasLength(): boolean {
    return this.#lengths > 0
  }

  #fields(head: Head): Verdict {
    this.kind = BODY_NONE
    this.lengthBytes = 0
    this.expectContinue = false
    this.acceptsTrailers = false
    this.maxForwards = -1
    this.nominated = NOBODY
    this.#expect = -1
    this.#host = -1
    this.#lengths = 0
    this.#codings = 0
    this.#hosts = 0
    this.#close = false
    this.#persist = false
    this.#upgradeToken = false
    this.#upgradeField = false
    let plain = true
    for (let i = 0; i < head.count; i++) {
      let verdict = DONE
      switch (head.id(i)) {
        case HOST:
          this.#hosts++
          this.#host = i
          break
        case CONTENT_LENGTH:
          verdict = this.#contentLength(head.bytes, head.valueStart(i), head.valueEnd(i))
          break
        case TRANSFER_ENCODING:
          this.#codings++
          if (!equalsIgnoreCase(head.bytes, head.valueStart(i), head.valueEnd(i), CHUNKED)) plain = false
          break
        case CONNECTION:
          verdict = this.#connection(head, i)
          break
        case UPGRADE:
          this.#upgradeField = true
          break
        case EXPECT:
          if (this.expectContinue || !equalsIgnoreCase(head.bytes, head.valueStart(i), head.valueEnd(i), CONTINUE))
            verdict = EXPECTATION_FAILED
          this.expectContinue = true
          this.#expect = i
          break
        case TE:
          if (listsTrailers(head, i)) this.acceptsTrailers = true
          break
        case MAX_FORWARDS:
          verdict = this.#maxForwards(head, i)
          break
        default:
      }
      if (verdict !== DONE) return verdict
    }
    if (!plain || this.#codings > 1) return refusedCoding(head)
    this.upgrade = this.#upgradeToken && this.#upgradeField && head.minor === 1
    return DONE
  }

  /** 1*DIGIT, once. Repeats are refused even when equal: somebody on the way may look at one and add up two. */
  #contentLength(buf: Uint8Array, start: number, end: number): Verdict {
    const value = readLength(buf, start, end)
    if (++this.#lengths > 1 || value < 0) return BAD_MESSAGE
    this.lengthBytes = value
    return DONE
  }

  #connection(head: Head, field: number): Verdict {
    const buf = head.bytes
    const end = head.valueEnd(field)
    let i = head.valueStart(field)
    while (i < end) {
      while (i < end && (buf[i] === SP || buf[i] === HTAB || buf[i] === COMMA)) i++
      const start = i
      while (i < end && TCHAR[buf[i]!] === 1) i++
      const stop = i
      while (i < end && (buf[i] === SP || buf[i] === HTAB)) i++
      if (i < end && buf[i] !== COMMA) return BAD_MESSAGE
      if (stop === start) continue
      if (equalsIgnoreCase(buf, start, stop, CLOSE)) this.#close = true
      else if (equalsIgnoreCase(buf, start, stop, KEEP_ALIVE)) this.#persist = true
      else if (equalsIgnoreCase(buf, start, stop, UPGRADE_TOKEN)) this.#upgradeToken = true
      else if (this.nominated.length === MAX_NOMINATED) return BAD_MESSAGE
      else this.#nominate(head, head.text(start, stop).toLowerCase())
    }
    return DONE
  }

  /**
   * Cold: hardly anybody names further fields. A sender may not have a field taken out that belongs to the whole path
   * or to us, so no name counts that we act upon ourselves.
   */
  #nominate(head: Head, name: string): void {
    this.nominated = [...this.nominated, name]
    if (name.startsWith(FORWARDED)) return
    const token = ascii(name)
    for (let i = 0; i < head.count; i++) {
      if (head.id(i) !== UNKNOWN) continue
      if (equalsIgnoreCase(head.bytes, head.nameStart(i), head.nameEnd(i), token)) head.setId(i, DROPPED)
    }
  }

  /** RFC 9110 section 7.6.2. Other methods may carry it, and it means nothing. */
  #maxForwards(head: Head, field: number): Verdict {
    if (!head.isMethod('OPTIONS') && !head.isMethod('TRACE')) return DONE
    const text = head.value(field)
    if (this.maxForwards >= 0 || text.length > MAX_HOPS_DIGITS || !/^\d+$/.test(text)) return BAD_MESSAGE
    this.maxForwards = Number(text)
    return DONE
  }
}

/** Anything but one `chunked`. Codings that we know but cannot undo, with chunked last, are 501; all else is 400. */
function refusedCoding(head: Head): Verdict {
  const list = (head.getByName('transfer-encoding') ?? '').toLowerCase().split(',')
  const codings = list.map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ''))
  return codings.pop() === 'chunked' && codings.length > 0 && codings.every((coding) => CODINGS.has(coding))
    ? UNKNOWN_CODING
    : BAD_MESSAGE
}

/** Counts a body off a connection, whatever its kind. */
export class BodyReader {
  /** After DONE: where the body ended in the last piece. */
  next = 0
  #kind: BodyKind = BODY_NONE
  #leftBytes = 0
  readonly #lenient: boolean
  /** Made with the first body that is chunked. */
  #chunked: ChunkedReader | null = null

  constructor(kind: 'request' | 'response') {
    this.#lenient = kind === 'response'
  }

  start(framing: Framing): void {
    this.#kind = framing.kind
    this.#leftBytes = framing.lengthBytes
    if (framing.kind !== BODY_CHUNKED) return
    this.#chunked ??= new ChunkedReader(this.#lenient)
    this.#chunked.reset(framing.nominated)
  }

  /** A tunnel: bytes until the end of the connection. */
  startRaw(): void {
    this.#kind = BODY_UNTIL_CLOSE
  }

  // hot
  read(buf: Buffer, at: number, end: number, sink: BodySink): Verdict {
    switch (this.#kind) {
      case BODY_LENGTH: {
        const stop = Math.min(end, at + this.#leftBytes)
        if (stop > at) sink.onBody(buf, at, stop)
        this.#leftBytes -= stop - at
        this.next = stop
        return this.#leftBytes === 0 ? DONE : MORE
      }
      case BODY_CHUNKED: {
        const chunked = this.#chunked!
        const verdict = chunked.read(buf, at, end, sink)
        this.next = chunked.next
        return verdict
      }
      case BODY_UNTIL_CLOSE:
        if (end > at) sink.onBody(buf, at, end)
        return MORE
      default:
        this.next = at
        return DONE
    }
  }
}
