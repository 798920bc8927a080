/**
 * An accepted HTTP/1.1 connection: requests off it, responses onto it, strictly in order.
 * In: a socket, the first bytes read from it. Out: calls on its stream. Owns: the socket, its reader and writer.
 *
 *   HEAD --whole head--> BODY --its end--> WAIT (for the response) --response out--> HEAD
 *   HEAD, BODY --not well formed--> CLOSING      BODY --answered before its end, short--> DISCARD --its end--> HEAD
 *   WAIT --101--> DETACHED       any --socket gone--> CLOSED       CLOSING: what comes is thrown away for a second
 *
 * One request at a time: bytes of the next one (pipelining) are held and the socket is paused, so a client that sends
 * ahead costs one read buffer and cannot pile up answers.
 */
import type { Socket } from 'node:net'
import { TimerEntry } from '../../lib/timer-wheel.ts'
import { LastText } from '../codec/bytes.ts'
import type { BodySink } from '../codec/body.ts'
import { BODY_LENGTH, BODY_NONE } from '../codec/body.ts'
import { BodyReader, Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import { HeadReader } from '../codec/http1/head.ts'
import { parseTarget } from '../codec/http1/target.ts'
import { BAD_MESSAGE, DONE, MORE, type Verdict } from '../codec/verdict.ts'
import { REPLY, runHttpFilters } from '../filter/chain.ts'
import type { Http1Connection } from '../pool/http1.ts'
import { Writer } from '../pool/writer.ts'
import type { ConnectionInfo, HttpSettings } from '../stream/context.ts'
import { protocolReply } from '../stream/local-reply.ts'
import type { DownstreamPeer } from '../stream/downstream-peer.ts'
import { Stream } from '../stream/stream.ts'
import { resetSide, Tunnel } from '../stream/tunnel.ts'
import type { Connection, ConnectionOwner, ConnectHandler, Downlink } from './connection.ts'
import { InputGate } from './input-gate.ts'
import { Linger } from './linger.ts'
import { resolveTarget } from './request-target.ts'
import { ResponseWriter } from './response-writer.ts'

const HEAD = 0
const BODY = 1
const WAIT = 2
const DISCARD = 3
const CLOSING = 4
const CLOSED = 5
const DETACHED = 6

/** A request body that nobody wants is read to its end up to here, so that the connection can be kept. */
const MAX_DISCARD_BYTES = 64 * 1024
/** After its FIN a client may still read (`nc -N`), or be dead: a short answer still goes out. */
const HALF_CLOSED_MS = 1000

export class Downstream implements DownstreamPeer, BodySink, Connection {
  readonly #link: Downlink
  readonly #socket: Socket
  readonly #settings: HttpSettings
  readonly #owner: ConnectionOwner
  readonly #onConnect: ConnectHandler | null
  readonly #info: ConnectionInfo
  readonly #writer: Writer
  readonly #response: ResponseWriter
  readonly #reader: HeadReader
  readonly #framing = new Framing()
  readonly #method = new LastText()
  readonly #target = new LastText()
  readonly #body = new BodyReader('request')
  readonly #stream: Stream
  readonly #timer = new TimerEntry(() => this.#onTimer())
  #state = HEAD
  #keepAlive = true
  #draining = false
  readonly #gate: InputGate
  readonly #linger: Linger
  #headTimed = false
  /** `#process` is on the stack. */
  #reading = false
  #clientEnded = false
  #lastMs = 0
  #tunnel: Tunnel | null = null
  readonly #events: readonly (readonly [string, (arg: unknown) => void])[] = [
    ['data', (chunk) => this.#onData(chunk as Buffer)],
    ['end', () => this.#onClientEnd()],
    ['error', () => this.#onGone()],
    ['close', () => this.#onGone()],
    ['drain', () => this.#stream.onDownstreamDrain()],
  ]

  constructor(link: Downlink, settings: HttpSettings, owner: ConnectionOwner, onConnect: ConnectHandler | null) {
    this.#link = link
    this.#socket = link.socket
    this.#settings = settings
    this.#owner = owner
    this.#onConnect = onConnect
    this.#info = link.info
    this.#writer = new Writer(link.socket)
    this.#gate = new InputGate(link.socket)
    this.#linger = new Linger(link, settings.proxy.wheel)
    this.#response = new ResponseWriter(this.#writer, settings)
    this.#reader = new HeadReader('request', settings.maxHeadBytes)
    this.#stream = new Stream(this, settings, link.info)
    this.#lastMs = settings.proxy.nowMs()
    const { socket } = link
    for (const [event, handler] of this.#events) socket.on(event, handler)
    if (link.raw !== socket) link.raw.on('error', () => {})
    settings.proxy.wheel.schedule(this.#timer, settings.headersTimeoutMs)
  }

  /** Begins with what was read before the listener had decided. */
  start(head: Buffer | null): void {
    if (head !== null && head.length > 0) this.#onData(head)
    if (this.#state < CLOSED) this.#gate.open()
    if (this.#socket.readableEnded) this.#onClientEnd()
  }

  get isIdle(): boolean {
    return this.#state === HEAD && this.#reader.isIdle
  }

  /** No further request after the one under way. */
  drain(): void {
    this.#draining = true
    if (this.isIdle) this.#close()
  }

  /** Requests ask the rules one by one, a tunnel did it once. */
  recheck(): void {
    if (this.#tunnel === null || runHttpFilters(this.#settings.filters.list, this.#stream.x) !== REPLY) return
    this.#stream.x.connectionTerminationDetails = this.#stream.x.responseCodeDetails
    this.#tunnel.destroy()
  }

  destroy(): void {
    this.#tunnel?.destroy()
    resetSide(this.#link)
  }

  // ---- requests in

  #onData(chunk: Buffer): void {
    if (this.#state === CLOSING || this.#state === CLOSED) return
    if (this.#gate.holds) this.#gate.hold(chunk, 0)
    else this.#process(chunk, 0)
  }

  // hot
  #process(chunk: Buffer, from: number): void {
    const end = chunk.length
    let at = from
    this.#reading = true
    while (at < end) {
      if (this.#state === HEAD) {
        const verdict = this.#reader.read(chunk, at, end)
        if (verdict === MORE) {
          if (!this.#headTimed) this.#armHeadTimer()
          break
        }
        if (verdict !== DONE) {
          this.#refuse(verdict)
          break
        }
        at = this.#reader.next
        this.#onHead(chunk, at)
      } else if (this.#state === BODY || this.#state === DISCARD) {
        if (this.#state === BODY && !this.#stream.wantsBody) {
          this.#gate.hold(chunk, at)
          break
        }
        const verdict = this.#body.read(chunk, at, end, this)
        if (verdict === MORE) break
        if (verdict !== DONE) {
          this.#refuseBody(verdict)
          break
        }
        at = this.#body.next
        if (this.#state === DISCARD) this.#next()
        else {
          this.#state = WAIT
          this.#stream.onRequestEnd()
        }
      } else if (this.#state === WAIT) {
        this.#gate.hold(chunk, at)
        break
      } else break
    }
    this.#reading = false
    if (this.#stream.isActive) this.#stream.onRequestReadEnd()
  }

  #onHead(chunk: Buffer, at: number): void {
    const { head } = this.#reader
    const verdict = this.#framing.readRequest(head)
    // the idle deadline stays armed: it looks at the connection's state, and arming it anew each time costs
    if (this.#headTimed) this.#settings.proxy.wheel.cancel(this.#timer)
    if (verdict !== DONE) {
      this.#refuse(verdict)
      return
    }
    const { x } = this.#stream
    x.reset()
    x.method = this.#method.read(head.bytes, head.methodStart, head.methodEnd)
    x.httpVersion = head.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1'
    x.authority = this.#framing.authority
    if (x.method === 'CONNECT' || x.method === 'TRACE') {
      this.#onSpecialMethod(head, chunk, at)
      return
    }
    if (!resolveTarget(x, this.#target.read(head.bytes, head.targetStart, head.targetEnd), this.#info)) {
      this.#refuse(BAD_MESSAGE)
      return
    }
    this.#keepAlive = this.#framing.keepAlive && !this.#draining
    this.#response.begin(head.minor)
    this.#state = this.#framing.kind === BODY_NONE ? WAIT : BODY
    if (this.#state === BODY) this.#body.start(this.#framing)
    this.#stream.begin(head, this.#framing)
  }

  /** TRACE would show a caller the headers that proxies added; CONNECT is only for the forward proxy's port. */
  #onSpecialMethod(head: Head, chunk: Buffer, at: number): void {
    const authority = head.text(head.targetStart, head.targetEnd)
    const form = this.#stream.x.method === 'CONNECT' ? parseTarget('CONNECT', authority) : undefined
    if (this.#stream.x.method === 'CONNECT' && form === undefined) this.#refuse(BAD_MESSAGE)
    else if (form === undefined || this.#onConnect === null) this.#refuse(405)
    else {
      this.#detach()
      this.#owner.onClosed(this)
      this.#onConnect(authority, this.#link, chunk.subarray(at), (status) => {
        this.#socket.end(protocolReply(status), 'latin1')
      })
    }
  }

  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#state === BODY) this.#stream.onRequestBody(buf, start, end)
  }

  pauseRequest(): void {
    this.#gate.block()
  }

  resumeRequest(): void {
    this.#gate.unblock()
    if (this.#reading) return
    const held = this.#gate.take()
    if (held !== null) this.#process(held, 0)
    else if (this.#stream.isActive) this.#stream.onRequestReadEnd()
    if (this.#state < CLOSED) this.#gate.update() // detached: somebody else reads it now
    if (held !== null && this.#clientEnded) this.#onClientEnd()
  }

  // ---- responses out

  sendInterim(head: Head): void {
    this.#response.interim(head)
  }

  sendHead(head: Head, framing: Framing, serviceMs: number): void {
    if (this.#state === BODY) this.#keepAlive = false // answered early: the rest of the body cannot be told apart
    this.#keepAlive = this.#response.head(head, framing, serviceMs, this.#keepAlive && !this.#draining)
  }

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    this.#response.body(buf, start, end)
  }

  sendEnd(): void {
    this.#response.end()
  }

  sendLocal(status: number, body: string, lines: string): void {
    if (this.#state === BODY) {
      const short = this.#framing.kind === BODY_LENGTH && this.#framing.lengthBytes <= MAX_DISCARD_BYTES
      if (short && !this.#framing.expectContinue) this.#state = DISCARD
      else this.#keepAlive = false
    }
    const isHead = this.#stream.method === 'HEAD'
    this.#response.local(status, body, lines, isHead, this.#keepAlive && !this.#draining)
  }

  flush(): boolean {
    return this.#writer.flush()
  }

  /** Chunks without the last one, or too few bytes, show by themselves; only a body without a frame needs a reset. */
  abort(): void {
    if (this.#response.isFramed) {
      this.#close()
      return
    }
    this.#writer.flush()
    this.#state = CLOSED
    this.#settings.proxy.wheel.cancel(this.#timer)
    resetSide(this.#link)
    this.#owner.onClosed(this)
  }

  exchangeDone(): void {
    if (this.#state >= CLOSING) return
    this.#gate.unblock()
    if (!this.#keepAlive || this.#draining || (this.#clientEnded && !this.#gate.holds)) {
      this.#close()
      return
    }
    if (this.#state === WAIT) this.#next()
    if (!this.#reading) this.resumeRequest()
  }

  switchProtocols(head: Head, upstream: Http1Connection, rest: Buffer): void {
    const { proxy, idleTimeoutMs } = this.#settings
    this.#response.switching(head)
    this.#writer.flush()
    const held = this.#gate.take()
    this.#detach()
    const tunnel = new Tunnel(this.#link, upstream.link, proxy, idleTimeoutMs, () => {
      this.#stream.onTunnelEnd(tunnel.bytesFromDownstream, tunnel.bytesFromUpstream)
      this.#owner.onClosed(this)
    })
    this.#tunnel = tunnel
    tunnel.start(held, rest)
  }

  // ---- ends

  #next(): void {
    this.#state = HEAD
    this.#headTimed = false
    this.#reader.reset()
    this.#lastMs = this.#stream.x.startMs + this.#stream.x.durationMs
    if (!this.#timer.armed) this.#settings.proxy.wheel.schedule(this.#timer, this.#settings.idleTimeoutMs)
  }

  #refuse(status: Verdict): void {
    this.#writer.text(protocolReply(status))
    this.#close()
  }

  #refuseBody(status: Verdict): void {
    const answered = this.#stream.isActive && this.#stream.x.responseCode !== 0
    this.#stream.onRequestError(status)
    if (answered) this.abort()
    else this.#refuse(status)
  }

  /** Half-closes after what was written, and reads on for a moment: a reset would eat the answer. */
  #close(): void {
    this.#writer.flush()
    this.#state = CLOSING
    this.#gate.take()
    this.#gate.unblock()
    this.#gate.update()
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#linger.start()
  }

  #detach(): void {
    this.#state = DETACHED
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#socket.pause()
    this.#gate.take()
    for (const [event, handler] of this.#events) this.#socket.off(event, handler)
    this.#socket.on('error', () => {}) // between two owners it must not end the process
  }

  /** Once per head: a deadline that each byte pushes back is none. */
  #armHeadTimer(): void {
    this.#headTimed = true
    this.#settings.proxy.wheel.schedule(this.#timer, this.#settings.headersTimeoutMs)
  }

  #onTimer(): void {
    const { proxy, idleTimeoutMs } = this.#settings
    if (this.#clientEnded && !this.#gate.holds) {
      this.#stream.onDownstreamGone()
      this.destroy()
    } else if (this.#state === HEAD && !this.#reader.isIdle) this.#refuse(408)
    else if (this.#state === HEAD) {
      const leftMs = idleTimeoutMs - (proxy.nowMs() - this.#lastMs)
      if (leftMs > 0) proxy.wheel.schedule(this.#timer, leftMs)
      else this.#close()
    }
  }

  /** Node tells the end of a paused socket too, so bytes may still be held that came before it. */
  #onClientEnd(): void {
    this.#clientEnded = true
    if (this.#gate.holds) return
    switch (this.#state) {
      case HEAD:
        if (this.#reader.isIdle) this.#close()
        else this.#refuse(408)
        break
      case BODY:
        this.#stream.onDownstreamGone()
        this.destroy()
        break
      case WAIT:
        this.#settings.proxy.wheel.schedule(this.#timer, HALF_CLOSED_MS)
        break
      case DISCARD:
        this.#close()
        break
      default: // CLOSING: both sides have ended, the socket closes when all is written
    }
  }

  #onGone(): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#settings.proxy.wheel.cancel(this.#timer)
    this.#linger.cancel()
    this.#stream.onDownstreamGone()
    this.#socket.destroy()
    this.#link.raw.destroy()
    this.#owner.onClosed(this)
  }
}
