/**
 * Field names that a proxy acts upon, as small integers, so that the path compares a number and not text.
 * In: bytes of a name (any case). Out: its id; UNKNOWN for all others. Leaf.
 */
import { LOWER } from './bytes.ts'

const NAMES = [
  '', // 0: UNKNOWN
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'proxy-authorization',
  'proxy-authenticate',
  'http2-settings',
  'max-forwards',
  'authorization',
  'cookie',
  'content-type',
  'date',
  'server',
  'user-agent',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-client-cert',
  'x-envoy-attempt-count',
  'x-envoy-original-path',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
  'x-envoy-peer-protocol',
  'x-envoy-upstream-service-time',
  'x-envoy-overloaded',
  'sec-websocket-key',
  'sec-websocket-version',
  'set-cookie',
  'grpc-timeout',
  'grpc-status',
  'grpc-message',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'b3',
  'x-pocketmesh-hops',
] as const

export type KnownName = Exclude<(typeof NAMES)[number], ''>

export const UNKNOWN = 0
/** A field that is not there for anybody: named by Connection, or a look-alike with `_`. */
export const DROPPED = -1
/** Any other name that begins with `x-envoy-`. */
export const X_ENVOY_OTHER = NAMES.length
export const NUM_NAMES = NAMES.length + 1

/** Id of a known name. Cold: called when modules load. */
export function nameId(name: KnownName): number {
  return NAMES.indexOf(name)
}

/** Next value of the running hash; `_` counts as `-`, so that look-alikes of framing fields are seen. */
export function hashStep(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte === 0x5f ? 0x2d : LOWER[byte]!)) | 0
}

const SLOTS = 256
const slots = new Uint8Array(SLOTS)
const slotOf = (hash: number): number => (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (SLOTS - 1)

for (let id = 1; id < NAMES.length; id++) {
  let hash = 0
  for (const c of NAMES[id]!) hash = hashStep(hash, c.charCodeAt(0))
  let slot = slotOf(hash)
  while (slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
  slots[slot] = id
}

const bytesOf = NAMES.map((name) => Buffer.from(name, 'latin1'))
const X_ENVOY_PREFIX = Buffer.from('x-envoy-', 'latin1')

/** Id of the name at `buf[start, end)` whose hash is `hash`. */
export function lookupName(buf: Uint8Array, start: number, end: number, hash: number): number {
  let slot = slotOf(hash)
  for (let id = slots[slot]!; id !== 0; slot = (slot + 1) & (SLOTS - 1), id = slots[slot]!) {
    const match = compare(buf, start, end, bytesOf[id]!)
    if (match !== DIFFERENT) return match === SAME ? id : DROPPED
  }
  if ((buf[start]! | 0x20) !== 0x78 || end - start <= X_ENVOY_PREFIX.length) return UNKNOWN
  const match = compare(buf, start, start + X_ENVOY_PREFIX.length, X_ENVOY_PREFIX)
  return match === DIFFERENT ? UNKNOWN : match === SAME ? X_ENVOY_OTHER : DROPPED
}

const DIFFERENT = 0
const SAME = 1
const LOOKS_ALIKE = 2

function compare(buf: Uint8Array, start: number, end: number, lower: Uint8Array): number {
  if (end - start !== lower.length) return DIFFERENT
  let result = SAME
  for (let i = 0; i < lower.length; i++) {
    const byte = buf[start + i]!
    if (LOWER[byte] === lower[i]) continue
    if (byte !== 0x5f || lower[i] !== 0x2d) return DIFFERENT
    result = LOOKS_ALIKE
  }
  return result
}

/** Set of names as a table indexed by id, for decisions on the path. */
export function nameSet(...names: KnownName[]): Uint8Array {
  const set = new Uint8Array(NUM_NAMES)
  for (const name of names) set[nameId(name)] = 1
  return set
}

/** A field name that the proxy itself writes, made once per name when modules load. */
export interface HeaderName {
  readonly name: string
  /** `name: ` */
  readonly line: string
  readonly bytes: Buffer
  /** By `hashStep`, as `Head.hash` gives it. */
  readonly hash: number
  readonly id: number
  /** A small number of its own, for tables of what was last written. */
  readonly slot: number
}

let numHeaderNames = 0

/** Cold: `name` is lower case. */
export function headerName(name: string): HeaderName {
  const bytes = Buffer.from(name, 'latin1')
  const hash = hashName(bytes, 0, bytes.length)
  return { name, line: `${name}: `, bytes, hash, id: lookupName(bytes, 0, bytes.length, hash), slot: numHeaderNames++ }
}

// hot
export function hashName(buf: Uint8Array, start: number, end: number): number {
  let hash = 0
  for (let i = start; i < end; i++) hash = hashStep(hash, buf[i]!)
  return hash
}
