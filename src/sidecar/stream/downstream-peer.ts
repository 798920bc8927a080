/** What a stream asks of its downstream connection; the listener's codecs implement it. */
import type { BodyFraming } from '../codec/body.ts'
import type { OwnField } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'

export interface DownstreamPeer {
  /** Body bytes may come (again); what was held back comes now, then `onRequestReadEnd`. */
  resumeRequest(): void
  pauseRequest(): void
  sendInterim(head: Head): void
  /** `serviceMs`: how long the upstream took to begin its answer. */
  sendHead(head: Head, framing: BodyFraming, serviceMs: number): void
  /** The head that grants what was asked for: bodies are raw bytes from here on, both ways. */
  sendTunnel(head: Head, protocol: string): void
  sendBody(buf: Buffer, start: number, end: number): void
  sendTrailers(head: Head): void
  /** The response is whole; of a tunnel: no more bytes this way. */
  sendEnd(): void
  /** A whole response of our own. */
  sendLocal(status: number, body: string, fields: readonly OwnField[]): void
  /** Lets go what was written. False: it has enough, `onDownstreamDrain` follows. */
  flush(): boolean
  /** The response cannot be completed: cut it so that this shows. */
  abort(): void
  /** The exchange is over. */
  exchangeDone(): void
}
