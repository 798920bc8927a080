/**
 * A TCP relay that does to connections what networks do. In: a port to relay to, toxics that may change at any time.
 * Out: a port. Owns both sockets of each connection. Half-closes and resets are passed on as what they are.
 */
import net from 'node:net'
import { listen } from '../helpers/data-plane.ts'

export interface Toxics {
  /** Of all connections, so many per cent are reset, after `resetAfterBytes`. */
  resetPercent: number
  resetAfterBytes: number
  latencyMs: number
  jitterMs: number
  /** Pieces of 1 to this many bytes; 0: as they come. */
  sliceBytes: number
  /** In each direction of a connection; 0: no limit. */
  bytesPerSecond: number
  /** Nothing passes, and nothing is said. */
  blackhole: boolean
}

const NONE: Toxics = {
  resetPercent: 0,
  resetAfterBytes: 2000,
  latencyMs: 0,
  jitterMs: 0,
  sliceBytes: 0,
  bytesPerSecond: 0,
  blackhole: false,
}

export class ToxicRelay {
  toxics: Toxics = NONE
  resets = 0
  port = 0
  readonly #target: number
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  constructor(target: number) {
    this.#target = target
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#onConnection(socket))
  }

  async start(): Promise<void> {
    this.port = await listen(this.#server)
  }

  set(toxics: Partial<Toxics>): void {
    this.toxics = { ...NONE, ...toxics }
  }

  /** New connections only meet new toxics. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #onConnection(down: net.Socket): void {
    const up = net.connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const doomed = Math.random() * 100 < this.toxics.resetPercent
    const leftBytes = { value: doomed ? this.toxics.resetAfterBytes : Infinity }
    const reset = (): void => {
      this.resets++
      down.resetAndDestroy()
      up.resetAndDestroy()
    }
    for (const [from, to] of [
      [down, up],
      [up, down],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => to.resetAndDestroy())
      from.on('close', () => this.#sockets.delete(from))
      this.#pump(from, to, leftBytes, reset)
    }
  }

  /** One direction, piece by piece, in order. */
  #pump(from: net.Socket, to: net.Socket, leftBytes: { value: number }, reset: () => void): void {
    from.on('data', (chunk: Buffer) => {
      from.pause()
      leftBytes.value -= chunk.length
      if (leftBytes.value < 0) reset()
      else void this.#pass(chunk, to).then(() => from.resume())
    })
    from.on('end', () => void this.#passEnd(to))
  }

  async #passEnd(to: net.Socket): Promise<void> {
    while (this.toxics.blackhole && !to.destroyed) await pauseMs(20)
    to.end()
  }

  /** One piece, as the toxics of this moment say. */
  async #pass(chunk: Buffer, to: net.Socket): Promise<void> {
    const { latencyMs, jitterMs, sliceBytes, bytesPerSecond } = this.toxics
    if (latencyMs > 0) await pauseMs(latencyMs + (Math.random() * 2 - 1) * jitterMs)
    const most = bytesPerSecond > 0 ? Math.max(1, Math.floor(bytesPerSecond / 20)) : chunk.length
    for (let at = 0; at < chunk.length && !to.destroyed;) {
      while (this.toxics.blackhole && !to.destroyed) await pauseMs(20)
      const bytes = Math.min(most, sliceBytes > 0 ? 1 + Math.floor(Math.random() * sliceBytes) : most)
      const piece = chunk.subarray(at, at + bytes)
      at += bytes
      if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
      if (bytesPerSecond > 0) await pauseMs((piece.length * 1000) / bytesPerSecond)
      else if (sliceBytes > 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
