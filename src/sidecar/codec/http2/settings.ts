/**
 * SETTINGS, RFC 9113 section 6.5 and RFC 8441 section 3: what a peer announced, and what we announce.
 * In: a payload. Out: an error code, fields, changes of windows. No I/O.
 */
import { FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR, type ErrorCode } from './errors.ts'
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  LARGEST_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  readUint32,
  writeUint32,
} from './frame.ts'

export const HEADER_TABLE_SIZE = 1
export const ENABLE_PUSH = 2
export const MAX_CONCURRENT_STREAMS = 3
export const INITIAL_WINDOW_SIZE = 4
export const MAX_FRAME_SIZE = 5
export const MAX_HEADER_LIST_SIZE = 6
export const ENABLE_CONNECT_PROTOCOL = 8

export const SETTINGS_ENTRY_BYTES = 6

/** Of a peer whose SETTINGS are not in yet; it has no limit by the RFC, but refuses what is above its own. */
const ASSUMED_MAX_STREAMS = 100

/** Who must be told of a change at once. */
export interface SettingsSink {
  onTableSize(bytes: number): void
  /** By how much each stream's send window changes. False: one of them would exceed the maximum. */
  onInitialWindow(delta: number): boolean
}

export class PeerSettings {
  maxConcurrentStreams = ASSUMED_MAX_STREAMS
  initialWindowBytes = DEFAULT_WINDOW_BYTES
  maxFrameBytes = DEFAULT_MAX_FRAME_BYTES
  maxHeaderListBytes = Infinity
  connectProtocol = false
  #seen = false
  readonly #isServer: boolean

  /** `isServer`: the peer is one. */
  constructor(isServer: boolean) {
    this.#isServer = isServer
  }

  /** Entries in order; the first wrong one ends the connection. */
  apply(buf: Buffer, start: number, end: number, sink: SettingsSink): ErrorCode {
    if (!this.#seen) {
      this.#seen = true
      this.maxConcurrentStreams = Infinity
    }
    for (let at = start; at < end; at += SETTINGS_ENTRY_BYTES) {
      const code = this.#applyOne((buf[at]! << 8) | buf[at + 1]!, readUint32(buf, at + 2), sink)
      if (code !== NO_ERROR) return code
    }
    return NO_ERROR
  }

  #applyOne(id: number, value: number, sink: SettingsSink): ErrorCode {
    switch (id) {
      case HEADER_TABLE_SIZE:
        sink.onTableSize(value)
        break
      case ENABLE_PUSH:
        if (value > 1 || (value === 1 && this.#isServer)) return PROTOCOL_ERROR
        break
      case MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value
        break
      case INITIAL_WINDOW_SIZE: {
        if (value > MAX_WINDOW_BYTES) return FLOW_CONTROL_ERROR
        const delta = value - this.initialWindowBytes
        this.initialWindowBytes = value
        if (delta !== 0 && !sink.onInitialWindow(delta)) return FLOW_CONTROL_ERROR
        break
      }
      case MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES) return PROTOCOL_ERROR
        this.maxFrameBytes = value
        break
      case MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value
        break
      case ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.connectProtocol)) return PROTOCOL_ERROR
        this.connectProtocol = value === 1
        break
      default: // unknown: ignored
    }
    return NO_ERROR
  }
}

/** A SETTINGS payload of ids and values in turn. */
export function encodeSettings(...pairs: number[]): Buffer {
  const buf = Buffer.alloc((pairs.length / 2) * SETTINGS_ENTRY_BYTES)
  for (let i = 0, at = 0; i < pairs.length; i += 2, at += SETTINGS_ENTRY_BYTES) {
    buf[at + 1] = pairs[i]!
    writeUint32(buf, at + 2, pairs[i + 1]!)
  }
  return buf
}
