/**
 * What gRPC asks of a proxy beyond HTTP/2: deadlines that shrink on the way, errors as trailers-only responses.
 * Source: gRPC over HTTP2 (PROTOCOL-HTTP2), http-grpc-status-mapping; Envoy: Grpc::Common.
 */
import type { OwnField } from '../codec/head-encoder.ts'
import { headerName } from '../codec/names.ts'
import type { Exchange } from '../exchange.ts'
import type { LocalReply } from './local-reply.ts'

const CONTENT_TYPE: OwnField = [headerName('content-type'), 'application/grpc']
const GRPC_STATUS = headerName('grpc-status')
const GRPC_MESSAGE = headerName('grpc-message')

const CANCELLED = 1
const UNKNOWN = 2
const DEADLINE_EXCEEDED = 4
const PERMISSION_DENIED = 7
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14
const UNAUTHENTICATED = 16

const OF_STATUS: Record<number, number> = {
  400: INTERNAL,
  401: UNAUTHENTICATED,
  403: PERMISSION_DENIED,
  404: UNIMPLEMENTED,
  429: UNAVAILABLE,
  499: CANCELLED,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: UNAVAILABLE,
}

const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** Milliseconds of a `grpc-timeout`, -1 where it is none: at most 8 digits and a unit, so that nothing overflows. */
export function parseGrpcTimeout(text: string): number {
  const unit = UNIT_MS[text.charAt(text.length - 1)]
  if (unit === undefined || !/^\d{1,8}.$/.test(text)) return -1
  return Number(text.slice(0, -1)) * unit
}

/** The caller's deadline under the route's bound (`null`: there is none, 0: it counts as it stands), which also stands in for it. */
export function boundGrpcTimeout(x: Exchange, maxMs: number | null): void {
  if (maxMs !== null && maxMs > 0) x.grpcTimeoutMs = x.grpcTimeoutMs < 0 ? maxMs : Math.min(x.grpcTimeoutMs, maxMs)
}

/** What is left, rounded up to a whole millisecond: the next hop must not give up before us. */
export function formatGrpcTimeout(leftMs: number): string {
  const ms = Math.max(1, Math.ceil(leftMs))
  if (ms < 1e8) return `${ms}m`
  return `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`
}

/** The same reply as a gRPC client reads it: HTTP 200 and the status in the only head (trailers-only). */
export function grpcReply({ status, flag, details, body, fields }: LocalReply): LocalReply {
  const code = grpcStatusOf(status, flag)
  const own: OwnField[] = [CONTENT_TYPE, [GRPC_STATUS, String(code)]]
  if (body !== '') own.push([GRPC_MESSAGE, percentEncoded(body)])
  const others = fields.filter(([{ name }]) => name !== 'content-type')
  return { status: 200, flag, details, body: '', fields: [...own, ...others] }
}

/** HTTP's status and the response flag as gRPC's code. */
export function grpcStatusOf(status: number, flag: string): number {
  if (flag === 'UT' || flag === 'DT' || flag === 'UMSDR') return DEADLINE_EXCEEDED
  if (flag === 'UO') return RESOURCE_EXHAUSTED
  return OF_STATUS[status] ?? UNKNOWN
}

/** Printable ASCII but `%` stays (gRPC: Percent-Encoded). `text`: bytes, as a reply's body. */
function percentEncoded(text: string): string {
  return Buffer.from(text, 'latin1').reduce(
    (out, byte) =>
      out +
      (byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`),
    '',
  )
}
