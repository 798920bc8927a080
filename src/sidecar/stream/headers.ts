/**
 * Which fields a request or response keeps on its way through, and which the proxy adds (Istio: sidecar defaults).
 * In: the parsed head, the exchange. Out: bytes in the upstream's writer, or lines for the downstream's.
 * Trust: from the application nothing that speaks for the mesh is taken; from a peer over mutual TLS its own marks are.
 */
import { encodeFields, encodeFraming, HOP_BY_HOP } from '../codec/http1/encode.ts'
import { BODY_NONE } from '../codec/body.ts'
import { type Framing } from '../codec/http1/framing.ts'
import type { Head } from '../codec/head.ts'
import { nameId, nameSet, NUM_NAMES, X_ENVOY_OTHER } from '../codec/names.ts'
import type { Exchange } from '../exchange.ts'
import type { Writer } from '../pool/writer.ts'
import type { ConnectionInfo, HttpSettings } from './context.ts'

const UPGRADE = nameId('upgrade')
const WEBSOCKET_KEY = nameId('sec-websocket-key')
const WEBSOCKET_VERSION = nameId('sec-websocket-version')
const FORWARDED_PROTO = nameId('x-forwarded-proto')
const CLIENT_CERT = nameId('x-forwarded-client-cert')
const REQUEST_ID = nameId('x-request-id')
const DATE = nameId('date')

function union(...sets: Uint8Array[]): Uint8Array {
  return Uint8Array.from({ length: NUM_NAMES }, (_, id) => (sets.some((set) => set[id] === 1) ? 1 : 0))
}

const others = new Uint8Array(NUM_NAMES)
others[X_ENVOY_OTHER] = 1

const ALWAYS = union(HOP_BY_HOP, nameSet('host', 'x-forwarded-client-cert'))
const PEER_MARKS = nameSet('x-envoy-peer-metadata', 'x-envoy-peer-metadata-id')
const PATH_MARKS = nameSet('x-envoy-attempt-count', 'x-envoy-original-path')
const ANSWER_MARKS = nameSet('x-envoy-upstream-service-time', 'x-envoy-overloaded')
/** From a caller that is not known: no word that only the mesh may say. */
const DROP_UNTRUSTED = union(ALWAYS, PEER_MARKS, PATH_MARKS, ANSWER_MARKS, others)
/** From a peer: its metadata was read and goes no further; what counted for its own hop neither. */
const DROP_FROM_PEER = union(ALWAYS, PEER_MARKS, ANSWER_MARKS, others)

/** Of responses. */
export const DROP_RESPONSE = union(HOP_BY_HOP, PEER_MARKS, nameSet('server', 'x-envoy-upstream-service-time'))

/** A WebSocket handshake (RFC 6455 section 4.1); any other Upgrade is left out and the request goes on as it is. */
export function isWebSocket(method: string, head: Head, framing: Framing): boolean {
  return (
    framing.upgrade &&
    method === 'GET' &&
    framing.kind === BODY_NONE &&
    head.get(UPGRADE).toLowerCase() === 'websocket' &&
    head.get(WEBSOCKET_VERSION) === '13' &&
    head.get(WEBSOCKET_KEY) !== ''
  )
}

/** What one attempt says of itself. */
export interface AttemptMarks {
  /** 0: not told. */
  attempt: number
  /** Remaining time, 0: none. */
  expectedTimeoutMs: number
  toMeshPeer: boolean
  upgrade: boolean
}

/** The head of a request, for the upstream. Piece by piece: a joined string would be made only to be copied. */
export function encodeRequest(
  out: Writer,
  head: Head,
  framing: Framing,
  x: Exchange,
  settings: HttpSettings,
  info: ConnectionInfo,
  marks: AttemptMarks,
): void {
  out.text(x.method)
  out.text(' ')
  out.text(x.path)
  out.text(' HTTP/1.1\r\nhost: ')
  out.text(x.authority)
  out.text('\r\n')
  const trusted = settings.inbound && info.peerId !== ''
  encodeFields(out, head, trusted ? DROP_FROM_PEER : DROP_UNTRUSTED)
  if (framing.kind === BODY_NONE && framing.hasLength) out.text('content-length: 0\r\n')
  else encodeFraming(out, framing.kind, framing.lengthBytes)
  if (head.find(FORWARDED_PROTO) < 0) out.text('x-forwarded-proto: http\r\n')
  if (x.requestId !== '' && head.find(REQUEST_ID) < 0) {
    out.text('x-request-id: ')
    out.text(x.requestId)
    out.text('\r\n')
  }
  if (marks.attempt > 0) out.text(`x-envoy-attempt-count: ${marks.attempt}\r\n`)
  if (marks.expectedTimeoutMs > 0) out.text(`x-envoy-expected-rq-timeout-ms: ${marks.expectedTimeoutMs}\r\n`)
  if (marks.toMeshPeer) out.text(settings.proxy.metadataLines)
  if (trusted) encodeClientCert(out, head, settings, info)
  if (marks.upgrade) out.text('connection: upgrade\r\nupgrade: websocket\r\n')
  out.text('\r\n')
}

function encodeClientCert(out: Writer, head: Head, settings: HttpSettings, info: ConnectionInfo): void {
  if (settings.clientCert === 'sanitize' || info.clientCert === '') return
  const earlier = settings.clientCert === 'append' ? head.get(CLIENT_CERT) : ''
  out.text('x-forwarded-client-cert: ')
  if (earlier !== '') {
    out.text(earlier)
    out.text(',')
  }
  out.text(info.clientCert)
  out.text('\r\n')
}

/** What a response gets from this proxy. */
export function encodeOwnResponseLines(out: Writer, head: Head, settings: HttpSettings, serviceMs: number): void {
  out.text('server: ')
  out.text(settings.serverName)
  out.text('\r\nx-envoy-upstream-service-time: ')
  out.decimal(serviceMs)
  out.text('\r\n')
  if (head.find(DATE) < 0) out.text(dateLine(settings.proxy.nowEpochMs()))
}

let dateSecond = -1
let dateText = ''

/** `date: ...`, made once a second. */
export function dateLine(nowEpochMs: number): string {
  const second = Math.floor(nowEpochMs / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = `date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  return dateText
}
