/**
 * What the stages of the data path ask of their neighbours, and tell them: credentials of tls/, records for telemetry/,
 * what of a push could not be honoured for xds-client/.
 * Interfaces only, so that each side can be tested with the other replaced.
 */
import type { Exchange } from './exchange.ts'
import type { PutLine } from './telemetry/log-format.ts'

/** A key, its certificate and the roots, of one generation; immutable. */
export interface Credential {
  /** Grows with every certificate. */
  generation: number
  spiffeId: string
  keyPem: string
  /** Leaf first. */
  certChainPem: string
  rootsPem: string
  serial: string
  notBeforeEpochMs: number
  notAfterEpochMs: number
}

export interface CredentialSource {
  /** The one to use for handshakes from now on; `undefined` before the first. */
  current(): Credential | undefined
  /** Calls back at every new generation; returns the function that stops it. */
  onChange(listener: (credential: Credential) => void): () => void
}

/** An access log that a listener asks for. */
export interface LogSpec {
  /** `-` is standard output. */
  file: string
  /** Its own format; the usual one else. */
  putLine?: PutLine
}

export interface TelemetrySink {
  /** Once per request or TCP connection, at its end. Must keep nothing of `x`: it is reused. */
  onEnd(x: Exchange): void
  /** TCP only: at its start. */
  onTcpOpen(x: Exchange): void
}

/** One bad resource of a push; the others were applied, its last good version stays. */
export interface Rejection {
  name: string
  detail: string
  /** It is not bad, an address is taken: tried again for as long as pushes name it. */
  retried?: boolean
}
