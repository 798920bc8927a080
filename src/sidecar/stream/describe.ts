/** What the record says of a request and its connection at the start, and of its outcome. */
import { ascii, LastText, SEMICOLON, SP, startsWith } from '../codec/bytes.ts'
import type { Head } from '../codec/head.ts'
import { nameId } from '../codec/names.ts'
import type { Exchange } from '../exchange.ts'
import type { ResetFault } from '../pool/upstream.ts'
import type { ConnectionInfo, HttpSettings, ProxyContext } from './context.ts'
import { PEER_PROTOCOL_HTTP2 } from './headers.ts'
import { parseGrpcTimeout } from './grpc.ts'
import { countHops } from './hops.ts'
import { requestId } from './ids.ts'
import { decodePeerMetadata } from './peer-metadata.ts'
import { traceParentOf } from './trace.ts'

const REQUEST_ID = nameId('x-request-id')
const USER_AGENT = nameId('user-agent')
const FORWARDED_FOR = nameId('x-forwarded-for')
const CONTENT_TYPE = nameId('content-type')
const GRPC_TIMEOUT = nameId('grpc-timeout')
const GRPC_STATUS = nameId('grpc-status')
const GRPC_UNKNOWN = '2'
const PEER_PROTOCOL = nameId('x-envoy-peer-protocol')
const PEER_METADATA = nameId('x-envoy-peer-metadata')
const ORIGINAL_PATH = nameId('x-envoy-original-path')

const GRPC = ascii('application/grpc')
const PLUS = 0x2b

/** What requests of one connection mostly repeat, so that the same text is made once. */
export class RequestTexts {
  readonly userAgent = new LastText()
  readonly metadata = new LastText()
}

// hot
export function describeRequest(
  x: Exchange,
  head: Head,
  settings: HttpSettings,
  info: ConnectionInfo,
  texts: RequestTexts,
): void {
  const { proxy, inbound, generateRequestId, tracing } = settings
  describeConnection(x, proxy, inbound, info)
  x.requestId = head.get(REQUEST_ID)
  if (x.requestId === '' && generateRequestId) x.requestId = requestId()
  const userAgent = head.find(USER_AGENT)
  if (userAgent >= 0)
    x.userAgent = texts.userAgent.read(head.bytes, head.valueStart(userAgent), head.valueEnd(userAgent))
  x.forwardedFor = head.get(FORWARDED_FOR)
  const type = head.find(CONTENT_TYPE)
  if (type >= 0 && isGrpc(head.bytes, head.valueStart(type), head.valueEnd(type))) {
    x.protocol = 'grpc'
    x.grpcTimeoutMs = parseGrpcTimeout(head.get(GRPC_TIMEOUT))
  }
  countHops(x, head, x.mutualTls)
  if (tracing !== null) x.traceParent = traceParentOf(head, tracing, proxy.random)
  x.cameAsHttp2 = x.httpVersion === 'HTTP/2'
  if (!inbound || info.peerId === '') return
  // what follows is believed because the peer has shown who it is
  x.cameAsHttp2 = head.get(PEER_PROTOCOL) === PEER_PROTOCOL_HTTP2
  x.originalPath = head.get(ORIGINAL_PATH)
  const metadata = head.find(PEER_METADATA)
  if (metadata >= 0)
    x.source = decodePeerMetadata(texts.metadata.read(head.bytes, head.valueStart(metadata), head.valueEnd(metadata)))
}

/** The media type itself, with a message format or a parameter: gRPC-Web is another protocol. */
function isGrpc(bytes: Buffer, start: number, end: number): boolean {
  if (!startsWith(bytes, start, end, GRPC)) return false
  const next = start + GRPC.length
  return next === end || bytes[next] === PLUS || bytes[next] === SEMICOLON || bytes[next] === SP
}

/** What is known of it before its first byte. */
export function describeConnection(x: Exchange, proxy: ProxyContext, inbound: boolean, info: ConnectionInfo): void {
  x.inbound = inbound
  x.startMs = proxy.nowMs()
  x.startEpochMs = proxy.nowEpochMs()
  x.downstreamLocalAddress = info.localAddress
  x.downstreamRemoteAddress = info.remoteAddress
  x.requestedServerName = info.sni
  x.scheme = info.scheme
  if (!inbound) {
    x.source = proxy.self
    return
  }
  x.destination = proxy.self
  x.downstreamPrincipal = info.peerId
  x.mutualTls = info.peerId !== ''
}

/** Whom it goes to. On the inbound side that is this pod's program, which is nobody to be known by its certificate. */
export function describeUpstream(x: Exchange, localAddress: string, peerId: string): void {
  x.upstreamLocalAddress = localAddress
  if (x.inbound) return
  x.upstreamPrincipal = peerId
  x.mutualTls = peerId !== ''
}

/** What gRPC says of the outcome, in trailers or in the only head. */
export function describeTrailers(x: Exchange, head: Head): void {
  const status = head.get(GRPC_STATUS)
  if (status !== '') x.grpcStatus = /^(?:\d|1[0-6])$/.test(status) ? status : GRPC_UNKNOWN
}

/** The upstream broke off after its head had gone out. */
export function markReset(x: Exchange, fault: ResetFault): void {
  const flag = fault === 'protocol_error' ? 'UPE' : fault === 'connection_termination' ? 'UC' : 'UR'
  markOutcome(x, flag, `upstream_reset_after_response_started{${fault}}`)
}

/** How it ended; a flag is added to those that are there. */
export function markOutcome(x: Exchange, flag: string, details: string): void {
  if (flag !== '') x.responseFlags = x.responseFlags === '' ? flag : `${x.responseFlags},${flag}`
  x.responseCodeDetails = details
}
