/**
 * Looks at the first bytes of a connection before anything is decided about it (Envoy: listener filters).
 * In: an accepted socket. Out: what was seen and the bytes read, once. Owns the socket's events until then.
 */
import type { Socket } from 'node:net'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { readClientHello } from './client-hello.ts'

export interface Seen {
  transport: 'tls' | 'raw_buffer'
  sni: string
  /** Offered by TLS, or `http/1.1`, `http/1.0`, `h2c` seen in the bytes themselves. */
  protocols: readonly string[]
}

export interface Inspection {
  tls: boolean
  http: boolean
  timeoutMs: number
}

const PLAIN: Seen = { transport: 'raw_buffer', sni: '', protocols: [] }
const H2_PREFACE = 'PRI * HTTP/2.0\r\n'
/** A request line longer than this is not waited for. */
const MAX_SNIFF_BYTES = 8192

/**
 * `done` gets `null` when the socket ended first. A silent client (a protocol where the server speaks first) counts as
 * plain after the timeout.
 */
export function inspect(
  raw: Socket,
  already: Buffer | null,
  wanted: Inspection,
  wheel: TimerWheel,
  done: (seen: Seen | null, head: Buffer | null) => void,
): void {
  let head = already
  const first = look(head, wanted)
  if (first !== null) {
    done(first, head)
    return
  }
  const finish = (seen: Seen | null): void => {
    wheel.cancel(deadline)
    raw.pause()
    raw.off('data', onData).off('end', onGone).off('error', onGone).off('close', onGone)
    done(seen, head)
  }
  const onData = (chunk: Buffer): void => {
    head = head === null ? chunk : Buffer.concat([head, chunk])
    const seen = look(head, wanted)
    if (seen !== null) finish(seen)
  }
  const onGone = (): void => {
    // it may have said a little before its FIN: that still has its answer
    if (head !== null && head.length > 0 && !raw.destroyed && raw.readableEnded) finish(PLAIN)
    else {
      finish(null)
      raw.on('error', ignore).destroy()
    }
  }
  const deadline = new TimerEntry(() => finish(PLAIN))
  raw.on('data', onData).on('end', onGone).on('error', onGone).on('close', onGone)
  wheel.schedule(deadline, wanted.timeoutMs)
  raw.resume()
}

/** `null`: more bytes are needed. */
function look(head: Buffer | null, wanted: Inspection): Seen | null {
  if (!wanted.tls && !wanted.http) return PLAIN
  if (head === null || head.length === 0) return null
  if (wanted.tls) {
    const hello = readClientHello(head)
    if (hello.kind === 'more') return null
    if (hello.kind === 'tls') return { transport: 'tls', sni: hello.sni, protocols: hello.alpn }
  }
  if (!wanted.http) return PLAIN
  const protocol = sniffHttp(head)
  if (protocol === 'more') return null
  return protocol === '' ? PLAIN : { transport: 'raw_buffer', sni: '', protocols: [protocol] }
}

/** `http/1.1`, `http/1.0`, `h2c`; '' is something else. */
function sniffHttp(head: Buffer): string {
  const text = head.toString('latin1', 0, MAX_SNIFF_BYTES)
  if (text.startsWith(H2_PREFACE)) return 'h2c'
  if (H2_PREFACE.startsWith(text)) return 'more'
  const line = text.indexOf('\n')
  if (line >= 0) {
    const match = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.([01])\r?\n/.exec(text)
    return match === null ? '' : match[1] === '1' ? 'http/1.1' : 'http/1.0'
  }
  // what can still become a request line
  return text.length < MAX_SNIFF_BYTES && /^[A-Z]{1,24}($| [\x21-\x7e]*($| [HTP/1.0-9]*\r?$))/.test(text) ? 'more' : ''
}

function ignore(): void {
  // gone: there is nobody to tell
}
