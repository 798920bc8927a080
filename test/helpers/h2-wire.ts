/**
 * HTTP/2 by hand, for peers that misbehave: any frame, right or wrong, and a reader of frames (RFC 9113 section 4, RFC
 * 7541 section 6.2.2 for plain literals). In: values. Out: bytes. It checks nothing on purpose.
 */
import {
  frame,
  PREFACE,
  reset,
  settings as settingsOf,
  T as FRAME,
  windowUpdate,
} from '../sidecar/codec/http2/frames.ts'

export { frame, FRAME, PREFACE, reset, windowUpdate }

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const
export const ENHANCE_YOUR_CALM = 11

const HEADER_BYTES = 9

/** SETTINGS with these entries: [identifier, value]. */
export const settings = (...entries: [number, number][]): Buffer => settingsOf(...entries.flat())
export const settingsAck = (): Buffer => frame(FRAME.SETTINGS, FLAG.ACK, 0)
export const ping = (text = '12345678'): Buffer => frame(FRAME.PING, 0, 0, Buffer.from(text, 'latin1'))
export const headers = (stream: number, block: Buffer, end = true): Buffer =>
  frame(FRAME.HEADERS, FLAG.END_HEADERS | (end ? FLAG.END_STREAM : 0), stream, block)
export const data = (stream: number, bytes: Buffer | string, end = false): Buffer =>
  frame(FRAME.DATA, end ? FLAG.END_STREAM : 0, stream, Buffer.from(bytes as string))

/** An integer of RFC 7541 section 5.1, under `bits` of prefix. */
export function integer(value: number, bits: number, first = 0): Buffer {
  const most = (1 << bits) - 1
  if (value < most) return Buffer.of(first | value)
  const out = [first | most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128)
  return Buffer.from([...out, rest])
}

const literalText = (text: string): Buffer => Buffer.concat([integer(text.length, 7), Buffer.from(text, 'latin1')])

/** Fields as literals with new names; `indexed` ones go into the dynamic table. */
export function block(fields: readonly (readonly [string, string])[], indexed = false): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(indexed ? 0x40 : 0), literalText(name), literalText(value)]),
  )
}

/** A request's fields, pseudo-header fields first. */
export function requestFields(method: string, path: string, ...more: [string, string][]): [string, string][] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'server'], ...more]
}

export interface WireFrame {
  type: number
  flags: number
  stream: number
  payload: Buffer
}

/** Takes frames off the bytes of a peer, however they are cut. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)
  #skipBytes: number

  /** `skipBytes`: what stands before the first frame (a client's preface). */
  constructor(skipBytes = 0) {
    this.#skipBytes = skipBytes
  }

  push(chunk: Buffer): WireFrame[] {
    const bytes = chunk.subarray(this.#skipBytes)
    this.#skipBytes = Math.max(0, this.#skipBytes - chunk.length)
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const frames: WireFrame[] = []
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < end) break
      frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#rest.subarray(HEADER_BYTES, end)),
      })
      this.#rest = this.#rest.subarray(end)
    }
    return frames
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0
  }
}

/** Frames of a server, until it ends or nobody wants more. */
export async function* framesOf(socket: AsyncIterable<Buffer>): AsyncGenerator<WireFrame, void> {
  const reader = new FrameReader()
  for await (const chunk of socket) yield* reader.push(chunk)
}
