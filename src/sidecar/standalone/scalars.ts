/**
 * Values of proto3 JSON that are no messages of fields: scalars, and the well-known types with a form of their own.
 * In: a node. Out: the value as the generated module has it; throws Mismatch for what does not fit.
 */
import type { google } from '../../xds/generated/xds.js'
import type { Node } from './tree.ts'

/** The value is of another kind than its field. */
export class Mismatch extends Error {}

type Value = google.protobuf.Value

const INTEGERS: Record<string, readonly [number, number]> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  // beyond 2^53 a number is no longer exact, and nothing here is that large
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
}

export function decodeScalar(type: string, node: Node): string | number | boolean | Uint8Array {
  const value = node.type === 'scalar' ? node.value : undefined
  switch (type) {
    case 'string':
      if (typeof value === 'string') return value
      throw new Mismatch(typeof value === 'number' ? 'must be a text: put it in quotes' : 'must be a text')
    case 'bool':
      if (typeof value === 'boolean') return value
      throw new Mismatch('must be true or false')
    case 'bytes':
      if (typeof value === 'string') return base64(value)
      throw new Mismatch('must be a text in base64')
    case 'double':
    case 'float':
      return decimal(value)
    default:
      return integer(value, INTEGERS[type] ?? [0, 0])
  }
}

function integer(value: unknown, [least, most]: readonly [number, number]): number {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number
  throw new Mismatch(`must be a whole number from ${least} to ${most}`)
}

function decimal(value: unknown): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw new Mismatch('must be a number')
}

function base64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new Mismatch('must be a text in base64')
  return Buffer.from(text, 'base64')
}

/** Types whose JSON form is not an object of their fields. Any has more to it: decode.ts. */
export const WELL_KNOWN: Readonly<Record<string, (node: Node) => unknown>> = {
  'google.protobuf.Duration': duration,
  'google.protobuf.Struct': struct,
  'google.protobuf.Value': anyValue,
  'google.protobuf.ListValue': (node) => ({ values: items(node) }),
  'google.protobuf.BoolValue': (node) => ({ value: decodeScalar('bool', node) }),
  'google.protobuf.UInt32Value': (node) => ({ value: decodeScalar('uint32', node) }),
  'google.protobuf.UInt64Value': (node) => ({ value: decodeScalar('uint64', node) }),
  'google.protobuf.DoubleValue': (node) => ({ value: decodeScalar('double', node) }),
}

const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/

function duration(node: Node): google.protobuf.Duration {
  const [, sign, whole, fraction = ''] = DURATION.exec(node.type === 'scalar' ? String(node.value) : '') ?? []
  if (whole === undefined) throw new Mismatch('must be a duration in seconds, as "1.5s"')
  if (sign === '-') throw new Mismatch('must not be negative')
  return { seconds: Number(whole), nanos: Number(fraction.padEnd(9, '0')) }
}

function struct(node: Node): google.protobuf.Struct {
  if (node.type !== 'map') throw new Mismatch('must be a map')
  return { fields: Object.fromEntries([...node.fields].map(([key, { value }]) => [key, anyValue(value)])) }
}

function items(node: Node): Value[] {
  if (node.type !== 'list') throw new Mismatch('must be a list')
  return node.items.map(anyValue)
}

function anyValue(node: Node): Value {
  if (node.type === 'map') return { structValue: struct(node) }
  if (node.type === 'list') return { listValue: { values: items(node) } }
  const { value } = node
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'number') return { numberValue: value }
  return typeof value === 'boolean' ? { boolValue: value } : { nullValue: 0 }
}
