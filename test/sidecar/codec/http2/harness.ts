/** Sessions for tests: a recorder of events, two sessions wired back to back, and a session on a real socket. */
import type { Socket } from 'node:net'
import type { BodyFraming } from '../../../../src/sidecar/codec/body.ts'
import type { Head } from '../../../../src/sidecar/codec/head.ts'
import { headerName } from '../../../../src/sidecar/codec/names.ts'
import { STRANGER_BUDGETS, type AbuseBudgets } from '../../../../src/sidecar/codec/http2/abuse.ts'
import type { SessionHandler, SessionLimits } from '../../../../src/sidecar/codec/http2/options.ts'
import { Session } from '../../../../src/sidecar/codec/http2/session.ts'
import type { Http2Stream, StreamHandler } from '../../../../src/sidecar/codec/http2/stream.ts'

export interface Message {
  status: number
  method: string
  path: string
  authority: string
  fields: [string, string][]
  framing: { kind: number; lengthBytes: number }
  interims: number[]
  body: Buffer
  trailers: [string, string][] | null
  ended: boolean
  reset: { code: number; remote: boolean } | null
  drains: number
}

export function newMessage(): Message {
  return {
    status: 0,
    method: '',
    path: '',
    authority: '',
    fields: [],
    framing: { kind: -1, lengthBytes: -1 },
    interims: [],
    body: Buffer.alloc(0),
    trailers: null,
    ended: false,
    reset: null,
    drains: 0,
  }
}

export function fieldsOf(head: Head): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i < head.count; i++)
    if (head.id(i) >= 0) list.push([head.text(head.nameStart(i), head.nameEnd(i)), head.value(i)])
  return list
}

/** Keeps what comes on one stream. */
export class Recorder implements StreamHandler {
  readonly message = newMessage()
  stream: Http2Stream | null = null
  generation = 0
  bodyPieces: Buffer[] = []
  onMessageEnd: ((recorder: Recorder) => void) | null = null
  onHeadSeen: ((recorder: Recorder) => void) | null = null

  onHead(stream: Http2Stream, head: Head, framing: BodyFraming): void {
    this.stream = stream
    this.generation = stream.generation
    const { message } = this
    if (head.status > 0 && head.status < 200) {
      message.interims.push(head.status)
      return
    }
    message.status = head.status
    message.method = head.text(head.methodStart, head.methodEnd)
    message.path = head.text(head.targetStart, head.targetEnd)
    message.authority = head.text(head.authorityStart, head.authorityEnd)
    message.fields = fieldsOf(head)
    message.framing = { kind: framing.kind, lengthBytes: framing.lengthBytes }
    this.onHeadSeen?.(this)
  }
  onData(_stream: Http2Stream, buf: Buffer, start: number, end: number): void {
    this.bodyPieces.push(Buffer.from(buf.subarray(start, end)))
  }
  onTrailers(_stream: Http2Stream, head: Head): void {
    this.message.trailers = fieldsOf(head)
  }
  onEnd(): void {
    this.message.body = Buffer.concat(this.bodyPieces)
    this.message.ended = true
    this.onMessageEnd?.(this)
  }
  onReset(_stream: Http2Stream, code: number, remote: boolean): void {
    this.message.body = Buffer.concat(this.bodyPieces)
    this.message.reset = { code, remote }
  }
  onDrain(): void {
    this.message.drains++
  }
}

export class SessionRecorder implements SessionHandler {
  readonly requests: Recorder[] = []
  ready = 0
  goaways: { last: number; code: number }[] = []
  fatal: { code: number; reason: string } | null = null
  closed = 0
  outputs = 0
  onRequestStream: ((recorder: Recorder, stream: Http2Stream) => void) | null = null
  onWake: (() => void) | null = null

  onRefused(): void {}

  onRequest(stream: Http2Stream): StreamHandler {
    const recorder = new Recorder()
    this.requests.push(recorder)
    this.onRequestStream?.(recorder, stream)
    return recorder
  }
  onReady(): void {
    this.ready++
  }
  onGoaway(last: number, code: number): void {
    this.goaways.push({ last, code })
  }
  onOutput(): void {
    this.outputs++
    this.onWake?.()
  }
  onStreamClosed(): void {
    this.closed++
  }
  onFatal(code: number, reason: string): void {
    this.fatal = { code, reason }
  }
}

export interface Peer {
  session: Session
  events: SessionRecorder
}

export function newPeer(
  role: 'client' | 'server',
  limits: Partial<SessionLimits> = {},
  budgets: AbuseBudgets = STRANGER_BUDGETS,
  nowMs: () => number = () => 0,
): Peer {
  const events = new SessionRecorder()
  return { session: new Session({ role, limits, budgets, nowMs }, events), events }
}

export function drainOutput(session: Session): Buffer {
  const pieces: Buffer[] = []
  session.output.take((buf) => {
    pieces.push(Buffer.from(buf))
    return true
  })
  return Buffer.concat(pieces)
}

/** Carries bytes both ways until nobody has any. `cut`: sizes of the pieces. */
export function pump(a: Peer, b: Peer, cut: () => number = () => 65_536, maxTurns = 100_000): void {
  for (let turn = 0; turn < maxTurns; turn++) {
    const moved = carry(a, b, cut) + carry(b, a, cut)
    if (moved === 0) return
  }
  throw new Error('the two sessions never come to rest')
}

function carry(from: Peer, to: Peer, cut: () => number): number {
  const bytes = drainOutput(from.session)
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + Math.max(1, cut()))
    const piece = Buffer.from(bytes.subarray(at, end))
    to.session.receive(piece, 0, piece.length)
    piece.fill(0xee) // whoever kept a range of it will show
    at = end
  }
  return bytes.length
}

export function sendRequest(
  stream: Http2Stream,
  method: string,
  path: string,
  end: boolean,
  fields: [string, string][] = [],
): void {
  stream.beginHead()
  stream.encoder.pseudo('method', method)
  stream.encoder.pseudo('scheme', 'http')
  stream.encoder.pseudo('path', path)
  stream.encoder.pseudo('authority', 'shop.test')
  for (const [name, value] of fields) stream.encoder.text(headerName(name), value)
  stream.endHead(end)
}

export function sendResponse(stream: Http2Stream, status: number, end: boolean, fields: [string, string][] = []): void {
  stream.beginHead()
  stream.encoder.status(status)
  for (const [name, value] of fields) stream.encoder.text(headerName(name), value)
  stream.endHead(end)
}

export function sendTrailers(stream: Http2Stream, fields: [string, string][]): void {
  stream.beginHead()
  for (const [name, value] of fields) stream.encoder.text(headerName(name), value)
  stream.endHead(true)
}

/** A session on a socket, as small as it can be. */
export function attach(peer: Peer, socket: Socket): void {
  const { session, events } = peer
  let scheduled = false
  const flush = (): void => {
    scheduled = false
    if (socket.destroyed) return
    socket.cork()
    session.output.take((buf) => socket.write(buf))
    socket.uncork()
    if (events.fatal !== null) socket.end()
  }
  const wake = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }
  events.onWake = wake
  socket.on('data', (chunk: Buffer) => session.receive(chunk, 0, chunk.length))
  socket.on('drain', () => session.onSocketDrain())
  socket.on('error', () => {})
  socket.on('close', () => session.destroy(8))
  wake()
}
