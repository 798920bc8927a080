/** What a message's head says of its body, whichever codec read it. Leaf. */
import type { Head } from './head.ts'

export const BODY_NONE = 0
export const BODY_LENGTH = 1
export const BODY_CHUNKED = 2
/** Responses only: the end of the connection is the end of the body. */
export const BODY_UNTIL_CLOSE = 3
export type BodyKind = number

/** HTTP/2: BODY_CHUNKED is a body whose length nobody announced. */
export interface BodyFraming {
  readonly kind: BodyKind
  readonly lengthBytes: number
  /** A Content-Length was there, also where no body follows (HEAD, 304). */
  readonly hasLength: boolean
  readonly expectContinue: boolean
}

/** Takes ranges of body bytes, in order. */
export interface BodySink {
  onBody(buf: Buffer, start: number, end: number): void
  /** Trailers that may be passed on, if any, behind the last byte: valid during the call, never a part of the head. */
  onTrailers?(head: Head): void
}
