/**
 * One exchange on an upstream connection, whatever it speaks: what a stream asks of it (`UpstreamExchange`), and what it
 * tells the stream (`UpstreamHandler`). http1.ts, http2-request.ts and raw.ts implement the first, stream/upstream-side.ts the second.
 */
import type { BodyFraming, BodySink } from '../codec/body.ts'
import type { HeadEncoder } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import type { ConnectFault } from './dial.ts'

/** `refused_stream`: the peer has not begun with it, so anything may be sent again. */
export type ResetFault = 'connection_termination' | 'protocol_error' | 'remote_reset' | 'refused_stream'
/** `no_upgrades`: the peer speaks HTTP/2 without extended CONNECT. */
export type PoolFault = ConnectFault | 'overflow' | 'no_upgrades'

/** Bytes to and from an upstream, whatever frames them. */
export interface UpstreamBody {
  /** SPIFFE ID of the peer, '' without mutual TLS. */
  readonly peerId: string
  readonly localAddress: string
  /** Its connection has served a request before, and nothing of an answer has come: it may have been stale. */
  readonly reused: boolean
  /** It can tell that it has not looked at a request (HTTP/2: REFUSED_STREAM, GOAWAY). */
  readonly canRefuse: boolean
  sendBody(buf: Buffer, start: number, end: number): void
  /** Only before `sendEnd`. */
  sendTrailers(head: Head): void
  /** The request is whole; of a tunnel: no more bytes this way. */
  sendEnd(): void
  /** Lets go what was written. False: it has enough, `onUpstreamDrain` follows. */
  flush(): boolean
  /** Of the response's body. */
  pause(): void
  resume(): void
  /** Gives the exchange up; nothing is told any more. */
  cancel(): void
}

export interface UpstreamExchange extends UpstreamBody {
  /** The head goes out through this, after `beginRequest`. */
  readonly encoder: HeadEncoder
  beginRequest(framing: BodyFraming): void
}

/** Who asks for an exchange. All calls come in this order; after onEnd, onReset or onPoolFailure no more. */
export interface UpstreamHandler extends BodySink {
  /** Of the request: says whether a response has a body, and whether a tunnel was asked for. */
  readonly method: string
  readonly upgrade: string
  /** Its client speaks HTTP/2, and so may the program at the other end. */
  readonly prefersHttp2: boolean
  onReady(exchange: UpstreamExchange): void
  /** Instead of `onReady`: a connection without HTTP on it, where one was asked for. */
  onConnected(connection: UpstreamBody): void
  onPoolFailure(fault: PoolFault, detail: string): void
  onInterim(head: Head): void
  onHead(head: Head, framing: BodyFraming): void
  /** Instead of `onHead`: what was asked for is granted; bodies are raw bytes from here on, both ways. */
  onTunnel(head: Head): void
  onTrailers(head: Head): void
  onEnd(): void
  onReset(fault: ResetFault, detail: string): void
  /** Bytes are taken again after a `flush` said no. */
  onUpstreamDrain(): void
  /** The events of one read are over: time to flush. */
  onReadEnd(): void
}
