/**
 * The CA on the wire: Istio's CreateCertificate over gRPC and TLS on a UNIX socket. In: calls with a bootstrap token or
 * a client certificate. Out: the chain, or a status that names the refusal. All rules are ca.ts's.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import type { Log } from '../../lib/log.ts'
import { CERTIFICATE_SERVICE, type CertificateRequest, type CertificateResponse } from '../../xds/ca-service.ts'
import type { CallerVerdict, CaRefusal, CertificateAuthority } from './ca.ts'
import { peerCertificate, serverCredentials } from './server-credentials.ts'

const MAX_REQUEST_BYTES = 65_536
const BEARER = /^Bearer ([^ ]+)$/

const STATUS: Partial<Record<CaRefusal, grpc.status>> = {
  no_credentials: grpc.status.UNAUTHENTICATED,
  unknown_token: grpc.status.UNAUTHENTICATED,
  expired_token: grpc.status.UNAUTHENTICATED,
  untrusted_certificate: grpc.status.UNAUTHENTICATED,
  replayed_token: grpc.status.PERMISSION_DENIED,
  not_a_workload: grpc.status.PERMISSION_DENIED,
  foreign_trust_domain: grpc.status.PERMISSION_DENIED,
  other_identity: grpc.status.PERMISSION_DENIED,
  key_in_use: grpc.status.PERMISSION_DENIED,
  too_often: grpc.status.RESOURCE_EXHAUSTED,
}

export interface CaServerOptions {
  ca: CertificateAuthority
  socket: string
  log: Log
}

/** Listens, 0600. `close` lets calls finish for a second. */
export async function startCaServer(options: CaServerOptions): Promise<{ close(): Promise<void> }> {
  const { ca, socket, log } = options
  const own = serverCredentials({ ca, requireClientCertificate: false })
  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': 16,
    'grpc-node.max_session_memory': 1,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  })
  server.addService(CERTIFICATE_SERVICE, {
    createCertificate(
      call: grpc.ServerUnaryCall<CertificateRequest, CertificateResponse>,
      done: grpc.sendUnaryData<CertificateResponse>,
    ) {
      void reply(ca, call, done, log)
    },
  })
  removeStale(socket)
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, own.credentials, (error) => (error === null ? resolve() : reject(error)))
  })
  chmodSync(socket, 0o600)
  return {
    async close() {
      own.close()
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => server.forceShutdown(), 1000)
        server.tryShutdown(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    },
  }
}

async function reply(
  ca: CertificateAuthority,
  call: grpc.ServerUnaryCall<CertificateRequest, CertificateResponse>,
  done: grpc.sendUnaryData<CertificateResponse>,
  log: Log,
): Promise<void> {
  let response: CertificateResponse
  try {
    response = await answer(ca, call, log)
  } catch (error) {
    done(error as Error)
    return
  }
  done(null, response)
}

async function answer(
  ca: CertificateAuthority,
  call: grpc.ServerUnaryCall<CertificateRequest, CertificateResponse>,
  log: Log,
): Promise<CertificateResponse> {
  const authenticated = authenticate(ca, call)
  const ttlMs = (call.request.validityDuration ?? 0) * 1000
  const verdict = authenticated.ok ? await ca.issue(authenticated.caller, call.request.csr ?? '', ttlMs) : authenticated
  if (verdict.ok) return { certChain: verdict.certChain }
  const { refusal, reason } = verdict
  const spiffeId = authenticated.ok ? authenticated.caller.spiffeId : undefined
  log.warn({ refusal, reason, spiffeId }, 'certificate refused')
  throw Object.assign(new Error(`${refusal}: ${reason}`), {
    code: STATUS[refusal] ?? grpc.status.INVALID_ARGUMENT,
    details: `${refusal}: ${reason}`,
  })
}

/** A token decides alone, even beside a good certificate; without one the certificate does. */
function authenticate(
  ca: CertificateAuthority,
  call: grpc.ServerUnaryCall<CertificateRequest, CertificateResponse>,
): CallerVerdict {
  const headers = call.metadata.get('authorization')
  if (headers.length > 0) {
    const token = headers.length === 1 ? BEARER.exec(String(headers[0]))?.[1] : undefined
    return ca.callerOfToken(token ?? '')
  }
  const der = peerCertificate(call)
  if (der !== undefined) return ca.callerOfCertificate(der)
  return { ok: false, refusal: 'no_credentials', reason: 'neither a bootstrap token nor a valid client certificate' }
}

/** The socket of a control plane that was killed; anything else there is not ours to remove. */
function removeStale(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
