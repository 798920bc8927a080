/**
 * A TCP relay that keeps a copy of what passes: the evidence of what is on a wire. In: a port to pass on to.
 * Out: the bytes of each direction of each connection, up to a limit. Owns its listener and connections.
 */
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

const MAX_BYTES = 1024 * 1024

export interface Recording {
  /** From the caller, and back to it. */
  direction: 'request' | 'response'
  bytes: Buffer
  /** More passed than was kept. */
  cut: boolean
}

interface Tape {
  direction: Recording['direction']
  chunks: Buffer[]
  size: number
  cut: boolean
}

export class RecordingRelay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #tapes: Tape[] = []

  private constructor(targetPort: number) {
    // half-open: one side may end while the other still sends
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => this.#join(caller, targetPort))
  }

  /** Listens on a free port of loopback. */
  static async open(targetPort: number): Promise<RecordingRelay> {
    const relay = new RecordingRelay(targetPort)
    await new Promise<void>((done, fail) => {
      relay.#server.once('error', fail)
      relay.#server.listen(0, '127.0.0.1', done)
    })
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  recordings(): Recording[] {
    return this.#tapes.map(({ direction, chunks, cut }) => ({ direction, bytes: Buffer.concat(chunks), cut }))
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(caller: Socket, targetPort: number): void {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.#pass(caller, target, 'request')
    this.#pass(target, caller, 'response')
  }

  #pass(from: Socket, to: Socket, direction: Recording['direction']): void {
    const tape: Tape = { direction, chunks: [], size: 0, cut: false }
    this.#tapes.push(tape)
    this.#sockets.add(from)
    from.on('data', (chunk: Buffer) => {
      if (tape.size + chunk.length <= MAX_BYTES) {
        tape.chunks.push(chunk)
        tape.size += chunk.length
      } else tape.cut = true
    })
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      if (from.errored !== null || !from.readableEnded) to.destroy()
    })
  }
}
