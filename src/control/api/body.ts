/** Reads values out of a request's body or query; what is missing or of another type is a `bad_request`. */
import { ProblemError } from './problem.ts'

export type JsonObject = Record<string, unknown>

/** `value` as an object, at `path` of the body. */
export function asObject(value: unknown, path = ''): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object', value)
  return value as JsonObject
}

export function asArray(value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(path, 'a list', value)
  return value
}

export function asString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'text', value)
  return value
}

/** A name as DNS has them: it becomes part of a key, of a path and of an identity. */
export function asName(value: unknown, path: string): string {
  const text = asString(value, path)
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) throw wrong(path, 'a name in lower case', value)
  return text
}

export function asBoolean(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw wrong(path, 'true or false', value)
  return value
}

/** A whole number within the bounds, both allowed. */
export function asInteger(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw wrong(path, `a whole number from ${min} to ${max}`, value)
  return value
}

export function asStringMap(value: unknown, path: string): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, entry] of Object.entries(asObject(value, path))) out[name] = asString(entry, `${path}.${name}`)
  return out
}

/** A whole number in a query; `undefined` where it is not given. */
export function queryInteger(query: ReadonlyMap<string, string>, name: string, max: number): number | undefined {
  const text = query.get(name)
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return asInteger(number, `query parameter "${name}"`, 0, max)
}

function wrong(path: string, expected: string, value: unknown): ProblemError {
  return new ProblemError('bad_request', `${path === '' ? 'the body' : path} must be ${expected}, not ${shown(value)}`)
}

/** Lists and objects only by what they are: one may be nested deeper than JSON.stringify can go. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return JSON.stringify(value)?.slice(0, 60) ?? 'nothing'
}
