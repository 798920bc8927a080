/** What a stream asks of its downstream connection; the listener's codec implements it. */
import type { Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import type { Http1Connection } from '../pool/http1.ts'

export interface DownstreamPeer {
  /** Body bytes may come (again); what was held back comes now, then `onRequestReadEnd`. */
  resumeRequest(): void
  pauseRequest(): void
  sendInterim(head: Head): void
  /** `serviceMs`: how long the upstream took to begin its answer. */
  sendHead(head: Head, framing: Framing, serviceMs: number): void
  sendBody(buf: Buffer, start: number, end: number): void
  sendEnd(): void
  /** A whole response of our own; `lines` are header lines. */
  sendLocal(status: number, body: string, lines: string): void
  /** Gives what waits to the socket. False: it has enough. */
  flush(): boolean
  /** The response cannot be completed: cut the connection so that this shows. */
  abort(): void
  /** Hands both sides to a tunnel; its end is told by `onTunnelEnd`. */
  switchProtocols(head: Head, upstream: Http1Connection, rest: Buffer): void
  /** The exchange is over. */
  exchangeDone(): void
}
