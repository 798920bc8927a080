/**
 * DNS messages on a stream, each behind two octets of length (RFC 1035, 4.2.2): the server's side for TCP and UNIX
 * sockets, and one question to such a server. In: a connection. Owns it.
 */
import net, { type Socket } from 'node:net'

const IDLE_MS = 10_000
const MAX_CONNECTIONS = 64

/** Calls `answer` for each message; what it resolves to goes back, in whatever order. */
export function createDnsStreamServer(answer: (message: Buffer) => Promise<Buffer | null>): net.Server {
  const server = net.createServer((socket) => serve(socket, answer))
  server.maxConnections = MAX_CONNECTIONS
  return server
}

function serve(socket: Socket, answer: (message: Buffer) => Promise<Buffer | null>): void {
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => {})
  readMessages(socket, (message) => {
    void answer(message).then((reply) => {
      if (reply !== null && socket.writable) socket.write(framed(reply))
    })
  })
}

/** Rejects where there is no answer within the time. */
export function askStream(path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((done, fail) => {
    const socket = net.connect({ path })
    const end = (error: Error | null, reply?: Buffer): void => {
      clearTimeout(late)
      socket.destroy()
      if (reply === undefined) fail(error ?? new Error('no answer'))
      else done(reply)
    }
    const late = setTimeout(() => end(new Error('no answer in time')), timeoutMs)
    socket.on('error', end).on('close', () => end(null))
    readMessages(socket, (reply) => end(null, reply))
    socket.write(framed(message))
  })
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function readMessages(socket: Socket, onMessage: (message: Buffer) => void): void {
  let held = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 2) {
      const end = 2 + held.readUInt16BE(0)
      if (held.length < end) return
      const message = held.subarray(2, end)
      held = held.subarray(end)
      onMessage(message)
    }
  })
}
