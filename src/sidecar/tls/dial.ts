/**
 * A TLS connection to a mesh peer: where it listens and who may answer in, a verified socket out, once, by callback.
 * The time limit covers connecting and the handshake, like Envoy's connect_timeout.
 */
import type { NetConnectOpts, Socket } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { CredentialSource } from '../ports.ts'
import { clientTlsOptions, type ClientTls, peerRefused, trustDomainOf } from './context.ts'
import { type Peer, peerIdentity } from './verify.ts'

export interface DialTlsOptions extends ClientTls {
  credentials: CredentialSource
  timeoutMs: number
}

/**
 * `socket` is usable only without an error. Success means that the server is who we wanted: with TLS 1.3 it may still
 * refuse us afterwards, which shows as an end before the first byte.
 */
export type DialDone = (error: Error | null, socket: TLSSocket | null, peer: Peer | null) => void

/** `target`: what net.connect takes, `{ host, port }` or `{ path }`, or `{ socket }` that is connected already. */
export function dialTls(target: NetConnectOpts | { socket: Socket }, options: DialTlsOptions, done: DialDone): void {
  const credential = options.credentials.current()
  if (credential === undefined) {
    process.nextTick(done, new Error('no valid certificate to dial with'), null, null)
    return
  }
  const socket = connect({ noDelay: true, ...target, ...clientTlsOptions(credential, options) } as ConnectionOptions)
  let waiting = true
  const settle = (error: Error | null, peer: Peer | null): void => {
    if (!waiting) return
    waiting = false
    clearTimeout(timer)
    if (error !== null) socket.destroy()
    done(error, error === null ? socket : null, peer)
  }
  const timer = setTimeout(
    () => settle(Object.assign(new Error('connecting took too long'), { code: 'ETIMEDOUT' }), null),
    options.timeoutMs,
  )
  // stays for the socket's life: one without a listener would end the process
  socket.on('error', (error) => settle(error, null))
  socket.once('close', () => settle(Object.assign(new Error('closed early'), { code: 'ECONNRESET' }), null))
  socket.once('secureConnect', () => {
    const verdict = peerIdentity(socket, trustDomainOf(credential))
    if (verdict.ok) settle(null, verdict.peer)
    else settle(peerRefused(verdict.reason), null)
  })
}
