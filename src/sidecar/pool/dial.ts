/**
 * Connections to an endpoint: TCP or UNIX socket, mutual TLS above it where the endpoint wants it, one deadline for both.
 * In: an address, a transport. Out: one callback with a link or a fault. Owns: the socket until the callback.
 */
import net from 'node:net'
import { lookupPublic, REFUSED_TARGET } from './forbidden.ts'
import { DirectInput } from './input.ts'
import { TimerEntry, type TimerWheel } from '../../lib/timer-wheel.ts'

/** `publicOnly`: named by a caller; what it resolves to must not be this host. */
export type Address = { host: string; port: number; publicOnly?: boolean } | { path: string }

/** `127.0.0.1:8080`, `[::1]:8080` or the path. */
export function addressLabel(address: Address): string {
  if ('path' in address) return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** What a TLS link to an endpoint must be. */
export interface TlsTarget {
  sni: string
  alpn: readonly string[]
  /** SPIFFE IDs, one of which the peer must have; `null`: any of the trust domain. */
  allowedIds: ReadonlySet<string> | null
}

/** A connection that is up. */
export interface Link {
  /** Where bytes go in and out. */
  socket: net.Socket
  /** The socket below TLS, or the same one: only this can be reset. */
  raw: net.Socket
  /** SPIFFE ID of the peer, '' without mutual TLS. */
  peerId: string
  /** Of the certificate shown; 0 without TLS. */
  generation: number
  /** How bytes come in where they do not come as `data` events. */
  input: DirectInput | null
}

export type ConnectFault = 'connect_failure' | 'connect_timeout' | 'refused_target'
export type DialDone = (fault: ConnectFault | null, detail: string, link: Link | null) => void

/** TLS over a connected socket, as tls/ does it. `done` is called once; on an error the raw socket is destroyed. */
export interface TlsDialer {
  handshake(
    raw: net.Socket,
    target: TlsTarget,
    done: (error: Error | null, socket: net.Socket | null, peerId: string) => void,
  ): void
  /** Generation of the certificate that the next handshake shows. */
  generation(): number
}

export interface Dialer {
  wheel: TimerWheel
  tls: TlsDialer
}

/** Starts a connection; the returned function gives it up (then `done` is not called). `direct`: see input.ts. */
export function dial(
  dialer: Dialer,
  address: Address,
  tls: TlsTarget | null,
  timeoutMs: number,
  done: DialDone,
  direct = false,
): () => void {
  const input = direct && tls === null ? new DirectInput() : null // below TLS the bytes are not ours to read

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
    if (tls === null) {
      settle(null, '', { socket: raw, raw, peerId: '', generation: 0, input })
      return
    }
    const generation = dialer.tls.generation()
    dialer.tls.handshake(raw, tls, (error, socket, peerId) => {
      if (error !== null || socket === null) settle('connect_failure', tlsDetail(error), null)
      else if (settled) raw.destroy()
      else settle(null, '', { socket, raw, peerId, generation, input: null })
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
  const { host, port } = address
  return address.publicOnly === true
    ? { host, port, noDelay: true, lookup: lookupPublic }
    : { host, port, noDelay: true }
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
