/**
 * How an access line looks (Envoy: SubstitutionFormatString, "access log command operators"), compiled. In: a text, or a
 * map for JSON, with %OPERATORS%. Out: what puts a line of an exchange into a buffer; throws an Error for an operator that
 * an exchange has no answer to. Values are escaped in both forms, so that no header can end a line.
 */
import type { google } from '../../xds/generated/xds.js'
import type { Exchange } from '../exchange.ts'
import type { LineBuffer } from './line-buffer.ts'

export type PutLine = (out: LineBuffer, x: Exchange) => void

/** A piece of our own text, or the value of an operator: '' and negative numbers are none. */
type Part =
  | { kind: 'raw'; raw: string }
  | { kind: 'time' }
  | { kind: 'text'; of: (x: Exchange) => string }
  | { kind: 'number'; of: (x: Exchange) => number }

/** A line has room for so much in the buffer. */
const MAX_OPERATORS = 20
const MAX_RAW_BYTES = 4096

const TEXTS: Readonly<Record<string, (x: Exchange) => string>> = {
  'REQ(:METHOD)': (x) => x.method,
  'REQ(:PATH)': (x) => x.path,
  'REQ(X-ENVOY-ORIGINAL-PATH?:PATH)': (x) => x.originalPath || x.path,
  'REQ(:AUTHORITY)': (x) => x.authority,
  'REQ(:SCHEME)': (x) => x.scheme,
  'REQ(X-FORWARDED-FOR)': (x) => x.forwardedFor,
  'REQ(USER-AGENT)': (x) => x.userAgent,
  'REQ(X-REQUEST-ID)': (x) => x.requestId,
  PROTOCOL: (x) => x.httpVersion,
  RESPONSE_FLAGS: (x) => x.responseFlags,
  RESPONSE_CODE_DETAILS: (x) => x.responseCodeDetails,
  CONNECTION_TERMINATION_DETAILS: (x) => x.connectionTerminationDetails,
  UPSTREAM_TRANSPORT_FAILURE_REASON: (x) => x.upstreamTransportFailure,
  UPSTREAM_HOST: (x) => x.upstreamHost,
  UPSTREAM_CLUSTER: (x) => x.clusterName,
  UPSTREAM_LOCAL_ADDRESS: (x) => x.upstreamLocalAddress,
  DOWNSTREAM_LOCAL_ADDRESS: (x) => x.downstreamLocalAddress,
  DOWNSTREAM_REMOTE_ADDRESS: (x) => x.downstreamRemoteAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (x) => x.downstreamRemoteAddress.replace(/:\d+$/, ''),
  DOWNSTREAM_PEER_URI_SAN: (x) => x.downstreamPrincipal,
  REQUESTED_SERVER_NAME: (x) => x.requestedServerName,
  ROUTE_NAME: (x) => x.routeName,
}

const NUMBERS: Readonly<Record<string, (x: Exchange) => number>> = {
  RESPONSE_CODE: (x) => x.responseCode,
  BYTES_RECEIVED: (x) => x.bytesReceived,
  BYTES_SENT: (x) => x.bytesSent,
  DURATION: (x) => x.durationMs,
  'RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)': (x) => x.upstreamServiceMs,
}

const TIME = 'START_TIME'

/** A text line; it ends where the text says so. */
export function compileTextFormat(text: string): PutLine {
  const parts = partsOf(text, utf8)
  checkSize(parts)
  return (out, x) => {
    for (const part of parts) {
      if (part.kind === 'raw') out.putRaw(part.raw)
      else if (part.kind === 'time') out.putTime(x.startEpochMs)
      else if (part.kind === 'text') out.putField(part.of(x))
      else out.putNumber(part.of(x), '-')
    }
  }
}

/** One JSON object a line: a value that is one operator has its type, or is null where there is none. */
export function compileJsonFormat(format: google.protobuf.Struct): PutLine {
  const values = jsonOf({ structValue: format })
  checkSize(values.flatMap((value) => (Array.isArray(value) ? value : [value])))
  return (out, x) => {
    for (const value of values) {
      if (Array.isArray(value)) putQuoted(out, value, x)
      else if (value.kind === 'raw') out.putRaw(value.raw)
      else if (value.kind === 'number') out.putNumber(value.of(x), 'null')
      else if (value.kind === 'text' && value.of(x) === '') out.putRaw('null')
      else putQuoted(out, [value], x)
    }
    out.putRaw('\n')
  }
}

/** Pieces of JSON, values of one operator, and texts of several parts. */
function jsonOf(value: google.protobuf.Value): (Part | Part[])[] {
  const raw = (text: string): Part => ({ kind: 'raw', raw: text })
  if (value.structValue) {
    const fields = Object.entries(value.structValue.fields ?? {})
    const inner = fields.flatMap(([key, of], i) => [raw(`${i > 0 ? ',' : ''}${ascii(key)}:`), ...jsonOf(of)])
    return [raw('{'), ...inner, raw('}')]
  }
  if (value.listValue) throw new Error('lists are not supported in json_format')
  if (typeof value.stringValue !== 'string') return [raw(JSON.stringify(value.numberValue ?? value.boolValue ?? null))]
  const parts = partsOf(value.stringValue, (text) => ascii(text).slice(1, -1))
  const [only] = parts
  return only !== undefined && parts.length === 1 && only.kind !== 'raw' ? [only] : [parts]
}

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** JSON of a text in ASCII alone. */
function ascii(text: string): string {
  return JSON.stringify(text).replaceAll(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function putQuoted(out: LineBuffer, parts: readonly Part[], x: Exchange): void {
  out.putRaw('"')
  for (const part of parts) {
    if (part.kind === 'raw') out.putRaw(part.raw)
    else if (part.kind === 'time') out.putTime(x.startEpochMs)
    else if (part.kind === 'text') out.putJsonText(part.of(x) || '-')
    else out.putNumber(part.of(x), '-')
  }
  out.putRaw('"')
}

const OPERATOR = /%(?:([A-Z_0-9]+(?:\([^)%]*\))?)(?::(\d+))?)?%/g

/** `write`: how our own text stands in the line. */
function partsOf(template: string, write: (text: string) => string): Part[] {
  const parts: Part[] = []
  let from = 0
  const raw = (text: string): void => {
    if (text.includes('%')) throw new Error(`"${text}": a "%" by itself is written "%%"`)
    if (text !== '') parts.push({ kind: 'raw', raw: write(text) })
  }
  for (const { index, 0: whole, 1: name, 2: most } of template.matchAll(OPERATOR)) {
    raw(template.slice(from, index))
    from = index + whole.length
    parts.push(name === undefined ? { kind: 'raw', raw: '%' } : operatorOf(name.toUpperCase(), most))
  }
  raw(template.slice(from))
  return parts
}

function operatorOf(name: string, most: string | undefined): Part {
  const [text, number] = [TEXTS[name], NUMBERS[name]]
  if (name === TIME) return { kind: 'time' }
  if (number !== undefined) return { kind: 'number', of: number }
  if (text !== undefined) return { kind: 'text', of: most === undefined ? text : (x) => text(x).slice(0, Number(most)) }
  const all = [TIME, ...Object.keys(TEXTS), ...Object.keys(NUMBERS)]
  throw new Error(`%${name}% is not supported; there are ${all.join(', ')}`)
}

function checkSize(parts: readonly Part[]): void {
  const bytes = parts.reduce((sum, part) => sum + (part.kind === 'raw' ? part.raw.length : 0), 0)
  if (bytes > MAX_RAW_BYTES) throw new Error(`more than ${MAX_RAW_BYTES} bytes of text in a line`)
  if (parts.filter(({ kind }) => kind !== 'raw').length > MAX_OPERATORS)
    throw new Error(`more than ${MAX_OPERATORS} operators in a line`)
}
