/** What a listener keeps of its connections, whatever they speak. */
import type { TunnelSide } from '../stream/tunnel.ts'
import type { ConnectionInfo } from '../stream/context.ts'

/** An accepted connection, after TLS. */
export interface Downlink extends TunnelSide {
  info: ConnectionInfo
}

export interface Connection {
  readonly isIdle: boolean
  /** Finish what is under way, take nothing new. */
  drain(): void
  destroy(): void
}

export interface ConnectionOwner {
  onClosed(connection: Connection): void
}

/** Takes a CONNECT: answers it, and owns the socket if it does. Given to the forward proxy's listener only. */
export type ConnectHandler = (authority: string, link: Downlink, rest: Buffer, refuse: (status: number) => void) => void
