/**
 * One HTTP/1.1 connection to an upstream: one exchange at a time, in order.
 * In: encoded requests from its handler. Out: response events to its handler. Owns: the socket, its readers and writer.
 *
 *   IDLE --start--> BUSY --request written and response read, both whole and clean--> IDLE (back to the pool)
 *   IDLE --any byte, end or error--> CLOSED        BUSY --anything unclean--> CLOSED     BUSY --101--> DETACHED
 *
 * Invariant: a connection is used again only if nobody can have an open question about where its messages end.
 */
import type { Socket } from 'node:net'
import { LastText } from '../codec/bytes.ts'
import type { BodySink } from '../codec/body.ts'
import { LAST_CHUNK } from '../codec/http1/encode.ts'
import { BODY_CHUNKED, BODY_NONE, BODY_UNTIL_CLOSE, type BodyKind } from '../codec/body.ts'
import { BodyReader, Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import { HeadReader } from '../codec/http1/head.ts'
import { nameId } from '../codec/names.ts'
import { DONE, MORE } from '../codec/verdict.ts'
import { localLabel } from './address.ts'
import type { ConnectFault, Link } from './dial.ts'
import { listenTo, ownBytes } from './input.ts'
import { Writer } from './writer.ts'

export type ResetFault = 'connection_termination' | 'protocol_error'
export type PoolFault = ConnectFault | 'overflow'

/** Who asks for an exchange. All calls come in this order; after onEnd, onReset or onPoolFailure no more. */
export interface UpstreamHandler extends BodySink {
  /** Of the request: says whether a response has a body, and whether a 101 was asked for. */
  readonly method: string
  readonly wantsUpgrade: boolean
  onReady(connection: Http1Connection): void
  onPoolFailure(fault: PoolFault, detail: string): void
  onInterim(head: Head): void
  onHead(head: Head, framing: Framing): void
  /** 101: the connection is detached; `rest` are the tunnel's first bytes. */
  onUpgrade(head: Head, rest: Buffer): void
  onEnd(): void
  onReset(fault: ResetFault, detail: string): void
  /** The socket takes bytes again after a write said no. */
  onUpstreamDrain(): void
  /** The events of one read are over: time to flush. */
  onReadEnd(): void
}

/** What a connection asks of its pool. */
export interface ConnectionOwner {
  onIdle(connection: Http1Connection): void
  onClosed(connection: Http1Connection): void
}

const IDLE = 0
const BUSY = 1
const CLOSED = 2
const DETACHED = 3

/** More interim responses than this before the final one keep a request busy for nothing. */
const MAX_INTERIM = 16
const KEEP_ALIVE = nameId('keep-alive')

export class Http1Connection {
  readonly link: Link
  readonly writer: Writer
  readonly localAddress: string
  /** It has served a request before: a reset may only mean that it was stale. */
  reused = false
  /** Not to be used again after this exchange: older certificate, endpoint gone. */
  retired = false
  idleSinceMs = 0
  /** What the server's `Keep-Alive: timeout` leaves; Infinity where it says nothing. */
  keepAliveMs = Infinity
  numRequests = 0
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #reader = new HeadReader('response')
  readonly #framing = new Framing()
  readonly #body = new BodyReader('response')
  #state = IDLE
  #handler: UpstreamHandler | null = null
  #headDone = false
  #requestDone = false
  #interims = 0
  readonly #hint = new LastText()
  #knownHint = ''
  readonly #events: readonly (readonly [string, (arg: unknown) => void])[] = [
    ['end', () => this.#onSocketEnd()],
    ['error', (error) => this.#onSocketGone((error as Error).message)],
    ['close', () => this.#onSocketGone('closed')],
    ['drain', () => this.#handler?.onUpstreamDrain()],
  ]

  constructor(link: Link, owner: ConnectionOwner) {
    this.link = link
    this.#owner = owner
    const { socket } = link
    this.#socket = socket
    this.writer = new Writer(socket)
    this.localAddress = localLabel(link.raw)
    for (const [event, handler] of this.#events) socket.on(event, handler)
    listenTo(link, this.#onBytes)
    if (link.raw !== socket) link.raw.on('error', () => {})
  }

  get isIdle(): boolean {
    return this.#state === IDLE
  }

  /** Begins an exchange; the handler writes its head next. */
  start(handler: UpstreamHandler): void {
    this.#state = BUSY
    this.#handler = handler
    this.#headDone = false
    this.#requestDone = false
    this.#interims = 0
    this.numRequests++
  }

  /** Body bytes, framed as the head said. */
  sendBody(kind: BodyKind, buf: Buffer, start: number, end: number): void {
    if (kind === BODY_CHUNKED) this.writer.chunk(buf, start, end)
    else this.writer.body(buf, start, end)
  }

  /** The whole request is with the writer. */
  sendEnd(kind: BodyKind): void {
    if (kind === BODY_CHUNKED) this.writer.text(LAST_CHUNK)
    this.#requestDone = true
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Gives the exchange up: what is on the wire can no longer be told apart, so the connection goes with it. */
  cancel(): void {
    this.#handler = null
    this.destroy()
  }

  destroy(): void {
    if (this.#state === CLOSED || this.#state === DETACHED) return
    this.#state = CLOSED
    this.#handler = null
    this.#owner.onClosed(this)
    this.#socket.destroy()
    this.link.raw.destroy()
  }

  // hot
  readonly #onBytes = (chunk: Buffer, end: number): void => {
    let at = 0
    if (this.#state !== BUSY) {
      this.destroy() // nobody asked: a late or forged answer must not become the next request's
      return
    }
    const handler = this.#handler!
    while (at < end && this.#state === BUSY) {
      if (this.#headDone) {
        const verdict = this.#body.read(chunk, at, end, handler)
        if (this.#state !== BUSY || this.#handler !== handler) return
        if (verdict === MORE) break
        if (verdict !== DONE) {
          this.#fail('protocol_error', 'http1.codec_error')
          return
        }
        at = this.#body.next
        this.#responseDone(at === end)
        return
      }
      const verdict = this.#reader.read(chunk, at, end)
      if (verdict === MORE) break
      const head = this.#reader.head
      if (verdict !== DONE || this.#framing.readResponse(head, handler.method) !== DONE) {
        this.#fail('protocol_error', 'http1.codec_error')
        return
      }
      at = this.#reader.next
      if (head.status === 101) {
        this.#upgrade(handler, head, chunk, at, end)
        return
      }
      if (head.status < 200) {
        if (++this.#interims > MAX_INTERIM) {
          this.#fail('protocol_error', 'too many interim responses')
          return
        }
        handler.onInterim(head)
        this.#reader.reset()
        continue
      }
      this.#headDone = true
      const hint = head.find(KEEP_ALIVE)
      if (hint >= 0) this.#onKeepAliveHint(this.#hint.read(head.bytes, head.valueStart(hint), head.valueEnd(hint)))
      this.#body.start(this.#framing)
      handler.onHead(head, this.#framing)
      if (this.#state !== BUSY || this.#handler !== handler) return
      if (this.#framing.kind === BODY_NONE) {
        this.#responseDone(at === end)
        return
      }
    }
    if (this.#handler === handler) handler.onReadEnd()
  }

  #upgrade(handler: UpstreamHandler, head: Head, chunk: Buffer, at: number, end: number): void {
    if (!handler.wantsUpgrade || !this.#framing.upgrade) {
      this.#fail('protocol_error', 'unsolicited 101')
      return
    }
    this.#state = DETACHED
    this.#handler = null
    this.#socket.pause()
    for (const [event, handler] of this.#events) this.#socket.off(event, handler)
    this.#socket.on('error', () => {}) // between two owners it must not end the process
    listenTo(this.link, null)
    this.#owner.onClosed(this)
    handler.onUpgrade(head, ownBytes(chunk, end).subarray(at))
  }

  #responseDone(clean: boolean): void {
    const handler = this.#handler!
    this.#handler = null
    const reusable = clean && this.#requestDone && this.#framing.keepAlive && !this.retired
    if (reusable) {
      this.#reader.reset()
      this.reused = true
      this.#state = IDLE
      this.#owner.onIdle(this)
    } else {
      this.destroy()
    }
    handler.onEnd()
  }

  /** Servers say the same each time. */
  #onKeepAliveHint(text: string): void {
    if (text === this.#knownHint) return
    this.#knownHint = text
    this.keepAliveMs = keepAliveMs(text)
  }

  #onSocketEnd(): void {
    const handler = this.#handler
    if (this.#state === BUSY && this.#headDone && this.#framing.kind === BODY_UNTIL_CLOSE && handler !== null) {
      this.#responseDone(false)
      return
    }
    this.#onSocketGone('closed')
  }

  #onSocketGone(detail: string): void {
    if (this.#state === CLOSED || this.#state === DETACHED) return
    if (this.#handler === null) this.destroy()
    else this.#fail('connection_termination', detail)
  }

  #fail(fault: ResetFault, detail: string): void {
    const handler = this.#handler
    this.#handler = null
    this.destroy()
    handler?.onReset(fault, detail)
  }
}

/** `timeout=5, max=100`: a second less than the server's, so that its FIN does not cross our request. */
function keepAliveMs(value: string): number {
  const match = /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(value)
  return match === null ? Infinity : Math.max(0, Number(match[1]) * 1000 - 1000)
}
