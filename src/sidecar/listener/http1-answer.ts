/**
 * The half of an HTTP/1.1 connection that answers: what a stream sends, and what becomes of the connection afterwards.
 * In: a stream's calls. Out: bytes; to the connection, when it is to read on, to close, or to break off.
 * Owns: the writer, whether the connection is kept, the watch on a client that reads nothing.
 */
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import { BODY_LENGTH, type BodyFraming } from '../codec/body.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import type { Framing } from '../codec/http1/framing.ts'
import { TIMED_OUT } from '../codec/verdict.ts'
import type { HttpSettings } from '../stream/context.ts'
import type { DownstreamPeer } from '../stream/downstream-peer.ts'
import { protocolReply } from '../stream/local-reply.ts'
import type { Stream } from '../stream/stream.ts'
import type { Transport } from '../transport/transport.ts'
import { Writer } from '../transport/writer.ts'
import { BODY, DISCARD, type Http1Input, WAIT } from './http1-input.ts'
import { ResponseWriter } from './response-writer.ts'
import { StallGuard } from './stall.ts'

/** What it asks of its connection. */
export interface AnswerOwner {
  pauseRequest(): void
  resumeRequest(): void
  exchangeDone(): void
  /** A tunnel stands. */
  onTunnel(): void
  /** Everything is said. */
  close(): void
  /** The end must look like none. */
  breakOff(): void
}

/** A request body that nobody wants is read to its end up to here, so that the connection can be kept. */
const MAX_DISCARD_BYTES = 64 * 1024

export class Http1Answer implements DownstreamPeer {
  /** After this exchange the connection takes another request. */
  keepAlive = true
  readonly #transport: Transport
  readonly #input: Http1Input
  readonly #framing: Framing
  readonly #owner: AnswerOwner
  readonly #writer: Writer
  readonly #response: ResponseWriter
  readonly #wheel: TimerWheel
  /** Made for the first client that does not keep up. */
  #stall: StallGuard | null = null
  #stream: Stream | null = null

  constructor(transport: Transport, input: Http1Input, framing: Framing, settings: HttpSettings, owner: AnswerOwner) {
    this.#transport = transport
    this.#input = input
    this.#framing = framing
    this.#owner = owner
    this.#writer = new Writer(transport)
    this.#response = new ResponseWriter(this.#writer, settings)
    this.#wheel = settings.proxy.wheel
  }

  /** Written and not yet given to the transport. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  /** Whose answers it gives. */
  attach(stream: Stream): void {
    this.#stream = stream
  }

  /** A request of HTTP/1.`minor` has come. */
  begin(minor: number, keepAlive: boolean): void {
    this.keepAlive = keepAlive
    this.#response.begin(minor, this.#framing.acceptsTrailers)
  }

  /** The client can tell where the body under way should end. */
  /** False: too much of what was answered is not taken yet, and the transport's `onDrain` follows, or the end. */
  hasRoom(): boolean {
    if (this.#transport.takesMore) return true
    this.#watch()
    return false
  }

  /** To what was no request. */
  refuse(status: number): void {
    this.#writer.text(protocolReply(status))
  }

  stop(): void {
    this.#stall?.stop()
  }

  // ---- for the stream

  pauseRequest(): void {
    this.#owner.pauseRequest()
  }
  resumeRequest(): void {
    this.#owner.resumeRequest()
  }
  exchangeDone(): void {
    this.#owner.exchangeDone()
  }

  sendInterim(head: Head): void {
    this.#response.interim(head)
  }

  sendHead(head: Head, framing: BodyFraming, serviceMs: number): void {
    const { upgrade, method } = this.#stream!
    if (upgrade !== '') this.#input.state = WAIT // it is not to be: HTTP goes on
    else if (this.#input.state === BODY) this.keepAlive = false // answered early: the rest of the body cannot be told apart
    this.keepAlive = this.#response.head(head, framing, serviceMs, method === 'HEAD', this.keepAlive)
  }

  sendTunnel(head: Head, protocol: string): void {
    this.keepAlive = false
    this.#response.switching(head, protocol, this.#stream!.x.upstreamServiceMs)
    this.#owner.onTunnel()
  }

  // hot
  sendBody(buf: Buffer, start: number, end: number): void {
    this.#response.body(buf, start, end)
  }

  sendTrailers(head: Head): void {
    this.#response.trailers(head)
  }

  sendEnd(): void {
    this.#response.end()
    if (!this.#stream!.isTunnel) return
    this.#writer.flush()
    this.#transport.end()
  }

  sendLocal(status: number, body: string, fields: readonly OwnField[]): void {
    const { upgrade, method } = this.#stream!
    if (upgrade !== '') this.#input.state = WAIT
    if (this.#input.state === BODY) {
      const { kind, lengthBytes, expectContinue } = this.#framing
      const short = kind === BODY_LENGTH && lengthBytes <= MAX_DISCARD_BYTES
      if (short && !expectContinue && status !== TIMED_OUT) this.#input.state = DISCARD
      else this.keepAlive = false
    }
    this.#response.local(status, body, fields, method === 'HEAD', this.keepAlive)
  }

  // hot
  flush(): boolean {
    const takesMore = this.#writer.flush()
    if (!takesMore && this.#stream?.isTunnel === false) this.#watch()
    return takesMore
  }

  #watch(): void {
    const transport = this.#transport
    this.#stall ??= new StallGuard(
      this.#wheel,
      () => transport.bufferedBytes > 0,
      () => transport.takenBytes,
      () => this.#onStall(),
    )
    this.#stall.watch()
  }

  #onStall(): void {
    if (this.#stream!.isActive) this.#stream!.onPeerStalled('stalled')
    else this.#owner.breakOff()
  }

  /** Chunks without the last one, or too few bytes, show by themselves; only a body without a frame needs a reset. */
  abort(): void {
    if (this.#response.isFramed) this.#owner.close()
    else this.#owner.breakOff()
  }
}
