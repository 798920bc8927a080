/**
 * A small language to describe the objects that users write. One description of a kind serves validation (read.ts),
 * `explain` (explain.ts) and, through `Infer`, the TypeScript type that translation works with.
 */
import type { Code } from './catalogue.ts'
import type { Place } from './document.ts'

/** `ignored`: accepted with a warning, without effect. `refused`: an error, since ignoring it would mislead. */
export type Support = 'supported' | 'ignored' | 'refused'

export interface Fault {
  code: Code
  message: string
  fix?: string
}

/** What is wrong with a string, or undefined. */
export type StringCheck = (text: string) => Fault | undefined

export interface FieldOptions {
  required?: boolean
  default?: string
  /** Other spellings, of earlier versions; read as this field, with a warning. */
  aliases?: readonly string[]
  /** For ignored and refused fields: what follows from that. For old ones: what to write now. */
  note?: string
  /** Ignored without a word: what Kubernetes itself fills in. */
  quiet?: boolean
  /** `field:` without a value means an empty object here, as in `mtls:`. */
  nullIsEmpty?: boolean
  /** Still works; a warning says what to use now. */
  deprecated?: boolean
}

export interface Field<T = unknown, Required extends boolean = boolean> extends FieldOptions {
  schema: Schema<T>
  doc: string
  support: Support
  required: Required
}

/** `inside`: place in the text that stands at `at`. */
export type Report = (
  code: Code,
  at: readonly (string | number)[],
  message: string,
  fix?: string,
  inside?: Place,
) => void

interface Rule {
  /** Fields that must be free of faults, so that one fault is not told twice. */
  needs: readonly string[] | 'all'
  check(value: unknown, report: Report): void
}

interface Typed<T> {
  /** Never there: carries the type of the values. */
  readonly _type?: T
  /** Checks between the parts of the value. */
  readonly rules?: readonly Rule[]
}

export interface ObjectSchema {
  type: 'object'
  fields: Readonly<Record<string, Field>>
  /** Fields that are not listed are ignored in silence (Kubernetes has hundreds). */
  open: boolean
  /** Groups of which at most one field may be set. */
  oneOf: readonly (readonly string[])[]
  /** What an unknown field probably stands for. */
  hints: Readonly<Record<string, string>>
}

type Shape =
  | ObjectSchema
  | { type: 'list'; of: Schema; min: number }
  | { type: 'map'; of: Schema; key: StringCheck | undefined; min: number }
  | { type: 'string'; check: StringCheck | undefined; name: string }
  | { type: 'int'; min: number; max: number }
  | { type: 'number'; min: number; max: number }
  | { type: 'bool' }
  | { type: 'enum'; values: Readonly<Record<string, EnumValue>> }
  | { type: 'duration'; zero: boolean }
  | { type: 'intOrString' }
  | { type: 'any' }

interface EnumValue {
  doc: string
  support: Support
}

export type Schema<T = unknown> = Shape & Typed<T>

/** The type of the values that a schema accepts. */
export type Infer<S> = S extends Typed<infer T> ? T : never

type Fields = Readonly<Record<string, Field>>
type TypeOf<F> = F extends Field<infer T> ? T : never
type Flat<T> = { [K in keyof T]: T[K] }
export type ObjectOf<F extends Fields> = Flat<
  { [K in keyof F as F[K] extends Field<unknown, true> ? K : never]: TypeOf<F[K]> } & {
    [K in keyof F as F[K] extends Field<unknown, true> ? never : K]?: TypeOf<F[K]>
  }
>

type IsRequired<O> = O extends { required: true } ? true : false

/** A field that the mesh acts on. */
export function supported<T, const O extends FieldOptions = { required?: false }>(
  schema: Schema<T>,
  doc: string,
  options?: O,
): Field<T, IsRequired<O>> {
  return { required: false, ...options, schema, doc, support: 'supported' } as Field<T, IsRequired<O>>
}

/** A field that is valid and has no effect here; `note` says what follows from that. */
export function ignored<T>(schema: Schema<T>, doc: string, note: string, options?: FieldOptions): Field<T, false> {
  return { ...options, required: false, schema, doc, support: 'ignored', note }
}

/** A field that is not accepted; `note` says why. */
export function refused(doc: string, note: string): Field<never, false> {
  return { required: false, schema: { type: 'any' }, doc, support: 'refused', note }
}

/** A field that Kubernetes fills in or acts on, and of which nobody needs to hear. */
export function quiet(): Field<never, false> {
  return { required: false, schema: { type: 'any' }, doc: 'Without meaning here.', support: 'ignored', quiet: true }
}

export function string(check?: StringCheck, name = 'string'): Schema<string> {
  return { type: 'string', check, name }
}

export function int(min = -2147483648, max = 2147483647): Schema<number> {
  return { type: 'int', min, max }
}

export function number(min = -Infinity, max = Infinity): Schema<number> {
  return { type: 'number', min, max }
}

export function bool(): Schema<boolean> {
  return { type: 'bool' }
}

/** `zero`: 0s is allowed, and switches off. */
export function duration(options?: { zero: boolean }): Schema<string> {
  return { type: 'duration', zero: options?.zero ?? false }
}

export function intOrString(): Schema<number | string> {
  return { type: 'intOrString' }
}

export function anything(): Schema {
  return { type: 'any' }
}

type EnumWord = string | { ignored: string } | { refused: string }

/** Values with what they do; one given as `{ ignored: TEXT }` is accepted with a warning, `{ refused: TEXT }` is not. */
export function enumOf<const V extends Readonly<Record<string, EnumWord>>>(values: V): Schema<keyof V & string> {
  const table: Record<string, EnumValue> = {}
  for (const [name, v] of Object.entries(values)) table[name] = enumValue(v)
  return { type: 'enum', values: table }
}

function enumValue(word: EnumWord): EnumValue {
  if (typeof word === 'string') return { doc: word, support: 'supported' }
  return 'ignored' in word ? { doc: word.ignored, support: 'ignored' } : { doc: word.refused, support: 'refused' }
}

export function list<T>(of: Schema<T>, options?: { min: number }): Schema<T[]> {
  return { type: 'list', of, min: options?.min ?? 0 }
}

export function map<T>(of: Schema<T>, options?: { key?: StringCheck; min?: number }): Schema<Record<string, T>> {
  return { type: 'map', of, key: options?.key, min: options?.min ?? 0 }
}

export function object<F extends Fields>(
  fields: F,
  options?: {
    open?: boolean
    oneOf?: readonly (readonly (keyof F & string)[])[]
    hints?: Readonly<Record<string, string>>
  },
): Schema<ObjectOf<F>> {
  return {
    type: 'object',
    fields,
    open: options?.open ?? false,
    oneOf: options?.oneOf ?? [],
    hints: options?.hints ?? {},
  }
}

/** The schema with one more check; it runs when the fields it needs are free of faults. */
export function withRule<T>(
  schema: Schema<T>,
  needs: readonly (keyof T & string)[] | 'all',
  check: (value: T, report: Report) => void,
): Schema<T> {
  // The reader hands a rule only values that this very schema has accepted.
  const rule: Rule = { needs, check: (value, report) => check(value as T, report) }
  return { ...schema, rules: [...(schema.rules ?? []), rule] }
}
