/** The transport for a connection: on its handle where Node lets us, else over the public API. */
import { HandleTransport } from './handle-transport.ts'
import { handleOf } from './stream-handle.ts'
import { StreamTransport } from './stream-transport.ts'
import type { Transport, TransportSide } from './transport.ts'

/** `bufferLimitBytes`: how much may wait in it; `null`: as much as is usual. */
export function openTransport(side: TransportSide, bufferLimitBytes: number | null): Transport {
  const handle = side.input ? null : handleOf(side.socket)
  return handle === null
    ? new StreamTransport(side, bufferLimitBytes)
    : new HandleTransport(side, handle, bufferLimitBytes)
}
