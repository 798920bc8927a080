/**
 * DNS messages on a stream, each behind two octets of length (RFC 1035 4.2.2, RFC 7766): the server's side for TCP and UNIX
 * sockets, and one question to such a server. In: a connection. Owns it.
 */
import net, { type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'

const IDLE_MS = 10_000
/** A question with a few options of EDNS; who sends more wants the memory. */
const MAX_QUERY_BYTES = 4096
const MAX_REPLY_BYTES = 0xffff

/** Resolves to null where nothing is to be said. Never rejects. */
export type Answerer = (message: Buffer) => Promise<Buffer | null>

/**
 * Calls `answer` for each message, one after the other on a connection: who sends without reading, or thousands at once,
 * waits for himself.
 */
export function createDnsStreamServer(answer: Answerer, maxConnections: number): Server {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    // a connection that breaks has nobody left to be told
    pipeline(socket, (source: AsyncIterable<Buffer>) => replies(source, answer), socket).catch(() => socket.destroy())
  })
  server.maxConnections = maxConnections
  return server
}

async function* replies(source: AsyncIterable<Buffer>, answer: Answerer): AsyncGenerator<Buffer> {
  const reader = new MessageReader(MAX_QUERY_BYTES)
  for await (const chunk of source)
    for (const message of reader.read(chunk)) {
      const reply = await answer(message)
      if (reply !== null) yield framed(reply)
    }
}

/** Rejects where there is no answer within the time. */
export function askStream(path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((done, fail) => {
    const socket: Socket = net.connect({ path })
    const reader = new MessageReader(MAX_REPLY_BYTES)
    const end = (error: Error | null, reply?: Buffer): void => {
      clearTimeout(late)
      socket.destroy()
      if (reply === undefined) fail(error ?? new Error('closed without an answer'))
      else done(reply)
    }
    const late = setTimeout(() => end(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    socket.on('error', end).on('close', () => end(null))
    socket.on('data', (chunk: Buffer) => {
      const [reply] = reader.read(chunk)
      if (reply !== undefined) end(null, reply)
    })
    socket.write(framed(message))
  })
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

class MessageReader {
  readonly #maxBytes: number
  #held: Buffer = Buffer.alloc(0)

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Messages that this chunk makes whole. Throws where one is to be longer than allowed. */
  read(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = []
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (bytes.length >= 2) {
      const length = bytes.readUInt16BE(0)
      if (length > this.#maxBytes) throw new RangeError(`a DNS message of ${length} bytes`)
      if (bytes.length < 2 + length) break
      messages.push(bytes.subarray(2, 2 + length))
      bytes = bytes.subarray(2 + length)
    }
    this.#held = bytes
    return messages
  }
}
