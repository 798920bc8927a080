/**
 * What a codec says of the bytes it was given. What a peer sends wrongly is a value, never an exception.
 * The numbers above DONE are faults; for a request they have the status that answers them.
 */
export type Verdict = number

/** All bytes were taken, the message goes on. */
export const MORE = 0
export const DONE = 1
export const BAD_MESSAGE = 400
export const NOT_SERVED = 405
/** Given by who waits for a message: no codec has a clock. */
export const TIMED_OUT = 408
export const TARGET_TOO_LONG = 414
export const EXPECTATION_FAILED = 417
export const UPGRADE_REQUIRED = 426
export const HEAD_TOO_LARGE = 431
export const UNKNOWN_CODING = 501
export const BAD_VERSION = 505

/** HTTP/2: this stream's message is against RFC 9113 section 8; the connection goes on. */
export const MALFORMED = 400
/** HTTP/2: as MALFORMED, for a list of fields over its limit. */
export const HEADERS_TOO_LARGE = 431
/** HTTP/2: the tables of both sides are out of step (RFC 9113 section 4.3); ends the connection. */
export const COMPRESSION_FAULT = 9
