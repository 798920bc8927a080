/**
 * The access log. In: ended exchanges. Out: one line each, in Istio's default text format or one of log-format.ts, to a
 * file or standard output. Lines are bytes in one buffer that goes to sonic-boom when it is nearly full or 100 ms old; a
 * disk that does not keep up costs lines (counted), never a request's time.
 *
 *   [START] "METHOD PATH PROTOCOL" CODE FLAGS DETAILS TERMINATION "TRANSPORT_FAILURE" RECEIVED SENT DURATION
 *   UPSTREAM_TIME "XFF" "USER_AGENT" "REQUEST_ID" "AUTHORITY" "UPSTREAM_HOST" CLUSTER UPSTREAM_LOCAL
 *   DOWNSTREAM_LOCAL DOWNSTREAM_REMOTE SNI ROUTE
 */
import sonicBoom from 'sonic-boom'
import type { Exchange } from '../exchange.ts'
import { LineBuffer } from './line-buffer.ts'
import type { PutLine } from './log-format.ts'

const { SonicBoom } = sonicBoom

const FLUSH_AFTER_MS = 100
/** Handed over but not yet written; more is dropped. */
const MAX_PENDING_BYTES = 1024 * 1024
/** A full pipe may never take the rest: closing gives up then. */
const CLOSE_WITHIN_MS = 1000

export class AccessLog {
  /** Lines lost: the sink was too slow, or failed. */
  dropped = 0
  readonly #sink: InstanceType<typeof SonicBoom>
  readonly #buffer = new LineBuffer()
  readonly #putLine: PutLine
  #linesInBuffer = 0
  #linesHandedOver = 0
  #flushTimer: NodeJS.Timeout | undefined
  #closed = false

  /** `-` is standard output. The file is appended to, 0600, its folders made. */
  constructor(file: string, putLine: PutLine = putDefault) {
    this.#putLine = putLine
    this.#sink = new SonicBoom({
      ...(file === '-' ? { fd: 1 } : { dest: file, mkdir: true, mode: 0o600 }),
      contentMode: 'buffer',
      maxLength: MAX_PENDING_BYTES,
    })
    this.#sink.on('drop', () => (this.dropped += this.#linesHandedOver))
    // a full disk: sonic-boom keeps the bytes and tries again with the next write, until MAX_PENDING_BYTES
    this.#sink.on('error', () => {})
  }

  /** hot: bytes into the buffer, no strings. */
  write(x: Exchange): void {
    if (this.#closed) {
      this.dropped++
      return
    }
    if (this.#buffer.isNearlyFull()) this.flush()
    this.#putLine(this.#buffer, x)
    this.#linesInBuffer++
    this.#flushTimer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref()
  }

  /** Hands the buffered lines to the writer; does not wait. */
  flush(): void {
    clearTimeout(this.#flushTimer)
    this.#flushTimer = undefined
    if (this.#linesInBuffer === 0) return
    this.#linesHandedOver = this.#linesInBuffer
    this.#linesInBuffer = 0
    const bytes = this.#buffer.take()
    try {
      // @types speak of strings only; contentMode 'buffer' takes bytes
      this.#sink.write(bytes as unknown as string)
    } catch {
      // the file was never opened
      this.dropped += this.#linesHandedOver
    }
  }

  /** Writes what is buffered and closes the file; a sink that is stuck is left after a second. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.flush()
    this.#closed = true
    const sink = this.#sink
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_WITHIN_MS)
      const done = (): void => {
        clearTimeout(timer)
        resolve()
      }
      sink.once('close', done)
      sink.once('error', done)
      sink.end()
    })
  }
}

function putDefault(out: LineBuffer, x: Exchange): void {
  out.putRaw('[')
  out.putTime(x.startEpochMs)
  out.putRaw('] "')
  out.putField(x.method)
  out.putRaw(' ')
  out.putField(x.originalPath === '' ? x.path : x.originalPath)
  out.putRaw(' ')
  out.putField(x.httpVersion)
  out.putRaw('" ')
  out.putInteger(x.responseCode)
  putWord(out, x.responseFlags)
  putWord(out, x.responseCodeDetails)
  putWord(out, x.connectionTerminationDetails)
  putQuoted(out, x.upstreamTransportFailure)
  putNumber(out, x.bytesReceived)
  putNumber(out, x.bytesSent)
  putNumber(out, x.durationMs)
  putNumber(out, x.upstreamServiceMs)
  putQuoted(out, x.forwardedFor)
  putQuoted(out, x.userAgent)
  putQuoted(out, x.requestId)
  putQuoted(out, x.authority)
  putQuoted(out, x.upstreamHost)
  putWord(out, x.clusterName)
  putWord(out, x.upstreamLocalAddress)
  putWord(out, x.downstreamLocalAddress)
  putWord(out, x.downstreamRemoteAddress)
  putWord(out, x.requestedServerName)
  putWord(out, x.routeName)
  out.putRaw('\n')
}

function putWord(out: LineBuffer, value: string): void {
  out.putRaw(' ')
  out.putWord(value)
}

function putQuoted(out: LineBuffer, value: string): void {
  out.putRaw(' "')
  out.putField(value)
  out.putRaw('"')
}

function putNumber(out: LineBuffer, value: number): void {
  out.putRaw(' ')
  out.putNumber(value, '-')
}
