/** Istio's certificate service on the wire, as grpc-js wants a method described; both ends share it. */
import type { ServiceDefinition } from '@grpc/grpc-js'
import { istio } from './generated/xds.js'

export type CertificateRequest = istio.v1.auth.IstioCertificateRequest
export type CertificateResponse = istio.v1.auth.IstioCertificateResponse

const { IstioCertificateRequest, IstioCertificateResponse } = istio.v1.auth

export const CREATE_CERTIFICATE = {
  path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
  requestStream: false,
  responseStream: false,
  requestSerialize: (message: CertificateRequest): Buffer =>
    Buffer.from(IstioCertificateRequest.encode(message).finish()),
  requestDeserialize: (bytes: Buffer): CertificateRequest => IstioCertificateRequest.decode(bytes),
  responseSerialize: (message: CertificateResponse): Buffer =>
    Buffer.from(IstioCertificateResponse.encode(message).finish()),
  responseDeserialize: (bytes: Buffer): CertificateResponse => IstioCertificateResponse.decode(bytes),
} as const

export const CERTIFICATE_SERVICE = { createCertificate: CREATE_CERTIFICATE } as const satisfies ServiceDefinition
