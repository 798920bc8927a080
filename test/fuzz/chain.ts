/**
 * Two data planes in a row before llhttp, and a client that reads what comes back: real sockets, one process, so that
 * a million messages pass in minutes. In: bytes. Out: what each side counted.
 */
import net from 'node:net'
import { Duplex } from 'node:stream'
import { createPlane, forward, httpListener, listen, routes, staticCluster } from '../helpers/data-plane.ts'
import { createUpstream, type Seen, type Upstream } from './upstream.ts'

/** Longer than any deadline of the proxy that a client with an end can meet. */
const HANG_MS = 10_000

export interface Answer {
  status: number
  /** Of the upstream; -1: the proxy's own answer. */
  n: number
}

export interface Chain {
  upstream: Upstream
  port: number
  close: () => Promise<void>
  openConnections: () => number
}

export async function startChain(): Promise<Chain> {
  const upstream = createUpstream()
  const inner = createPlane('server')
  inner.plane.setClusters([staticCluster('inbound|8080||', await listen(upstream.server))])
  inner.plane.setRoutes([routes('in', forward('inbound|8080||'))])
  await inner.plane.setListeners([httpListener('in', { rds: 'in', inbound: true })])
  const outer = createPlane('client')
  outer.plane.setClusters([staticCluster('outbound', inner.port('in'))])
  outer.plane.setRoutes([routes('out', forward('outbound'))])
  await outer.plane.setListeners([httpListener('out', { rds: 'out' })])
  // what is kept of each exchange is not looked at here
  const forget = setInterval(() => {
    for (const { records } of [inner, outer]) records.ended.length = records.opened.length = 0
  }, 200)
  return {
    upstream,
    port: outer.port('out'),
    openConnections: () => outer.plane.listenerStats().reduce((sum, l) => sum + l.connections, 0),
    close: async () => {
      clearInterval(forget)
      await outer.plane.drain(0)
      await inner.plane.drain(0)
      upstream.server.closeAllConnections()
      upstream.server.close()
    },
  }
}

let numConnections = 0

/** From many loopback addresses: ended connections keep their ports for a minute, and one address has not enough of them. */
function nextAddress(): { localAddress?: string } {
  return process.platform === 'linux' ? { localAddress: `127.0.0.${1 + (numConnections++ % 100)}` } : {}
}

/** Writes the pieces one by one, half-closes, and resolves to all that came back; undefined: the proxy hung. */
export function converse(port: number, pieces: readonly Buffer[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...nextAddress() })
    const hang = setTimeout(() => {
      resolve(undefined)
      socket.destroy()
    }, HANG_MS)
    let text = ''
    let next = 0
    const step = (): void => {
      const piece = pieces[next++]
      if (piece === undefined || socket.destroyed) socket.end()
      else if (next === pieces.length) socket.end(piece)
      else {
        socket.write(piece)
        setImmediate(step)
      }
    }
    socket.setNoDelay(true)
    socket.on('connect', step)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(hang)
      resolve(text)
    })
  })
}

/** Final answers in `text`, in order; undefined where it is no sequence of answers. */
export function answersIn(text: string): Answer[] | undefined {
  const answers: Answer[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end < 0) return undefined
    const head = text.slice(at, end)
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]
    if (status === undefined) return undefined
    at = end + 4
    if (status.startsWith('1')) continue
    const n = /\r\nx-n: (\d+)(?:\r\n|$)/i.exec(head)?.[1]
    const length = Number(/\r\ncontent-length: (\d+)(?:\r\n|$)/i.exec(head)?.[1] ?? NaN)
    if (Number.isNaN(length)) return undefined
    if (!text.startsWith('HTTP/1.1 ', at)) at += length // an answer to HEAD has none
    answers.push({ status: Number(status), n: n === undefined ? -1 : Number(n) })
  }
  return answers
}

export interface Direct {
  seen: Seen[]
  /** Where llhttp gave up; '' where it did not. */
  fault: string
  /** Requests that llhttp read whole, told or not: where it sees PRI, node:http drops the connection with what it has not told. */
  numWhole: number
}

interface Reading extends Direct {
  begun: (() => boolean)[]
}

const readings = new WeakMap<object, Reading>()
const oracle = createUpstream({
  onBegun: (isWhole, socket) => {
    readings.get(socket)?.begun.push(isWhole)
  },
  onSeen: (seen, socket) => {
    readings.get(socket)?.seen.push(seen)
    oracle.seen.clear()
  },
  onFault: (code, socket) => {
    const reading = readings.get(socket)
    if (reading !== undefined) reading.fault ||= code
    oracle.faults.length = 0
  },
})

/** What llhttp by itself takes for requests in these bytes. */
export async function readDirectly(bytes: Buffer): Promise<Direct> {
  const reading: Reading = { seen: [], fault: '', numWhole: 0, begun: [] }
  const socket = new Inbox(bytes)
  readings.set(socket, reading)
  oracle.server.emit('connection', socket)
  await new Promise<void>((resolve) => socket.on('close', resolve).on('error', () => {}))
  reading.numWhole = reading.begun.filter((isWhole) => isWhole()).length
  return reading
}

/** A connection that has said all it will, to somebody who does not listen. */
class Inbox extends Duplex {
  readonly #bytes: Buffer
  #told = false
  constructor(bytes: Buffer) {
    super()
    this.#bytes = bytes
  }
  override _read(): void {
    if (this.#told) return
    this.#told = true
    this.push(this.#bytes)
    // a server answers what came before the end, and then sees it
    setImmediate(() => this.push(null))
  }
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }
}
