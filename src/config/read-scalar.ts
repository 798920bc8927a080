/** Values without parts: strings, numbers, durations, enums. In: a node and its schema. Out: the value, and faults. */
import type { Node } from './document.ts'
import { nearest } from '../lib/nearest.ts'
import type { Fault, Schema } from './schema.ts'
import type { Sink } from './sink.ts'
import { addFault, show, wrongType } from './sink.ts'
import { parseDurationNs } from './values.ts'

/** Schemas of values without parts. */
export type ScalarSchema = Exclude<Schema, { type: 'object' | 'list' | 'map' | 'any' }>

/** The value of a scalar, or undefined where it is faulty. */
export function readScalar(schema: ScalarSchema, node: Node, path: string, sink: Sink, silent: boolean): unknown {
  if (node.type !== 'scalar') return wrongType(node, path, typeName(schema), sink)
  const { value, at } = node
  switch (schema.type) {
    case 'string': {
      if (typeof value !== 'string') return wrongType(node, path, 'a string', sink, 'put the value in quotes')
      return addFault(sink, schema.check?.(value), at, path) ? undefined : value
    }
    case 'duration': {
      if (typeof value !== 'string') return wrongType(node, path, 'a duration such as 5s', sink)
      return addFault(sink, checkDuration(value, schema.zero), at, path) ? undefined : value
    }
    case 'int':
    case 'number': {
      if (typeof value !== 'number' || (schema.type === 'int' && !Number.isInteger(value))) {
        return wrongType(
          node,
          path,
          typeName(schema),
          sink,
          typeof value === 'string' ? 'remove the quotes' : undefined,
        )
      }
      if (value >= schema.min && value <= schema.max) return value
      sink.add(
        'PM0105',
        at,
        path,
        `${value} is out of range: ${schema.max === Infinity ? `at least ${schema.min}` : `${schema.min} to ${schema.max}`}`,
      )
      return undefined
    }
    case 'bool':
      return typeof value === 'boolean' ? value : wrongType(node, path, 'true or false', sink)
    case 'intOrString':
      return typeof value === 'string' || Number.isInteger(value)
        ? value
        : wrongType(node, path, 'a number or a name', sink)
    case 'enum': {
      const entry = typeof value === 'string' && Object.hasOwn(schema.values, value) ? schema.values[value] : undefined
      if (entry === undefined) {
        const names = Object.keys(schema.values)
        const guess = nearest(String(value), names)
        sink.add(
          'PM0104',
          at,
          path,
          `${show(value)} is not allowed: ${names.join(', ')}`,
          guess && `did you mean ${guess}?`,
        )
        return undefined
      }
      if (entry.support === 'refused') {
        sink.add('PM0109', at, path, `${show(value)} is refused: ${entry.doc}`)
        return undefined
      }
      if (entry.support === 'ignored' && !silent) sink.add('PM0108', at, path, `${show(value)}: ${entry.doc}`)
      return value
    }
    default:
      return schema satisfies never
  }
}

function checkDuration(text: string, zero: boolean): Fault | undefined {
  const ns = parseDurationNs(text)
  const code = 'PM0131'
  if (ns === undefined) return { code, message: `${show(text)} is not a duration` }
  if (ns === 0 && zero) return undefined
  if (ns < 1e6) return { code, message: `${text} is too short: 1ms is the least` }
  if (ns % 1e6 !== 0) return { code, message: `${text} is too fine: whole milliseconds are the finest` }
  return undefined
}

function typeName(schema: ScalarSchema): string {
  switch (schema.type) {
    case 'int':
      return 'a whole number'
    case 'number':
      return 'a number'
    case 'bool':
      return 'true or false'
    case 'duration':
      return 'a duration'
    case 'intOrString':
      return 'a number or a name'
    case 'enum':
      return `one of ${Object.keys(schema.values).join(', ')}`
    case 'string':
      return 'a string'
    default:
      return schema satisfies never
  }
}

/** `1 to 65535`; ends that are those of the number format go unsaid, unless a value broke them. */
export function rangeOf(min: number, max: number): string {
  const least = min > -2147483648
  const most = max < 2147483647
  if (least && most) return `${min} to ${max}`
  if (least) return `at least ${min}`
  return most ? `at most ${max}` : ''
}
