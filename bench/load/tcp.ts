/** TCP: so many bytes go out, as many must come back. A connection per slot. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import type { Done, Slot, WireMaker } from './wire.ts'

export const tcpWire: WireMaker = async ({ port, connections, expectedBytes }, done) => {
  const message = Buffer.alloc(expectedBytes, 'x')
  const slots: EchoSlot[] = []
  for (let i = 0; i < connections; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    slots.push(new EchoSlot(socket, message, done))
  }
  return { slots, close: () => slots.forEach((slot) => slot.close()) }
}

class EchoSlot implements Slot {
  readonly #socket: Socket
  readonly #message: Buffer
  #left = 0

  constructor(socket: Socket, message: Buffer, done: Done) {
    this.#socket = socket
    this.#message = message
    socket.on('data', (bytes) => {
      this.#left -= bytes.length
      if (this.#left === 0) done(this, undefined)
      else if (this.#left < 0) done(this, 'more bytes than were sent')
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => done(this, 'connection lost'))
  }

  send(): void {
    this.#left = this.#message.length
    this.#socket.write(this.#message)
  }

  close(): void {
    this.#socket.destroy()
  }
}
