/**
 * Which fields a request or response keeps on its way through, and which the proxy adds (Istio: sidecar defaults).
 * In: the parsed head, the exchange. Out: calls on the encoder of the connection that it goes out on.
 * Trust: from the application nothing that speaks for the mesh is taken; from a peer over mutual TLS its own marks are.
 */
import { BODY_LENGTH, BODY_NONE, type BodyFraming } from '../codec/body.ts'
import type { HeadEncoder } from '../codec/head-encoder.ts'
import type { Head } from '../codec/head.ts'
import { HOP_BY_HOP } from '../codec/http1/encode.ts'
import { takesTrailers } from '../codec/te.ts'
import { headerName, nameId, nameSet, NUM_NAMES, X_ENVOY_OTHER } from '../codec/names.ts'
import type { Exchange } from '../exchange.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'
import { formatGrpcTimeout } from './grpc.ts'

const FORWARDED_PROTO = nameId('x-forwarded-proto')
const CLIENT_CERT = nameId('x-forwarded-client-cert')
const REQUEST_ID = nameId('x-request-id')
const DATE = nameId('date')
const WEBSOCKET_KEY = nameId('sec-websocket-key')

const X_FORWARDED_PROTO = headerName('x-forwarded-proto')
const X_FORWARDED_CLIENT_CERT = headerName('x-forwarded-client-cert')
const X_REQUEST_ID = headerName('x-request-id')
const ATTEMPT_COUNT = headerName('x-envoy-attempt-count')
const EXPECTED_TIMEOUT = headerName('x-envoy-expected-rq-timeout-ms')
const SERVICE_TIME = headerName('x-envoy-upstream-service-time')
const GRPC_TIMEOUT = headerName('grpc-timeout')
const PEER_PROTOCOL = headerName('x-envoy-peer-protocol')
export const PEER_PROTOCOL_HTTP2 = 'h2'
const TE_NAME = headerName('te')
const TRACEPARENT = headerName('traceparent')
const HOPS = headerName('x-pocketmesh-hops')
const MAX_FORWARDS = headerName('max-forwards')
const SERVER = headerName('server')
const DATE_NAME = headerName('date')
const SEC_WEBSOCKET_KEY = headerName('sec-websocket-key')

function union(...sets: Uint8Array[]): Uint8Array {
  return Uint8Array.from({ length: NUM_NAMES }, (_, id) => (sets.some((set) => set[id] === 1) ? 1 : 0))
}

const others = new Uint8Array(NUM_NAMES)
others[X_ENVOY_OTHER] = 1

const ALWAYS = union(HOP_BY_HOP, nameSet('host', 'x-forwarded-client-cert', 'grpc-timeout', 'x-pocketmesh-hops'))
const PEER_MARKS = nameSet('x-envoy-peer-metadata', 'x-envoy-peer-metadata-id', 'x-envoy-peer-protocol')
const PATH_MARKS = nameSet('x-envoy-attempt-count', 'x-envoy-original-path')
const ANSWER_MARKS = nameSet('x-envoy-upstream-service-time', 'x-envoy-overloaded')
/** From a caller that is not known: no word that only the mesh may say. */
const DROP_UNTRUSTED = union(ALWAYS, PEER_MARKS, PATH_MARKS, ANSWER_MARKS, others)
/** From a peer: its metadata was read and goes no further; what counted for its own hop neither. */
const DROP_FROM_PEER = union(ALWAYS, PEER_MARKS, ANSWER_MARKS, others)

const DROP_RESPONSE = union(HOP_BY_HOP, PEER_MARKS, nameSet('server', 'x-envoy-upstream-service-time'))

/** What one attempt says of itself. */
export interface AttemptMarks {
  /** 0: not told. */
  attempt: number
  /** Remaining time, 0: none. */
  expectedTimeoutMs: number
  /** What is left of the caller's deadline, as gRPC writes it; '' is none. */
  grpcTimeout: string
  toMeshPeer: boolean
  /** Of the upgrade asked for, '' is none. */
  upgrade: string
}

/** `leftMs`: of the exchange's time, 0 or less: none is set. */
export function markAttempt(marks: AttemptMarks, x: Exchange, attempt: number, leftMs: number, upgrade: string): void {
  marks.attempt = attempt
  marks.expectedTimeoutMs = leftMs > 0 ? Math.max(1, Math.round(leftMs)) : 0
  marks.grpcTimeout = x.grpcTimeoutMs < 0 ? '' : formatGrpcTimeout(leftMs)
  marks.toMeshPeer = !x.inbound && x.upstreamPrincipal !== ''
  marks.upgrade = upgrade
}

/** The head of a request, for the upstream. */
// hot
export function encodeRequest(
  out: HeadEncoder,
  head: Head,
  framing: BodyFraming,
  x: Exchange,
  settings: HttpSettings,
  info: ConnectionInfo,
  marks: AttemptMarks,
): void {
  out.request(x.method, x.path, x.authority, marks.upgrade, head.sensitivePseudos)
  const trusted = settings.inbound && info.peerId !== ''
  out.fields(head, trusted ? DROP_FROM_PEER : DROP_UNTRUSTED)
  if (framing.kind !== BODY_NONE || framing.hasLength)
    out.framing(framing.kind === BODY_NONE ? BODY_LENGTH : framing.kind, framing.lengthBytes)
  if (head.find(FORWARDED_PROTO) < 0) out.field(X_FORWARDED_PROTO, x.scheme)
  if (x.requestId !== '' && head.find(REQUEST_ID) < 0) out.uniqueField(X_REQUEST_ID, x.requestId)
  if (marks.attempt > 0) out.decimal(ATTEMPT_COUNT, marks.attempt)
  if (marks.expectedTimeoutMs > 0) out.decimal(EXPECTED_TIMEOUT, marks.expectedTimeoutMs)
  if (marks.grpcTimeout !== '') out.uniqueField(GRPC_TIMEOUT, marks.grpcTimeout)
  if (x.traceParent !== '') out.uniqueField(TRACEPARENT, x.traceParent)
  if (x.hops > 0) out.decimal(HOPS, x.hops)
  if (x.maxForwards >= 0) out.decimal(MAX_FORWARDS, x.maxForwards)
  if (takesTrailers(head)) out.field(TE_NAME, 'trailers')
  if (marks.toMeshPeer) {
    for (const [name, value] of settings.proxy.metadata) out.field(name, value)
    // the link speaks HTTP/2 for all: this says what the program at its end would have been asked in
    if (x.cameAsHttp2) out.field(PEER_PROTOCOL, PEER_PROTOCOL_HTTP2)
  }
  if (trusted) encodeClientCert(out, head, settings, info)
  // an HTTP/2 client has none to send (RFC 8441 section 5), and an HTTP/1.1 server wants one
  if (marks.upgrade === 'websocket' && head.find(WEBSOCKET_KEY) < 0) out.uniqueField(SEC_WEBSOCKET_KEY, NONCE)
  out.end(framing.kind === BODY_NONE && marks.upgrade === '')
}

/** Sixteen bytes in base64; it guards against caches only, and a tunnel is none. */
const NONCE = Buffer.from('pocketmesh-proxy').toString('base64')

function encodeClientCert(out: HeadEncoder, head: Head, settings: HttpSettings, info: ConnectionInfo): void {
  if (settings.clientCert === 'sanitize' || info.clientCert === '') return
  const earlier = settings.clientCert === 'append' ? head.get(CLIENT_CERT) : ''
  out.field(X_FORWARDED_CLIENT_CERT, earlier === '' ? info.clientCert : `${earlier},${info.clientCert}`)
}

/** An interim response passes as it is. */
export function encodeInterim(out: HeadEncoder, head: Head): void {
  out.status(head.status)
  out.fields(head, HOP_BY_HOP)
  out.end(false)
}

/** A response's status, fields and what this proxy adds; framing and end are the connection's. */
export function encodeResponseFields(
  out: HeadEncoder,
  status: number,
  head: Head,
  settings: HttpSettings,
  serviceMs: number,
): void {
  out.status(status)
  out.fields(head, DROP_RESPONSE)
  out.field(SERVER, settings.serverName)
  out.decimal(SERVICE_TIME, serviceMs)
  if (head.find(DATE) < 0) out.field(DATE_NAME, dateValue(settings.proxy.nowEpochMs()))
}

/** A response of our own up to its framing. */
export function encodeOwnFields(out: HeadEncoder, status: number, settings: HttpSettings): void {
  out.status(status)
  out.field(SERVER, settings.serverName)
  out.field(DATE_NAME, dateValue(settings.proxy.nowEpochMs()))
}

let dateSecond = -1
let dateText = ''

/** Made once a second. */
function dateValue(nowEpochMs: number): string {
  const second = Math.floor(nowEpochMs / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
