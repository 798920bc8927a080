/** How a sidecar serves each protocol. */
import type { Protocol } from '../../client/contract.ts'

/** `sniff`: HTTP where the first bytes are HTTP, else TCP. */
export type Handling = 'http' | 'tcp' | 'sniff'

export const HANDLING: Readonly<Record<Protocol, Handling>> = {
  http: 'http',
  http2: 'http',
  grpc: 'http',
  tcp: 'tcp',
  tls: 'tcp',
  auto: 'sniff',
}
