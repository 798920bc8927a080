/**
 * One HTTP/1.1 connection to an upstream: one exchange at a time, in order.
 * In: encoded requests from its handler. Out: response events to its handler. Owns: the socket, its readers and writer.
 *
 *   IDLE --start--> BUSY --request written and response read, both whole and clean--> IDLE (back to the pool)
 *   IDLE --any byte, end or error--> CLOSED        BUSY --anything unclean--> CLOSED     BUSY --101--> TUNNEL
 *
 * Invariant: a connection is used again only if nobody can have an open question about where its messages end.
 */
import { BODY_CHUNKED, BODY_NONE, BODY_UNTIL_CLOSE, type BodyFraming } from '../codec/body.ts'
import { LastText } from '../codec/bytes.ts'
import { fieldsOf, type Head, sizeOf } from '../codec/head.ts'
import { encodeTrailers, Http1HeadEncoder, LAST_CHUNK } from '../codec/http1/encode.ts'
import { BodyReader, Framing } from '../codec/http1/framing.ts'
import { HeadReader } from '../codec/http1/head.ts'
import { nameId } from '../codec/names.ts'
import type { UpstreamProtocol } from '../codec/protocol.ts'
import { DONE, MORE, type Verdict } from '../codec/verdict.ts'
import type { Life, LifeHandler } from '../transport/life.ts'
import { openTransport } from '../transport/open.ts'
import { wasReset } from '../transport/reset.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { Writer } from '../transport/writer.ts'
import { localLabel } from './address.ts'
import type { Link } from './dial.ts'
import { MAX_INTERIM_BYTES } from './interim.ts'
import type { ResetFault, UpstreamExchange, UpstreamHandler } from './upstream.ts'

/** What a connection asks of its pool. */
export interface Http1Owner {
  onIdle(connection: Http1Connection): void
  onClosed(connection: Http1Connection): void
}

const IDLE = 0
const BUSY = 1
const CLOSED = 2
const TUNNEL = 3

/** More interim responses than this before the final one, or larger ones, keep a request busy for nothing. */
const MAX_INTERIM = 16
const KEEP_ALIVE = nameId('keep-alive')
const UPGRADE = nameId('upgrade')

export class Http1Connection implements UpstreamExchange, TransportHandler, LifeHandler {
  readonly link: Link
  readonly peerId: string
  readonly localAddress: string
  readonly encoder: Http1HeadEncoder
  reused = false
  readonly canRefuse = false
  /** Not to be used again after this exchange: older certificate, endpoint gone. */
  retired = false
  idleSinceMs = 0
  /** What the server's `Keep-Alive: timeout` leaves; Infinity where it says nothing. */
  keepAliveMs = Infinity
  numRequests = 0
  life: Life | null = null
  readonly #owner: Http1Owner
  readonly #transport: Transport
  readonly #writer: Writer
  readonly #reader: HeadReader
  readonly #framing = new Framing()
  readonly #body = new BodyReader('response')
  #state = IDLE
  #handler: UpstreamHandler | null = null
  #chunked = false
  #headDone = false
  #requestDone = false
  /** Of a tunnel. */
  #responseEnded = false
  #interims = 0
  #interimBytes = 0
  readonly #takesTrailers: boolean
  #trailersSent = false
  /** Of the request that the last head answered. */
  #knownMethod = ''
  readonly #hint = new LastText()
  #knownHint = ''

  constructor(link: Link, owner: Http1Owner, { http1, common, bufferLimitBytes }: UpstreamProtocol) {
    this.link = link
    this.#reader = new HeadReader('response', { maxFields: fieldsOf(common.maxHeaders, link.peerId) })
    this.#takesTrailers = http1.enableTrailers
    this.peerId = link.peerId
    this.#owner = owner
    this.#transport = openTransport(link, bufferLimitBytes)
    this.#writer = new Writer(this.#transport)
    this.encoder = new Http1HeadEncoder(this.#writer)
    this.localAddress = localLabel(link.raw)
    this.#transport.attach(this)
    this.#transport.resume()
  }

  get isIdle(): boolean {
    return this.#state === IDLE
  }

  /** Bytes that wait in it. */
  get bufferedBytes(): number {
    return this.#transport.bufferedBytes + this.#writer.pendingBytes
  }

  // ---- requests out

  /** Begins an exchange; the handler writes its head next. */
  start(handler: UpstreamHandler): void {
    this.#state = BUSY
    this.#handler = handler
    this.#headDone = false
    this.#requestDone = false
    this.#interims = 0
    this.#interimBytes = 0
    this.#trailersSent = false
    this.numRequests++
  }

  beginRequest({ kind }: BodyFraming): void {
    this.#chunked = kind === BODY_CHUNKED
  }

  sendBody(buf: Buffer, start: number, end: number): void {
    if (this.#chunked) this.#writer.chunk(buf, start, end)
    else this.#writer.body(buf, start, end)
  }

  /** Only where the configuration says that this server wants them (RFC 9110 section 6.5.1). */
  sendTrailers(head: Head): void {
    if (!this.#takesTrailers || !this.#chunked) return
    encodeTrailers(this.#writer, head)
    this.#trailersSent = true
  }

  sendEnd(): void {
    if (this.#state === TUNNEL) {
      this.#writer.flush()
      this.#transport.end()
      if (this.#responseEnded) this.#release()
    } else if (this.#chunked && !this.#trailersSent) this.#writer.text(LAST_CHUNK)
    this.#requestDone = true
  }

  flush(): boolean {
    return this.#writer.flush()
  }
  pause(): void {
    this.#transport.pause()
  }
  resume(): void {
    this.#transport.resume()
  }

  /** What is on the wire can no longer be told apart, so the connection goes with it. */
  cancel(): void {
    const wasTunnel = this.#state === TUNNEL
    this.#handler = null
    this.#close()
    if (wasTunnel) this.#transport.reset()
    else this.#transport.destroy()
  }

  destroy(): void {
    this.#close()
    this.#transport.destroy()
  }

  #close(): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#handler = null
    this.life?.cancel()
    this.#owner.onClosed(this)
  }

  // ---- responses in

  // hot
  onBytes(chunk: Buffer, end: number): void {
    const handler = this.#handler
    if (this.#state === IDLE || handler === null) {
      this.destroy() // nobody asked: a late or forged answer must not become the next request's
      return
    }
    this.reused = false // it was not stale
    let at = 0
    while (at < end && (this.#state === BUSY || this.#state === TUNNEL)) {
      if (this.#headDone) {
        const verdict = this.#body.read(chunk, at, end, handler)
        if (this.#handler !== handler) return
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
      if (verdict !== DONE || this.#readFraming(head, handler.method) !== DONE) {
        this.#fail('protocol_error', 'http1.codec_error')
        return
      }
      at = this.#reader.next
      if (head.status === 101) {
        if (!this.#tunnel(handler, head)) return
      } else if (head.status < 200) {
        this.#interimBytes += sizeOf(head)
        if (++this.#interims > MAX_INTERIM || this.#interimBytes > MAX_INTERIM_BYTES) {
          this.#fail('protocol_error', 'too many interim responses')
          return
        }
        handler.onInterim(head)
        this.#reader.reset()
      } else if (!this.#onFinalHead(handler, head, at === end)) return
    }
    if (this.#handler === handler) handler.onReadEnd()
  }

  /** Of the same head to the same method it is the same. */
  #readFraming(head: Head, method: string): Verdict {
    if (this.#reader.repeats && method === this.#knownMethod) return DONE
    this.#knownMethod = ''
    const verdict = this.#framing.readResponse(head, method)
    if (verdict !== DONE) return verdict
    this.#knownMethod = method
    this.#reader.pin()
    return DONE
  }

  /** False: the exchange is over, or not this one's any more. */
  #onFinalHead(handler: UpstreamHandler, head: Head, clean: boolean): boolean {
    this.#headDone = true
    const hint = head.find(KEEP_ALIVE)
    if (hint >= 0) this.#onKeepAliveHint(this.#hint.read(head.bytes, head.valueStart(hint), head.valueEnd(hint)))
    this.#body.start(this.#framing)
    handler.onHead(head, this.#framing)
    if (this.#state !== BUSY || this.#handler !== handler) return false
    if (this.#framing.kind !== BODY_NONE) return true
    this.#responseDone(clean)
    return false
  }

  /** 101: what was asked for is granted, and what follows is nobody's HTTP. */
  #tunnel(handler: UpstreamHandler, head: Head): boolean {
    if (handler.upgrade === '' || !this.#framing.upgrade || head.get(UPGRADE).toLowerCase() !== handler.upgrade) {
      this.#fail('protocol_error', 'unsolicited 101')
      return false
    }
    this.#state = TUNNEL
    this.#headDone = true
    this.#chunked = false
    this.#body.startRaw()
    handler.onTunnel(head)
    return this.#handler === handler
  }

  #responseDone(clean: boolean): void {
    const handler = this.#handler!
    this.#handler = null
    const isWritten = this.#requestDone && this.bufferedBytes === 0
    const reusable = clean && isWritten && this.#framing.keepAlive && !this.retired
    if (reusable) {
      this.#reader.reset()
      this.reused = true
      this.#state = IDLE
      this.#transport.resume() // TLS tells all that it has read, also to who has paused it meanwhile
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

  // ---- the connection

  onAged(): void {
    if (this.isIdle) this.destroy()
    else this.retired = true
  }

  onExpired(): void {
    this.onClose('peer certificate expired')
  }

  /** A tunnel that has ended both ways closes by itself. */
  #release(): void {
    this.#handler = null
    this.#close()
  }

  onDrain(): void {
    this.#handler?.onUpstreamDrain()
  }

  onEnd(): void {
    const handler = this.#handler
    if (wasReset(this.#transport)) this.onClose('closed')
    else if (this.#state === TUNNEL && handler !== null) {
      this.#responseEnded = true
      if (this.#requestDone) this.#release()
      handler.onEnd()
    } else if (this.#state === BUSY && this.#headDone && this.#framing.kind === BODY_UNTIL_CLOSE)
      this.#responseDone(false)
    else this.onClose('closed')
  }

  onClose(detail: string): void {
    if (this.#state === CLOSED) return
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
