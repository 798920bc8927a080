/** How a sidecar serves each protocol. `http2` and `grpc` pass as opaque TCP while the codec speaks HTTP/1 only. */
import type { Protocol } from '../../client/contract.ts'

/** `sniff`: HTTP where the first bytes are HTTP, else TCP. */
export type Handling = 'http' | 'tcp' | 'sniff'

export const HANDLING: Readonly<Record<Protocol, Handling>> = {
  http: 'http',
  http2: 'tcp',
  grpc: 'tcp',
  tcp: 'tcp',
  tls: 'tcp',
  auto: 'sniff',
}
