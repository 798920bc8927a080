/**
 * Sends each answer of a corpus back through a rig, in each of the splits, and judges what the client got. After each an
 * ordinary request follows, and must get its own answer: on the same upstream connection only where that is clean.
 */
import net from 'node:net'
import { listen } from '../../helpers/data-plane.ts'
import type { ResponseRow } from '../../corpus/http1/responses.ts'
import { cut, send, type Split, statuses } from './client.ts'
import type { Rig } from './rig.ts'
import type { Wrong } from './run.ts'

/** Answers the first request that comes with what it was given, every other one with its own target. */
export class ScriptedUpstream {
  port = 0
  connections = 0
  #pieces: Buffer[] | null = null
  #ends = false
  #sent: () => void = () => {}
  readonly #sockets = new Set<net.Socket>()
  readonly #server = net.createServer((socket) => {
    this.connections++
    this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)))
    socket.setNoDelay()
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#onData(socket, chunk))
  })

  async start(): Promise<this> {
    this.port = await listen(this.#server)
    return this
  }

  /** Resolves when the whole answer has been written. */
  answer(pieces: Buffer[], ends: boolean): Promise<void> {
    this.#pieces = pieces
    this.#ends = ends
    return new Promise((resolve) => (this.#sent = resolve))
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #onData(socket: net.Socket, chunk: Buffer): void {
    const pieces = this.#pieces
    if (pieces === null) {
      const url = /^\w+ (\S+) /.exec(chunk.toString('latin1'))?.[1] ?? ''
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${url.length}\r\n\r\n${url}`)
      return
    }
    this.#pieces = null
    let next = 0
    const write = (): void => {
      if (next < pieces.length && !socket.destroyed) {
        socket.write(pieces[next++]!)
        setImmediate(write)
        return
      }
      if (this.#ends) socket.end()
      setImmediate(this.#sent)
    }
    write()
  }
}

/** The body that a client reads, undoing the frame; `null`: it can see that something is missing. */
function bodyOf(text: string, method: string): string | null {
  const final = /HTTP\/1\.1 ([2-9]\d\d) [^]*?\r\n\r\n/.exec(text)
  if (final === null) return null
  const [head, status = ''] = final
  const rest = text.slice(final.index + head.length)
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1]
  if (method === 'HEAD' || status === '204' || status === '304') return rest
  if (length !== undefined) return rest.length === Number(length) ? rest : null
  if (!/\r\ntransfer-encoding: chunked\r\n/i.test(head)) return rest
  let body = ''
  for (let at = 0; ;) {
    const size = /^([0-9a-f]+)\r\n/.exec(rest.slice(at))
    if (size === null) return null
    at += size[0].length
    const bytes = Number.parseInt(size[1]!, 16)
    if (bytes === 0) return /^(?:[^\r\n]+\r\n)*\r\n$/.test(rest.slice(at)) ? body : null
    body += rest.slice(at, at + bytes)
    at += bytes + 2
    if (at > rest.length) return null
  }
}

function judge(row: ResponseRow, text: string, reused: boolean): string[] {
  const out: string[] = []
  const all = statuses(text.split('\r\n\r\n')[row.interim] ?? '')
  const status = all[0]
  const body = bodyOf(text, row.request_method)
  if (row.verdict !== 'either' && status !== row.client_status) out.push(`status ${status}, not ${row.client_status}`)
  if (row.verdict === 'forward' && body === null) out.push('the body is cut')
  if (row.verdict === 'forward' && row.body !== undefined && body !== row.body) out.push(`body ${JSON.stringify(body)}`)
  if (row.verdict === 'abort' && body !== null) out.push(`the body looks whole: ${JSON.stringify(body)}`)
  if (!row.reuse && reused) out.push('the upstream connection was used again')
  return out
}

export async function runResponses(
  rows: readonly ResponseRow[],
  rig: Rig,
  upstream: ScriptedUpstream,
  splits: readonly Split[],
): Promise<Wrong[]> {
  const wrong: Wrong[] = []
  const ask = (method: string, url: string): Buffer[] => [
    Buffer.from(`${method} ${url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
  ]
  let control = 0
  for (const row of rows)
    for (const split of splits) {
      const url = `/control-${++control}`
      const sent = upstream.answer(cut(Buffer.from(row.base64, 'base64'), split), row.ends ?? !row.reuse)
      const { text, hangs } = await send(rig.port, ask(row.request_method, '/x'), false)
      await sent
      const before = upstream.connections
      const after = await send(rig.port, ask('GET', url), false)
      const complaints = judge(row, text, upstream.connections === before)
      if (hangs) complaints.push('nothing ended')
      if (!after.text.endsWith(`\r\n\r\n${url}`)) complaints.push(`the next request got ${JSON.stringify(after.text)}`)
      if (complaints.length === 0) continue
      const what = JSON.stringify(Buffer.from(row.base64, 'base64').toString('latin1').slice(0, 160))
      const line = `${rig.name}, ${split}: ${row.level} ${row.id} (${row.reason}): ${complaints.join('; ')} ${what} -> ${JSON.stringify(text.slice(0, 300))}`
      wrong.push({ id: row.id, level: row.level, line })
    }
  return wrong
}
