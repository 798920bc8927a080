/**
 * One question to the CA: request and proof in, chain out, or a CaError that says whether asking again can help.
 * A connection per question: it shows the certificate of that moment. Loaded with the first question: with it comes gRPC.
 */
import { createSecureContext, type SecureContext } from 'node:tls'
import { constants } from 'node:crypto'
import { ChannelCredentials, Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { controlPlaneId } from '../../identity/spiffe-id.ts'
import { CREATE_CERTIFICATE, type CertificateResponse } from '../../xds/ca-service.ts'
import { checkServer, clientContext } from './context.ts'
import { CaError, type CertificateIssuer, type IssueRequest } from './issuer.ts'

const DEADLINE_MS = 5_000
const FINAL: ReadonlySet<number> = new Set([
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.INVALID_ARGUMENT,
  status.UNIMPLEMENTED,
])

export class CaClient implements CertificateIssuer {
  readonly #socket: string
  readonly #trustDomain: string
  readonly #serverIds: ReadonlySet<string>

  constructor(socket: string, trustDomain: string) {
    this.#socket = socket
    this.#trustDomain = trustDomain
    this.#serverIds = new Set([controlPlaneId(trustDomain)])
  }

  issue(request: IssueRequest): Promise<string[]> {
    const { csrPem, token, credential, rootsPem } = request
    const context = credential === undefined ? anonymousContext(rootsPem) : clientContext(credential).secureContext
    const credentials = ChannelCredentials.createFromSecureContext(context, {
      checkServerIdentity: (_host, certificate) => checkServer(certificate.raw, this.#trustDomain, this.#serverIds),
    })
    const client = new Client(`unix:${this.#socket}`, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
    })
    const metadata = new Metadata()
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
    return new Promise<string[]>((resolve, reject) => {
      const done = (error: ServiceError | null, response?: CertificateResponse): void => {
        client.close()
        if (error === null) resolve(response?.certChain ?? [])
        else reject(new CaError(error.details, FINAL.has(error.code)))
      }
      const { path, requestSerialize, responseDeserialize } = CREATE_CERTIFICATE
      const options = { deadline: Date.now() + DEADLINE_MS }
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { csr: csrPem }, metadata, options, done)
    })
  }
}

/** Without a certificate of our own yet. */
function anonymousContext(rootsPem: string): SecureContext {
  return createSecureContext({
    ca: rootsPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
}
