/**
 * A relay that keeps a copy of what passes: the evidence of what is on a wire. In: where to pass on to.
 * Out: the bytes of each direction of each connection, up to a limit. Owns its listener and connections.
 */
import { rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

const MAX_BYTES = 1024 * 1024

/** A TCP port, or a UNIX socket. */
export type RelayTarget = { host: string; port: number } | { path: string }

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

  private constructor(target: RelayTarget) {
    // half-open: one side may end while the other still sends
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => this.#join(caller, target))
  }

  /** Listens on a UNIX socket of this path, else on a free port of loopback. */
  static async open(target: RelayTarget, path?: string): Promise<RecordingRelay> {
    const relay = new RecordingRelay(target)
    if (path !== undefined) rmSync(path, { force: true })
    await new Promise<void>((done, fail) => {
      relay.#server.once('error', fail)
      relay.#server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path }, done)
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

  #join(caller: Socket, to: RelayTarget): void {
    const target = connect({ ...to, allowHalfOpen: true, noDelay: true })
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

/** How often a word stands in what passed. */
export function occurrences(relay: RecordingRelay, word: string): number {
  return relay.recordings().reduce((sum, { bytes }) => sum + bytes.toString('latin1').split(word).length - 1, 0)
}
