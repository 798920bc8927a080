/** One end of an HTTP/2 connection by hand: says what a test tells it to, keeps the frames that come. Acknowledges nothing. */
import net from 'node:net'
import type { Test } from 'tap'
import * as h2 from './h2-wire.ts'

export class H2Peer {
  readonly frames: h2.WireFrame[] = []
  readonly socket: net.Socket
  ended = false
  readonly #reader = new h2.FrameReader()
  #skip: number
  #wake: (() => void)[] = []

  /** Of a server the other side's preface is skipped. */
  constructor(socket: net.Socket, role: 'client' | 'server', ...entries: [number, number][]) {
    this.socket = socket
    this.#skip = role === 'server' ? h2.PREFACE.length : 0
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(this.#skip, chunk.length)
      this.#skip -= skipped
      this.frames.push(...this.#reader.push(chunk.subarray(skipped)))
      this.#changed()
    })
    const over = (): void => {
      this.ended = true
      this.#changed()
    }
    socket.on('error', over).on('end', over).on('close', over)
    if (role === 'client') socket.write(h2.PREFACE)
    this.send(h2.settings(...entries))
  }

  static connect(t: Test, port: number, ...entries: [number, number][]): H2Peer {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    t.teardown(() => void socket.destroy())
    return new H2Peer(socket, 'client', ...entries)
  }

  send(...pieces: Buffer[]): this {
    this.socket.write(Buffer.concat(pieces))
    return this
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  /** The first frame of this type, on this stream. */
  async frame(type: number, stream: number): Promise<h2.WireFrame> {
    const find = (): h2.WireFrame | undefined => this.frames.find((f) => f.type === type && f.stream === stream)
    await this.until(() => find() !== undefined || this.ended)
    const found = find()
    if (found === undefined) throw new Error(`the connection ended without frame ${type} on stream ${stream}`)
    return found
  }

  /** All that was sent before has been read by the other side. */
  async heard(): Promise<void> {
    const answers = (): number =>
      this.frames.filter((f) => f.type === h2.FRAME.PING && (f.flags & h2.FLAG.ACK) !== 0).length
    const before = answers()
    this.send(h2.ping())
    await this.until(() => answers() > before || this.ended)
  }

  /** DATA of a stream so far. */
  body(stream: number): string {
    const parts = this.frames.filter((f) => f.type === h2.FRAME.DATA && f.stream === stream).map((f) => f.payload)
    return Buffer.concat(parts).toString('latin1')
  }

  hasEnded(stream: number): boolean {
    const ends = (f: h2.WireFrame): boolean => f.type <= h2.FRAME.HEADERS && (f.flags & h2.FLAG.END_STREAM) !== 0
    return this.frames.some((f) => f.stream === stream && ends(f))
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
