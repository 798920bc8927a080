/**
 * HEADERS, CONTINUATION and DATA of the peer, RFC 9113 sections 6.1, 6.2, 6.10 and 8.1: heads, bodies, trailers, ends.
 * In: checked frames. Out: events at the streams' owners. Owns the decoder, and the pieces of a header block.
 *
 * A block is decoded whatever becomes of its stream: both sides' tables must stay in step.
 */
import { Head } from '../head.ts'
import { giveSlab } from '../slabs.ts'
import { COMPRESSION_FAULT, DONE, EXPECTATION_FAILED, HEADERS_TOO_LARGE, type Verdict } from '../verdict.ts'
import { NOT_KNOWN, OWN_RESET, PEER_DONE } from './closed-streams.ts'
import type { Core } from './core.ts'
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from './errors.ts'
import { END_HEADERS, END_STREAM, HAS_PRIORITY, PADDED } from './frame.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { agrees, readRequest, readResponse } from './message.ts'
import { CONNECT_REQUEST, FREE, LINGERING, NOBODY, OPEN, type Http2Stream } from './stream.ts'

const PRIORITY_BYTES = 5
/** Encoded blocks over this are not even decoded: literals are never longer than what they stand for by so much. */
const BLOCK_FACTOR = 4
const EMPTY = Buffer.alloc(0)
/** Envoy's words for why a request is refused. */
const INVALID_FIELD = 'http2.invalid.header.field'
export const INVALID_MESSAGE = 'http2.violation.of.messaging.rule'
const TOO_LARGE = 'http2.too_many_headers'

export class MessageReader {
  /** The stream whose header block goes on in CONTINUATION; 0: none. */
  blockStreamId = 0
  readonly #core: Core
  readonly #decoder: HpackDecoder
  readonly #discard = new Head()
  #block: Buffer = EMPTY
  #blockBytes = 0
  #blockEnds = false
  #continuations = 0
  /** Whom the DATA under way is for; null: to be counted and thrown away. */
  #stream: Http2Stream | null = null
  #generation = 0
  #dataFrameBytes = 0
  #dataEnds = false

  constructor(core: Core) {
    this.#core = core
    this.#decoder = new HpackDecoder(core.limits.headerTableBytes, core.limits.maxFields)
  }

  // ---- header blocks

  onHeaders(id: number, flags: number, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    let at = start
    let stop = end
    if ((flags & PADDED) !== 0) {
      if (at === stop) return core.fatal(FRAME_SIZE_ERROR, 'HEADERS without its pad length')
      stop -= buf[at++]!
    }
    if ((flags & HAS_PRIORITY) !== 0) {
      if (end - at < PRIORITY_BYTES) return core.fatal(FRAME_SIZE_ERROR, 'HEADERS without its priority')
      at += PRIORITY_BYTES
    }
    if (stop < at) return core.fatal(PROTOCOL_ERROR, 'padding over the payload')
    const ends = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) return this.#onBlock(id, ends, buf, at, stop)
    if (at === stop && !core.abuse.emptyFrame()) return core.fatal(ENHANCE_YOUR_CALM, 'too many empty frames')
    this.blockStreamId = id
    this.#blockEnds = ends
    this.#blockBytes = 0
    this.#continuations = 0
    return this.#append(buf, at, stop)
  }

  onContinuation(flags: number, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    if (++this.#continuations > core.abuse.budgets.maxContinuations)
      return core.fatal(ENHANCE_YOUR_CALM, 'too many CONTINUATION frames')
    this.#append(buf, start, end)
    if (core.dead || (flags & END_HEADERS) === 0) return undefined
    const id = this.blockStreamId
    const block = this.#block
    this.blockStreamId = 0
    this.#block = EMPTY
    return this.#onBlock(id, this.#blockEnds, block, 0, this.#blockBytes)
  }

  #append(buf: Buffer, start: number, end: number): void {
    const bytes = this.#blockBytes + end - start
    if (bytes > this.#core.limits.maxHeaderListBytes * BLOCK_FACTOR) {
      this.#core.fatal(ENHANCE_YOUR_CALM, 'header block too large')
      return
    }
    if (bytes > this.#block.length) {
      const larger = Buffer.allocUnsafe(bytes * 2)
      this.#block.copy(larger, 0, 0, this.#blockBytes)
      this.#block = larger
    }
    buf.copy(this.#block, this.#blockBytes, start, end)
    this.#blockBytes = bytes
  }

  #onBlock(id: number, ends: boolean, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    const stream = core.streams.get(id)
    if (stream !== undefined) return this.#onStreamBlock(stream, ends, buf, start, end)
    if (core.isServer && id > core.lastPeerId && (id & 1) === 1) return this.#onNewStream(id, ends, buf, start, end)
    if (core.isIdleId(id)) return core.fatal(PROTOCOL_ERROR, 'HEADERS on an idle stream')
    const ending = core.closed.find(id)
    if (ending === PEER_DONE) return core.fatal(STREAM_CLOSED, 'HEADERS on a closed stream')
    if (ending === NOT_KNOWN && core.isServer) return core.fatal(PROTOCOL_ERROR, 'stream id out of order')
    this.#decode(buf, start, end, this.#discard, core.isServer ? 'trailers' : 'response')
    if (core.dead || !core.isServer) return undefined
    // of a request only trailers can be under way, once
    if (ends) core.closed.add(id, PEER_DONE)
    else if (!core.abuse.emptyFrame()) core.fatal(ENHANCE_YOUR_CALM, 'too many header blocks on a closed stream')
    return undefined
  }

  /** DONE or a stream's fault; a connection's fault ends it here. */
  #decode(buf: Buffer, start: number, end: number, head: Head, kind: 'request' | 'response' | 'trailers'): Verdict {
    const verdict = this.#decoder.decode(buf, start, end, head, kind, this.#core.limits.maxHeaderListBytes)
    if (verdict === COMPRESSION_FAULT) this.#core.fatal(COMPRESSION_ERROR, 'header block cannot be decoded')
    return verdict
  }

  // hot
  #onNewStream(id: number, ends: boolean, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    const { limits, handler } = core
    core.lastPeerId = id
    const room = core.numStreams < limits.maxConcurrentStreams && core.streams.size < limits.maxConcurrentStreams * 2
    if (id > core.lastAcceptedId || !room) {
      this.#decode(buf, start, end, this.#discard, 'request')
      if (!core.dead) core.refuse(id, REFUSED_STREAM)
      return
    }
    const stream = core.acquire(NOBODY)
    let verdict = this.#decode(buf, start, end, stream.head, 'request')
    if (core.dead) {
      core.abandon(stream, PEER_DONE, NO_ERROR, false, false)
      return
    }
    let details = INVALID_FIELD
    if (verdict === DONE) {
      verdict = readRequest(stream, ends, limits.enableConnectProtocol)
      details = INVALID_MESSAGE
    }
    core.register(stream, id)
    stream.headSeen = true
    if (verdict !== DONE) {
      stream.remoteEnded = ends
      handler.onRefused(verdict, verdict === HEADERS_TOO_LARGE ? TOO_LARGE : details)
      this.#refuseMessage(stream, verdict)
      return
    }
    const { generation } = stream
    const owner = handler.onRequest(stream)
    if (stream.generation !== generation) return
    stream.owner = owner
    this.#tellHead(stream, ends)
    if (core.output.pending > core.maxUnsentBytes) core.onEnough()
  }

  #onStreamBlock(stream: Http2Stream, ends: boolean, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    if (stream.headSeen) {
      const trailers = (stream.trailers ??= new Head())
      const verdict = this.#decode(buf, start, end, stream.remoteEnded ? this.#discard : trailers, 'trailers')
      if (core.dead) return undefined
      if (stream.remoteEnded) return core.streamFault(stream, STREAM_CLOSED)
      if (verdict === HEADERS_TOO_LARGE) return core.streamFault(stream, ENHANCE_YOUR_CALM)
      if (verdict !== DONE || !ends || stream.requestKind === CONNECT_REQUEST || !agrees(stream, 0, true))
        return core.messageFault(stream)
      stream.trailersHeld = true
      return this.#onEnd(stream)
    }
    let verdict = this.#decode(buf, start, end, stream.head, 'response')
    if (core.dead) return undefined
    const { status } = stream.head
    if (verdict === DONE && status < 200) {
      if (ends || status === 101) return core.messageFault(stream)
      if (++stream.numInterims > core.abuse.budgets.maxInterimResponses)
        return core.streamFault(stream, ENHANCE_YOUR_CALM)
      stream.owner.onHead(stream, stream.head, stream.framing)
      return undefined
    }
    if (verdict === DONE) verdict = readResponse(stream, ends)
    if (verdict === HEADERS_TOO_LARGE) return core.streamFault(stream, ENHANCE_YOUR_CALM)
    if (verdict !== DONE) return core.messageFault(stream)
    stream.headSeen = true
    return this.#tellHead(stream, ends)
  }

  #tellHead(stream: Http2Stream, ends: boolean): void {
    const { generation } = stream
    stream.owner.onHead(stream, stream.head, stream.framing)
    if (ends && stream.generation === generation && stream.state === OPEN) this.#onEnd(stream)
  }

  /** A request that nobody will see: malformed ones are reset, the others have a status. */
  #refuseMessage(stream: Http2Stream, verdict: Verdict): void {
    const core = this.#core
    if (verdict !== HEADERS_TOO_LARGE && verdict !== EXPECTATION_FAILED) {
      core.messageFault(stream)
      return
    }
    core.sender.beginHead(stream)
    stream.encoder.status(verdict)
    const { id, remoteEnded } = stream
    stream.endDelivered = remoteEnded
    core.sender.endHead(stream, true)
    if (!remoteEnded) core.streamFault(stream, NO_ERROR)
    else if (!core.abuse.ownReset()) core.fatal(ENHANCE_YOUR_CALM, `too many faulty streams, last ${id}`)
  }

  // ---- DATA

  /** A frame begins. False: its bytes are not wanted. */
  // hot
  beginData(id: number, flags: number, length: number): boolean {
    const core = this.#core
    if ((flags & PADDED) !== 0 && length === 0) {
      core.fatal(FRAME_SIZE_ERROR, 'DATA without its pad length')
      return false
    }
    if (!core.window.take(length)) {
      core.fatal(FLOW_CONTROL_ERROR, 'DATA over the window of the connection')
      return false
    }
    const stream = core.streams.get(id)
    if (stream === undefined) this.#onLateData(id, length, (flags & END_STREAM) !== 0)
    else if (stream.remoteEnded) core.streamFault(stream, STREAM_CLOSED)
    else if (!stream.headSeen) core.streamFault(stream, PROTOCOL_ERROR)
    else if (!stream.window.take(length)) core.streamFault(stream, FLOW_CONTROL_ERROR)
    else {
      this.#stream = stream
      this.#generation = stream.generation
      this.#dataFrameBytes = length
      this.#dataEnds = (flags & END_STREAM) !== 0
      return true
    }
    core.credit(length)
    return false
  }

  /** On a stream that is over, or never was. */
  #onLateData(id: number, length: number, ends: boolean): void {
    const core = this.#core
    if (length === 0 && !ends && !core.abuse.emptyFrame()) return core.fatal(ENHANCE_YOUR_CALM, 'too many empty frames')
    if (core.isIdleId(id)) return core.fatal(PROTOCOL_ERROR, 'DATA on an idle stream')
    const ending = core.closed.find(id)
    if (ending === PEER_DONE) return core.fatal(STREAM_CLOSED, 'DATA on a closed stream')
    if (!core.isServer) return undefined
    if (ending !== OWN_RESET) core.refuse(id, STREAM_CLOSED)
    else if (ends) core.closed.add(id, PEER_DONE) // its last
    return undefined
  }

  // hot
  onDataBegin(dataBytes: number): void {
    const core = this.#core
    const stream = this.#stream!
    if (dataBytes < 0) return core.fatal(PROTOCOL_ERROR, 'padding over the payload')
    if (dataBytes === 0 && !this.#dataEnds && !core.abuse.emptyFrame())
      return core.fatal(ENHANCE_YOUR_CALM, 'too many empty frames')
    const padBytes = this.#dataFrameBytes - dataBytes
    if (padBytes > 0) {
      core.credit(padBytes)
      core.creditStream(stream, padBytes)
    }
    if (agrees(stream, dataBytes, this.#dataEnds)) return undefined
    this.#stream = null
    return core.messageFault(stream)
  }

  // hot
  onDataBytes(buf: Buffer, start: number, end: number): void {
    const core = this.#core
    const bytes = end - start
    const stream = this.#stream
    if (stream === null || stream.generation !== this.#generation || stream.state !== OPEN) {
      this.#stream = null
      core.credit(bytes)
    } else if (stream.paused || stream.held.bytes > 0) {
      stream.held.copy(buf, start, end)
      core.hold(bytes)
    } else {
      stream.owner.onData(stream, buf, start, end)
      core.credit(bytes)
      if (stream.generation === this.#generation) core.creditStream(stream, bytes)
    }
  }

  // hot
  onDataEnd(): void {
    const stream = this.#stream
    this.#stream = null
    if (!this.#dataEnds || stream === null || stream.generation !== this.#generation || stream.state !== OPEN) return
    this.#onEnd(stream)
  }

  // ---- ends, and what was held

  #onEnd(stream: Http2Stream): void {
    stream.remoteEnded = true
    // trailers are taken by whoever takes the body
    if (stream.held.bytes > 0 || (stream.trailersHeld && stream.paused)) this.#core.settle(stream)
    else this.#tellEnd(stream)
  }

  /**
   * RST_STREAM with NO_ERROR: what is held of a whole answer still goes on, only what we would send is not wanted. Servers
   * by node:http2 end a body so instead of by END_STREAM when many are under way; for clients by nghttp2, curl and
   * node:http2 that is an end, and so it is here where it agrees with the length declared. False: the answer is cut.
   */
  endByReset(stream: Http2Stream): boolean {
    const wasEnded = stream.remoteEnded
    if (stream.endDelivered) return false
    if (!wasEnded) {
      const mayEnd = !this.#core.isServer && stream.headSeen && stream.requestKind !== CONNECT_REQUEST
      if (!mayEnd || !agrees(stream, 0, true)) return false
    }
    stream.resetAfterEnd = NO_ERROR
    stream.localEnded = true
    this.#core.sender.drop(stream)
    if (wasEnded) this.#core.settle(stream)
    else this.#onEnd(stream)
    return true
  }

  #tellEnd(stream: Http2Stream): void {
    const { generation } = stream
    if (stream.trailersHeld) {
      stream.trailersHeld = false
      stream.owner.onTrailers(stream, stream.trailers!)
      if (stream.generation !== generation || stream.state === FREE) return
    }
    stream.endDelivered = true
    stream.owner.onEnd(stream)
    if (stream.generation !== generation || stream.state === FREE) return
    if (stream.resetAfterEnd >= 0) this.#core.abandon(stream, PEER_DONE, stream.resetAfterEnd, true, true)
    else this.#core.settle(stream)
  }

  resume(stream: Http2Stream): void {
    const core = this.#core
    const { generation } = stream
    const { held } = stream
    core.slowDown(stream)
    while (held.bytes > 0 && !stream.paused) {
      const { first, at, end } = held
      const done = held.skip(end - at)
      core.unhold(end - at)
      stream.owner.onData(stream, first, at, end)
      if (done !== null) giveSlab(done)
      if (stream.generation !== generation || stream.state === FREE) return
      core.creditStream(stream, end - at)
    }
    if (held.bytes > 0 || !stream.remoteEnded || stream.endDelivered) return
    if (stream.trailersHeld && stream.paused) return
    if (stream.state === OPEN || stream.state === LINGERING) this.#tellEnd(stream)
  }
}
