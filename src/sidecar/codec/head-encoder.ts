/**
 * How a head is written, whatever the version: a start, fields, the end. HTTP/1.1 makes lines of it (http1/encode.ts),
 * HTTP/2 a header block (http2/head-encoder.ts). Who writes a head decides what is in it, never how it looks.
 */
import type { BodyKind } from './body.ts'
import type { Head } from './head.ts'
import type { HeaderName } from './names.ts'

/** A field of the proxy's own. */
export type OwnField = readonly [HeaderName, string]

export interface HeadEncoder {
  /** `protocol`: of an upgrade or extended CONNECT, else ''. `sensitive`: as `Head.sensitivePseudos`. */
  request(method: string, path: string, authority: string, protocol: string, sensitive: number): void
  status(status: number): void
  /** Fields of a head but those in `drop` (by id) and dropped ones. */
  fields(head: Head, drop: Uint8Array): void
  field(name: HeaderName, value: string): void
  /** A field whose value hardly comes twice (ids): not worth a place in a table. */
  uniqueField(name: HeaderName, value: string): void
  decimal(name: HeaderName, value: number): void
  /** How the body will be framed. */
  framing(kind: BodyKind, lengthBytes: number): void
  /** `last`: neither body nor trailers follow. */
  end(last: boolean): void
}
