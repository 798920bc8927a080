/** What a sidecar asks of whoever issues its certificates, and how that fails. */
import type { Credential } from '../ports.ts'

export interface IssueRequest {
  csrPem: string
  /** One of the two proves who asks. */
  token: string | undefined
  credential: Credential | undefined
  /** Roots that the CA's own certificate is checked against. */
  rootsPem: string
}

/** Where certificates come from; the CA over gRPC, or a test. */
export interface CertificateIssuer {
  /** PEM, leaf first, root last. Rejects with a CaError. */
  issue(request: IssueRequest): Promise<string[]>
}

export class CaError extends Error {
  readonly code = 'CA'
  /** The CA answered, and will say the same again to this proof. */
  readonly refused: boolean
  constructor(message: string, refused: boolean) {
    super(message)
    this.refused = refused
  }
}
