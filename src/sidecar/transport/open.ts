/** The transport for a connection. */
import { StreamTransport, type TransportSide } from './stream-transport.ts'
import type { Transport } from './transport.ts'

export function openTransport(side: TransportSide): Transport {
  return new StreamTransport(side)
}
