/**
 * Proto3 JSON of an xDS resource, for config dumps and golden files. In: Any. Out: plain JSON, the same for equal
 * content: fields in schema order, map keys sorted, scalars at their default left out as the mapping has it.
 * Source: protobuf.dev, "ProtoJSON format". Loads the whole schema as data, so import it lazily in a sidecar.
 */
import protobuf from 'protobufjs/light.js'
import type { Any } from './type-urls.ts'
import descriptor from './generated/descriptor.json' with { type: 'json' }

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

const root = protobuf.Root.fromJSON(descriptor)

/** `{"@type": ..., fields}`. An Any of an unknown type or with broken bytes keeps its bytes as base64 in `value`. */
export function resourceToJson(any: Any): unknown {
  return anyToJson(any)
}

/** Fields of the well-known types that matter here; int64 comes as a number (Long is not installed) or a Long. */
interface Decoded {
  [field: string]: unknown
}

function anyToJson(any: Any): Json {
  const typeUrl = any.typeUrl ?? ''
  const bytes = any.value ?? new Uint8Array(0)
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
  try {
    const type = root.lookupType(name)
    const body = messageToJson(type, type.decode(bytes))
    return WELL_KNOWN[name] === undefined
      ? { '@type': typeUrl, ...(body as JsonObject) }
      : { '@type': typeUrl, value: body }
  } catch {
    return { '@type': typeUrl, value: base64(bytes) }
  }
}

/** Sources of data whose content is for nobody's eyes (Envoy: annotated as sensitive). */
const SECRET: ReadonlySet<string> = new Set(['.envoy.extensions.transport_sockets.tls.v3.TlsCertificate.privateKey'])

/** Types whose JSON form is not an object of their fields. */
const WELL_KNOWN: Record<string, (message: Decoded) => Json> = {
  'google.protobuf.Any': (m) => anyToJson(m),
  'google.protobuf.Duration': (m) => durationToJson(Number(m['seconds'] ?? 0), Number(m['nanos'] ?? 0)),
  'google.protobuf.Struct': (m) => mapToJson(m['fields'], (v) => valueToJson(v as Decoded)),
  'google.protobuf.Value': (m) => valueToJson(m),
  'google.protobuf.ListValue': (m) => ((m['values'] as Decoded[] | undefined) ?? []).map(valueToJson),
  'google.protobuf.BoolValue': (m) => m['value'] === true,
  'google.protobuf.UInt32Value': (m) => Number(m['value'] ?? 0),
  'google.protobuf.UInt64Value': (m) => int64ToJson(m['value']),
  'google.protobuf.DoubleValue': (m) => Number(m['value'] ?? 0),
}

function durationToJson(seconds: number, nanos: number): string {
  if (nanos === 0) return `${seconds}s`
  const sign = seconds < 0 || nanos < 0 ? '-' : ''
  const digits = String(Math.abs(nanos)).padStart(9, '0')
  const short = digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits
  return `${sign}${Math.abs(seconds)}.${short}s`
}

/** A string, as JSON numbers cannot hold 64 bits; protobufjs has a number or a Long. */
function int64ToJson(value: unknown): string {
  return (value as { toString(): string } | undefined)?.toString() ?? '0'
}

function valueToJson(value: Decoded): Json {
  if (own(value, 'boolValue') !== undefined) return value['boolValue'] === true
  if (own(value, 'stringValue') !== undefined) return String(value['stringValue'])
  if (own(value, 'numberValue') !== undefined) return Number(value['numberValue'])
  const struct = own(value, 'structValue')
  if (struct !== undefined) return WELL_KNOWN['google.protobuf.Struct']?.(struct as Decoded) ?? null
  const list = own(value, 'listValue')
  if (list !== undefined) return WELL_KNOWN['google.protobuf.ListValue']?.(list as Decoded) ?? null
  return null
}

function messageToJson(type: protobuf.Type, message: Decoded): Json {
  const special = WELL_KNOWN[type.fullName.slice(1)]
  if (special !== undefined) return special(message)
  const out: JsonObject = {}
  for (const field of type.fieldsArray) {
    const value = own(message, field.name)
    if (value === undefined || value === null) continue
    if (SECRET.has(`${type.fullName}.${field.name}`)) {
      const { filename } = value as { filename?: string }
      out[field.name] = filename ? { filename } : { inlineString: '[redacted]' }
      continue
    }
    field.resolve()
    if (field instanceof protobuf.MapField) {
      const map = mapToJson(value, (v) => scalarToJson(field, v))
      if (Object.keys(map).length > 0) out[field.name] = map
    } else if (field.repeated) {
      const items = value as unknown[]
      if (items.length > 0) out[field.name] = items.map((v) => scalarToJson(field, v))
    } else if (field.partOf !== null || !isDefault(field, value)) {
      out[field.name] = scalarToJson(field, value)
    }
  }
  return out
}

/** Proto3 without explicit presence: a scalar at its default is not written. */
function isDefault(field: protobuf.Field, value: unknown): boolean {
  if (field.resolvedType instanceof protobuf.Type) return false
  if (value instanceof Uint8Array) return value.length === 0
  return value === '' || value === false || Number(value) === 0
}

function scalarToJson(field: protobuf.Field, value: unknown): Json {
  const target = field.resolvedType
  if (target instanceof protobuf.Type) return messageToJson(target, value as Decoded)
  if (target instanceof protobuf.Enum) return target.valuesById[Number(value)] ?? Number(value)
  switch (field.type) {
    case 'bytes':
      return base64(value as Uint8Array)
    case 'string':
      return String(value)
    case 'bool':
      return value === true
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return int64ToJson(value)
    default:
      return Number(value)
  }
}

function mapToJson(map: unknown, one: (value: unknown) => Json): JsonObject {
  const out: JsonObject = {}
  const entries = Object.entries((map as Record<string, unknown> | undefined) ?? {})
  for (const [key, value] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) out[key] = one(value)
  return out
}

/** What the wire carried; the prototype holds defaults. */
function own(message: Decoded, field: string): unknown {
  return Object.hasOwn(message, field) ? message[field] : undefined
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}
