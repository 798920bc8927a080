/**
 * Connections to an endpoint: TCP or UNIX socket, mutual TLS above it where the endpoint wants it, one deadline for both.
 * In: an address, a transport. Out: one callback with a link or a fault. Owns: the socket until the callback.
 * Between proxies a PROXY v2 header goes first, below TLS (Envoy: ProxyProtocolUpstreamTransport).
 */
import net from 'node:net'
import { encodeProxyHeader } from '../codec/proxy-v2.ts'
import type { Address, IpAddress } from './address.ts'
import { lookupPublic, REFUSED_TARGET } from './forbidden.ts'
import { DirectInput } from '../transport/direct-input.ts'
import { hasHandles } from '../transport/stream-handle.ts'
import type { TransportSide } from '../transport/transport.ts'
import type { FileTls } from '../tls/files.ts'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'
import { ALPN_TCP } from '../../xds/names.ts'

/** What a TLS link to an endpoint must be. */
export interface TlsTarget {
  sni: string
  alpn: readonly string[]
  /** SPIFFE IDs, one of which the peer must have; `null`: any of the trust domain. */
  allowedIds: ReadonlySet<string> | null
  /** Certificates from files instead of the mesh's identity. */
  files?: FileTls | null
}

/** The same without HTTP: between proxies ALPN says so. What files are for has its own list. */
export function opaque(tls: TlsTarget | null): TlsTarget | null {
  return tls === null || tls.files ? tls : { ...tls, alpn: ALPN_TCP }
}

/** A connection that is up. */
export interface Link extends TransportSide {
  /** SPIFFE ID of the peer, '' without mutual TLS. */
  peerId: string
  /** What TLS has agreed on, '' for nothing. */
  alpn: string
  /** Of the certificate shown; 0 without TLS. */
  generation: number
  /** How long the peer's certificate is still good for; Infinity where it showed none. */
  lifeMs: number
}

export type ConnectFault = 'connect_failure' | 'connect_timeout' | 'refused_target'
export type DialDone = (fault: ConnectFault | null, detail: string, link: Link | null) => void

/** TLS over a connected socket, as tls/ does it. `done` is called once; on an error the raw socket is destroyed. */
export interface TlsDialer {
  handshake(
    raw: net.Socket,
    target: TlsTarget,
    done: (error: Error | null, secured: Pick<Link, 'socket' | 'peerId' | 'alpn' | 'lifeMs'> | null) => void,
  ): void
  /** Generation of the certificate that the next handshake shows. */
  generation(): number
}

export interface Dialer {
  wheel: TimerWheel
  tls: TlsDialer
  /** What a header says of a connection that belongs to no single client. */
  ownAddress: IpAddress
}

export interface DialTarget {
  address: Address
  tls: TlsTarget | null
  timeoutMs: number
  /** The first bytes of the connection. */
  header: Buffer | null
  /** Nothing but a transport reads it: see direct-input.ts. */
  direct?: boolean
}

/** The header of a connection for `source` (`null`: for several clients) to `destination` (`null`: it names none). */
export function proxyHeader(dialer: Dialer, source: IpAddress | null, destination: IpAddress | null): Buffer {
  const from = source ?? dialer.ownAddress
  return encodeProxyHeader(from, destination ?? from)
}

/** Starts a connection; the returned function gives it up (then `done` is not called). */
export function dial(dialer: Dialer, target: DialTarget, done: DialDone): () => void {
  const { address, tls, timeoutMs, header } = target
  // below TLS the bytes are not ours to read
  const input = target.direct === true && tls === null && !hasHandles ? new DirectInput() : null
  const options = { ...connectOptions(address), allowHalfOpen: true }
  const raw = net.connect(input === null ? options : { ...options, onread: input.onread })
  let settled = false
  const settle = (fault: ConnectFault | null, detail: string, link: Link | null): void => {
    if (settled) return
    settled = true
    dialer.wheel.cancel(deadline)
    raw.off('connect', onConnect)
    if (link === null) raw.destroy()
    else raw.off('error', onError).off('close', onClose)
    done(fault, detail, link)
  }
  const deadline = new TimerEntry(() => settle('connect_timeout', '', null))
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === REFUSED_TARGET) settle('refused_target', '', null)
    settle('connect_failure', tls !== null && raw.readyState === 'open' ? tlsDetail(error) : connectDetail(error), null)
  }
  const onClose = (): void => settle('connect_failure', 'connection closed', null)
  const onConnect = (): void => {
    if (header !== null) raw.write(header)
    if (tls === null) {
      settle(null, '', { socket: raw, raw, peerId: '', alpn: '', generation: 0, lifeMs: Infinity, input })
      return
    }
    const generation = dialer.tls.generation()
    dialer.tls.handshake(raw, tls, (error, secured) => {
      if (secured === null) settle('connect_failure', tlsDetail(error), null)
      else if (settled) raw.destroy()
      else settle(null, '', { ...secured, raw, generation, input: null })
    })
  }
  raw.on('error', onError)
  raw.on('close', onClose)
  raw.on('connect', onConnect)
  dialer.wheel.schedule(deadline, timeoutMs)
  return () => {
    if (settled) return
    settled = true
    dialer.wheel.cancel(deadline)
    raw.on('error', ignore).destroy()
  }
}

function connectOptions(address: Address): net.NetConnectOpts {
  if ('path' in address) return { path: address.path }
  const { host, port, family = 0 } = address
  return address.publicOnly === true
    ? { host, port, noDelay: true, lookup: lookupPublic }
    : { host, port, noDelay: true, family }
}

function ignore(): void {
  // given up: nobody is interested any more
}

const ERRNO_TEXT: Record<string, string> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ENOENT: 'No such file or directory',
}

function connectDetail(error: NodeJS.ErrnoException): string {
  return `delayed connect error: ${ERRNO_TEXT[error.code ?? ''] ?? error.code ?? error.message}`
}

function tlsDetail(error: Error | null): string {
  return `TLS_error:|${error?.message ?? 'handshake failed'}`
}
