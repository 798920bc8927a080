/**
 * An upstream as the attacks on request boundaries need it: it answers each head at once, never reads a body, and takes
 * what follows for the next request. And a client that sends, waits for an answer, and sends on.
 */
import net from 'node:net'
import { listen } from '../../helpers/data-plane.ts'
import { answered } from './client.ts'

export class CarelessUpstream {
  port = 0
  readonly #sockets = new Set<net.Socket>()
  readonly #server = net.createServer((socket) => {
    let text = ''
    this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)))
    socket.setNoDelay()
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      let answers = ''
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const url = /(?:^|\r\n)[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(text.slice(0, end + 2))?.[1]
        text = text.slice(end + 4)
        if (url !== undefined) answers += `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-seen: ${url}\r\n\r\nok`
      }
      // at once: an answer that comes when the connection has its next request could not be told from that one's
      if (answers !== '') socket.write(answers)
    })
  })

  async start(): Promise<this> {
    this.port = await listen(this.#server)
    return this
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Writes the steps in order; at each that is `mark` it waits for one more answer. Ends when the other side has. */
export function converse(port: number, steps: readonly string[], mark: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const rest = [...steps]
    let text = ''
    let wanted = 0
    const timer = setTimeout(() => socket.destroy(), 10_000)
    const goOn = (): void => {
      while (rest.length > 0 && answered(text).length >= wanted) {
        const step = rest.shift()!
        if (step === mark) wanted++
        else if (!socket.destroyed) socket.write(step, 'latin1')
      }
      if (rest.length === 0 && answered(text).length >= wanted) socket.end()
    }
    socket.on('connect', goOn)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      goOn()
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
  })
}
