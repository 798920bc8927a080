/**
 * HTTP/1.1 on raw sockets: a connection per slot, keep-alive, no pipelining. The reader knows what a benchmark meets
 * (a status line, fields, Content-Length) and calls anything else wrong. No string is made per answer.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { REQUEST_HEADERS } from '../tools/request-headers.ts'
import type { Done, Slot, WireMaker } from './wire.ts'

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH_NAME = Buffer.from('\ncontent-length:')
const STATUS_AT = 9
const CR = 13
const SPACE = 32
const DIGIT_0 = 48

export const http1Wire: WireMaker = async ({ port, path, connections, expectedBytes }, done) => {
  const fields = Object.entries(REQUEST_HEADERS).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`)
  const slots = Array.from({ length: connections }, () => new Http1Slot({ port, request, expectedBytes, done }))
  await Promise.all(slots.map((slot) => slot.open()))
  return { slots, close: () => slots.forEach((slot) => slot.close()) }
}

export interface Http1SlotSpec {
  port: number
  request: Buffer
  expectedBytes: number
  done: Done
}

class Http1Slot implements Slot {
  readonly #spec: Http1SlotSpec
  readonly #reader: ResponseReader
  #socket: Socket | undefined
  #isBusy = false

  constructor(spec: Http1SlotSpec) {
    this.#spec = spec
    this.#reader = new ResponseReader(spec.expectedBytes)
  }

  open(): Promise<void> {
    return new Promise((opened, failed) => {
      const socket = connect({ port: this.#spec.port, host: '127.0.0.1', noDelay: true })
      this.#socket = socket
      socket.once('connect', opened).once('error', failed)
      socket.on('data', (bytes) => this.#onBytes(bytes))
      socket.on('close', () => this.#onClose())
    })
  }

  close(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
  }

  send(): void {
    this.#isBusy = true
    this.#reader.begin()
    this.#socket?.write(this.#spec.request)
  }

  #onBytes(bytes: Buffer): void {
    const verdict = this.#reader.read(bytes)
    if (verdict === 'more') return
    if (verdict === 'done') this.#end(undefined)
    else {
      // the state of this connection is unknown now
      this.#end(verdict)
      this.#socket?.destroy()
    }
  }

  /** A proxy may end an idle connection: the next request has a new one. */
  #onClose(): void {
    if (this.#socket === undefined) return
    const wasBusy = this.#isBusy
    this.open().then(
      () => wasBusy && this.#end('connection lost'),
      () => this.#end('connection refused'),
    )
  }

  #end(wrong: string | undefined): void {
    if (!this.#isBusy) return
    this.#isBusy = false
    this.#spec.done(this, wrong)
  }
}

export class ResponseReader {
  readonly #expectedBytes: number
  #head: Buffer | undefined
  #bodyLeft = -1

  constructor(expectedBytes: number) {
    this.#expectedBytes = expectedBytes
  }

  begin(): void {
    this.#head = undefined
    this.#bodyLeft = -1
  }

  /** `more`, `done`, or what is wrong. */
  read(bytes: Buffer): string {
    let bodyBytes = bytes.length
    if (this.#bodyLeft < 0) {
      const head = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes])
      const end = head.indexOf(HEAD_END)
      if (end < 0) {
        this.#head = head
        return 'more'
      }
      const wrong = this.#readHead(head, end)
      if (wrong !== undefined) return wrong
      bodyBytes = head.length - end - HEAD_END.length
    }
    this.#bodyLeft -= bodyBytes
    if (this.#bodyLeft < 0) return 'more bytes than its Content-Length'
    return this.#bodyLeft === 0 ? 'done' : 'more'
  }

  #readHead(head: Buffer, end: number): string | undefined {
    const status =
      (head[STATUS_AT]! - DIGIT_0) * 100 + (head[STATUS_AT + 1]! - DIGIT_0) * 10 + head[STATUS_AT + 2]! - DIGIT_0
    if (status !== 200) return `status ${status}`
    const length = contentLength(head, end)
    if (length !== this.#expectedBytes) return `a body of ${length} bytes`
    this.#bodyLeft = length
    return undefined
  }
}

/** -1: there is none. */
function contentLength(head: Buffer, end: number): number {
  for (let line = head.indexOf(10); line >= 0 && line < end; line = head.indexOf(10, line + 1)) {
    let i = 1
    while (i < LENGTH_NAME.length && (head[line + i]! | SPACE) === (LENGTH_NAME[i]! | SPACE)) i++
    if (i < LENGTH_NAME.length) continue
    let length = 0
    for (let at = line + i; head[at] !== CR; at++) if (head[at] !== SPACE) length = length * 10 + head[at]! - DIGIT_0
    return length
  }
  return -1
}
