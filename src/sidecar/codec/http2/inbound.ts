/**
 * Each frame of the peer, checked against RFC 9113 section 6 and against the session's state, then acted upon.
 * In: frames off the reader. Out: calls on the message reader and the core, answers in the output. No socket.
 */
import { OWN_RESET, PEER_DONE } from './closed-streams.ts'
import type { Core } from './core.ts'
import {
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  type ErrorCode,
} from './errors.ts'
import {
  ACK,
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  readUint31,
  readUint32,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts'
import { MessageReader } from './message-reader.ts'
import { FrameReader, TAKE_DATA, TAKE_NOTHING, TAKE_WHOLE, type FrameSink, type Wish } from './reader.ts'
import { SETTINGS_ENTRY_BYTES } from './settings.ts'

export class Inbound implements FrameSink {
  readonly messages: MessageReader
  readonly reader: FrameReader
  /** PINGs of ours that are not answered. */
  numPings = 0
  readonly #core: Core
  #sawSettings = false
  #settingsAcked = false
  /** Of the peer's GOAWAY: may only fall. */
  #lastGoawayId = MAX_STREAM_ID

  constructor(core: Core) {
    this.#core = core
    this.messages = new MessageReader(core)
    this.reader = new FrameReader(this, core.isServer)
    core.onDead = () => this.reader.stop()
    core.onEnough = () => this.reader.pause()
  }

  onBadPreface(): void {
    this.#core.fatal(PROTOCOL_ERROR, 'not an HTTP/2 preface')
  }

  // hot
  onFrameHeader(): Wish {
    const core = this.#core
    const { length, type, flags, streamId: id } = this.reader
    if (length > core.limits.maxFrameBytes) return this.#fatal(FRAME_SIZE_ERROR, 'frame too large')
    if (!this.#sawSettings && (type !== SETTINGS || (flags & ACK) !== 0))
      return this.#fatal(PROTOCOL_ERROR, 'first frame is not SETTINGS')
    const { blockStreamId } = this.messages
    if (blockStreamId !== 0 && (type !== CONTINUATION || id !== blockStreamId))
      return this.#fatal(PROTOCOL_ERROR, 'a frame within a header block')
    switch (type) {
      case DATA:
        if (id === 0) return this.#fatal(PROTOCOL_ERROR, 'DATA on stream 0')
        return this.messages.beginData(id, flags, length) ? TAKE_DATA : TAKE_NOTHING
      case HEADERS:
        return id === 0 ? this.#fatal(PROTOCOL_ERROR, 'HEADERS on stream 0') : TAKE_WHOLE
      case PRIORITY:
        return this.#priority(id, length)
      case RST_STREAM:
        if (length !== 4) return this.#fatal(FRAME_SIZE_ERROR, 'RST_STREAM of a wrong size')
        if (id === 0 || core.isIdleId(id)) return this.#fatal(PROTOCOL_ERROR, 'RST_STREAM on an idle stream')
        return TAKE_WHOLE
      case SETTINGS:
        return this.#settingsHeader(id, flags, length)
      case PUSH_PROMISE:
        return this.#fatal(PROTOCOL_ERROR, 'PUSH_PROMISE is not allowed')
      case PING:
        if (length !== 8) return this.#fatal(FRAME_SIZE_ERROR, 'PING of a wrong size')
        return id !== 0 ? this.#fatal(PROTOCOL_ERROR, 'PING on a stream') : TAKE_WHOLE
      case GOAWAY:
        if (length < 8) return this.#fatal(FRAME_SIZE_ERROR, 'GOAWAY of a wrong size')
        return id !== 0 ? this.#fatal(PROTOCOL_ERROR, 'GOAWAY on a stream') : TAKE_WHOLE
      case WINDOW_UPDATE:
        if (length !== 4) return this.#fatal(FRAME_SIZE_ERROR, 'WINDOW_UPDATE of a wrong size')
        if (id !== 0 && core.isIdleId(id)) return this.#fatal(PROTOCOL_ERROR, 'WINDOW_UPDATE on an idle stream')
        return TAKE_WHOLE
      case CONTINUATION:
        return blockStreamId === 0 ? this.#fatal(PROTOCOL_ERROR, 'CONTINUATION without HEADERS') : TAKE_WHOLE
      default: // unknown types are ignored, section 4.1
        return core.abuse.emptyFrame() ? TAKE_NOTHING : this.#fatal(ENHANCE_YOUR_CALM, 'too many unknown frames')
    }
  }

  // hot
  onFrame(buf: Buffer, start: number, end: number): void {
    const { type, flags, streamId: id } = this.reader
    switch (type) {
      case HEADERS:
        this.messages.onHeaders(id, flags, buf, start, end)
        break
      case CONTINUATION:
        this.messages.onContinuation(flags, buf, start, end)
        break
      case WINDOW_UPDATE:
        this.#windowUpdate(id, readUint31(buf, start))
        break
      case RST_STREAM:
        this.#reset(id, readUint32(buf, start))
        break
      case SETTINGS:
        this.#settings(flags, buf, start, end)
        break
      case PING:
        this.#ping(flags, buf, start)
        break
      default:
        this.#goaway(readUint31(buf, start), readUint32(buf, start + 4))
    }
  }

  onDataBegin(dataBytes: number): void {
    this.messages.onDataBegin(dataBytes)
  }
  onDataBytes(buf: Buffer, start: number, end: number): void {
    this.messages.onDataBytes(buf, start, end)
  }
  onDataEnd(): void {
    this.messages.onDataEnd()
  }

  #fatal(code: ErrorCode, reason: string): Wish {
    this.#core.fatal(code, reason)
    return TAKE_NOTHING
  }

  /** Deprecated: only its form is looked at. Streams may be idle or closed. */
  #priority(id: number, length: number): Wish {
    const core = this.#core
    if (id === 0) return this.#fatal(PROTOCOL_ERROR, 'PRIORITY on stream 0')
    if (!core.abuse.priority()) return this.#fatal(ENHANCE_YOUR_CALM, 'too many PRIORITY frames')
    if (length === 5) return TAKE_NOTHING
    const stream = core.streams.get(id)
    if (stream === undefined) return this.#fatal(FRAME_SIZE_ERROR, 'PRIORITY of a wrong size')
    core.streamFault(stream, FRAME_SIZE_ERROR)
    return TAKE_NOTHING
  }

  #settingsHeader(id: number, flags: number, length: number): Wish {
    const { abuse } = this.#core
    if (id !== 0) return this.#fatal(PROTOCOL_ERROR, 'SETTINGS on a stream')
    if (length % SETTINGS_ENTRY_BYTES !== 0 || ((flags & ACK) !== 0 && length > 0))
      return this.#fatal(FRAME_SIZE_ERROR, 'SETTINGS of a wrong size')
    if (length > abuse.budgets.maxSettingsEntries * SETTINGS_ENTRY_BYTES)
      return this.#fatal(ENHANCE_YOUR_CALM, 'too many SETTINGS entries')
    if (!abuse.settings()) return this.#fatal(ENHANCE_YOUR_CALM, 'too many SETTINGS frames')
    return TAKE_WHOLE
  }

  #settings(flags: number, buf: Buffer, start: number, end: number): void {
    const core = this.#core
    if ((flags & ACK) !== 0) {
      if (this.#settingsAcked) this.#fatal(PROTOCOL_ERROR, 'SETTINGS acknowledged twice')
      this.#settingsAcked = true
      return
    }
    this.#sawSettings = true
    const code = core.peer.apply(buf, start, end, core)
    if (code !== NO_ERROR) {
      this.#fatal(code, 'SETTINGS with a wrong value')
      return
    }
    core.sender.maxFrameBytes = core.peer.maxFrameBytes
    core.output.settingsAck()
    core.checkQueue()
    core.sender.refill()
    core.handler.onReady()
  }

  #ping(flags: number, buf: Buffer, start: number): void {
    const core = this.#core
    if ((flags & ACK) !== 0 && this.numPings > 0) {
      this.numPings = 0
      return
    }
    if (!core.abuse.ping()) {
      this.#fatal(ENHANCE_YOUR_CALM, 'too many PING frames')
      return
    }
    if ((flags & ACK) !== 0) return
    core.output.ping(ACK, buf, start)
    core.checkQueue()
  }

  #reset(id: number, code: ErrorCode): void {
    const core = this.#core
    const stream = core.streams.get(id)
    // a server that resets what we have opened, or have reset at the same time, costs us nothing that we did not ask for
    const isAsked = !core.isServer && (stream !== undefined || core.closed.find(id) === OWN_RESET)
    if (!isAsked && !core.abuse.peerReset()) {
      this.#fatal(ENHANCE_YOUR_CALM, 'too many RST_STREAM frames')
      return
    }
    core.countReset()
    if (stream === undefined) {
      if (core.closed.find(id) === OWN_RESET) core.closed.add(id, PEER_DONE)
      return
    }
    if (code !== NO_ERROR || !this.messages.endByReset(stream)) core.abandon(stream, PEER_DONE, code, true, true)
  }

  #windowUpdate(id: number, increment: number): void {
    const core = this.#core
    if (!core.abuse.windowUpdate()) {
      this.#fatal(ENHANCE_YOUR_CALM, 'too many WINDOW_UPDATE frames')
      return
    }
    const { sender } = core
    if (id === 0) {
      if (increment === 0) this.#fatal(PROTOCOL_ERROR, 'WINDOW_UPDATE of 0')
      else if (sender.windowBytes + increment > MAX_WINDOW_BYTES) this.#fatal(FLOW_CONTROL_ERROR, 'window too large')
      else {
        sender.windowBytes += increment
        sender.refill()
      }
      return
    }
    const stream = core.streams.get(id)
    if (stream === undefined) return
    if (increment === 0) core.streamFault(stream, PROTOCOL_ERROR)
    else if (stream.sendWindowBytes + increment > MAX_WINDOW_BYTES) core.streamFault(stream, FLOW_CONTROL_ERROR)
    else {
      sender.onStreamWindow(stream, increment)
      sender.refill()
    }
  }

  #goaway(lastStreamId: number, code: ErrorCode): void {
    const core = this.#core
    if (lastStreamId > this.#lastGoawayId) {
      this.#fatal(PROTOCOL_ERROR, 'GOAWAY with a higher last stream')
      return
    }
    if (!core.abuse.emptyFrame()) {
      this.#fatal(ENHANCE_YOUR_CALM, 'too many GOAWAY frames')
      return
    }
    this.#lastGoawayId = lastStreamId
    core.draining = true
    if (!core.isServer) core.refuseAbove(lastStreamId)
    core.handler.onGoaway(lastStreamId, code)
  }
}
