/** HTTP/2 with prior knowledge, on node:http2: `streams` slots a connection. Also gRPC unary calls, whose framing is added here. */
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { once } from 'node:events'
import { GRPC_METHOD_PATH, GRPC_PREFIX_BYTES } from '../grpc/method.ts'
import { REQUEST_HEADERS } from '../tools/request-headers.ts'
import type { RequestsJob } from './job.ts'
import type { Done, Slot, Wire, WireMaker } from './wire.ts'

interface Shape {
  headers: OutgoingHttpHeaders
  body: Buffer | undefined
  /** Of DATA, framing included. */
  expectedBytes: number
  /** The answer ends with a `grpc-status` of 0. */
  isGrpc: boolean
}

export const http2Wire: WireMaker = (job, done) => open(job, getShape(job), done)
export const grpcWire: WireMaker = (job, done) => open(job, grpcShape(job), done)

function getShape({ path, expectedBytes }: RequestsJob): Shape {
  const { host, ...others } = REQUEST_HEADERS
  const headers = { ':method': 'GET', ':path': path, ':authority': host, ...others }
  return { headers, body: undefined, expectedBytes, isGrpc: false }
}

function grpcShape({ expectedBytes }: RequestsJob): Shape {
  const headers = {
    ':method': 'POST',
    ':path': GRPC_METHOD_PATH,
    ':authority': REQUEST_HEADERS['host'],
    'content-type': 'application/grpc',
    te: 'trailers',
  }
  const body = Buffer.alloc(GRPC_PREFIX_BYTES + expectedBytes)
  body.writeUInt32BE(expectedBytes, 1)
  return { headers, body, expectedBytes: body.length, isGrpc: true }
}

async function open({ port, connections, streams }: RequestsJob, shape: Shape, done: Done): Promise<Wire> {
  const sessions: ClientHttp2Session[] = []
  for (let i = 0; i < connections; i++) {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1024 * 1024 } })
    session.on('error', () => session.destroy())
    await once(session, 'connect')
    sessions.push(session)
  }
  const slots = sessions.flatMap((session) =>
    Array.from({ length: streams }, () => new StreamSlot(session, shape, done)),
  )
  return { slots, close: () => sessions.forEach((session) => session.destroy()) }
}

class StreamSlot implements Slot {
  readonly #session: ClientHttp2Session
  readonly #shape: Shape
  readonly #done: Done

  constructor(session: ClientHttp2Session, shape: Shape, done: Done) {
    this.#session = session
    this.#shape = shape
    this.#done = done
  }

  send(): void {
    const { headers, body, expectedBytes, isGrpc } = this.#shape
    if (this.#session.destroyed) {
      setImmediate(() => this.#done(this, 'connection lost'))
      return
    }
    const stream = this.#session.request(headers, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    let status = 0
    let bytes = 0
    let grpcStatus: unknown = isGrpc ? 'none' : '0'
    const readTrailers = (fields: IncomingHttpHeaders): void => {
      if (fields['grpc-status'] !== undefined) grpcStatus = fields['grpc-status']
    }
    stream.on('response', (fields) => {
      status = Number(fields[constants.HTTP2_HEADER_STATUS] ?? 0)
      readTrailers(fields)
    })
    stream.on('trailers', readTrailers)
    stream.on('data', (piece: Buffer) => (bytes += piece.length))
    stream.on('error', () => {})
    stream.on('close', () => {
      if (status !== 200) this.#done(this, `status ${status}`)
      else if (bytes !== expectedBytes) this.#done(this, `a body of ${bytes} bytes`)
      else this.#done(this, grpcStatus === '0' ? undefined : `grpc-status ${String(grpcStatus)}`)
    })
  }
}
