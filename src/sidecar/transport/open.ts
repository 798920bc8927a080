/** The transport for a connection: on its handle where Node lets us, else over the public API. */
import { HandleTransport } from './handle-transport.ts'
import { handleOf } from './stream-handle.ts'
import { StreamTransport } from './stream-transport.ts'
import type { Transport, TransportSide } from './transport.ts'

/**
 * What of a session's output may wait in its transport, where the configuration says nothing. TLS tells only a turn later
 * that a write is done: a turn's output must not look like a peer that does not read.
 */
const SESSION_BUFFER_BYTES = 256 * 1024

/** `bufferLimitBytes`: how much may wait in it; `null`: as much as is usual. */
export function openTransport(side: TransportSide, bufferLimitBytes: number | null): Transport {
  const handle = side.input ? null : handleOf(side.socket)
  return handle === null
    ? new StreamTransport(side, bufferLimitBytes)
    : new HandleTransport(side, handle, bufferLimitBytes)
}

/** How much may wait in the transport of an HTTP/2 connection, of either side. */
export function sessionBufferBytes(bufferLimitBytes: number | null): number {
  return bufferLimitBytes ?? SESSION_BUFFER_BYTES
}
