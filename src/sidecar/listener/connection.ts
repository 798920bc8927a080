/** What a listener keeps of its connections, whatever they speak. */
import type { IpAddress } from '../pool/address.ts'
import type { ConnectionInfo } from '../stream/context.ts'
import type { TransportSide } from '../transport/transport.ts'

/** An accepted connection, after TLS. */
export interface Downlink extends TransportSide {
  info: ConnectionInfo
  /** What TLS has agreed on, '' for nothing. */
  alpn: string
  /** How long the peer's certificate is still good for; Infinity where it showed none. */
  lifeMs: number
}

/** What is known of a connection before its own first byte; `null` where its socket says it. */
export interface Origin {
  /** Whose it is. */
  source: IpAddress | null
  /** Whom the other proxy was asked for. */
  local: IpAddress | null
  /** Where a captured connection meant to go. */
  originalDst: IpAddress | null
}

export interface Connection {
  /** Bytes of either direction that wait in it. */
  readonly bufferedBytes: number
  /** Finish what is under way, take nothing new. */
  drain(): void
  /** There are new rules: what runs on under the old ones ends if they refuse it. */
  recheck(): void
  destroy(): void
}

export interface ConnectionOwner {
  onClosed(connection: Connection): void
}

/** Takes a CONNECT: answers it, and owns the socket if it does. Given to the forward proxy's listener only. */
export type ConnectHandler = (authority: string, link: Downlink, rest: Buffer, refuse: (status: number) => void) => void

/** What other than HTTP/1.1 may become of a connection; `null`: it is refused. */
export interface Handovers {
  /** CONNECT, on the forward proxy's port. */
  connect: ConnectHandler | null
  /** The preface of HTTP/2 without TLS (prior knowledge). */
  http2: ((link: Downlink, head: Buffer) => void) | null
}
