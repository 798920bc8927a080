/**
 * What `explain` prints, from the very schemas that validate: a field, what it takes, whether the mesh acts on it. Data
 * only; the command line lays it out.
 */
import { envelope } from './envelope.ts'
import { findKind, KINDS } from './kinds/index.ts'
import type { KindDef } from './kinds/kind.ts'
import { nearest } from '../lib/nearest.ts'
import { rangeOf } from './read-scalar.ts'
import { object, type Field, type Schema, type Support } from './schema.ts'

/** `partly`: the field counts, but something below it is ignored or refused. */
export type Coverage = Support | 'partly'

export interface FieldView {
  name: string
  /** `list of object`, `duration`, `int (1 to 65535)`. */
  type: string
  doc: string
  support: Coverage
  required: boolean
  default?: string
  /** What follows from an ignored or refused field. */
  note?: string
}

export interface Explanation extends FieldView {
  /** `VirtualService.spec.http.retries` */
  path: string
  /** The kind itself only. */
  apiVersions?: readonly string[]
  /** Of an enum. */
  values: { value: string; doc: string; support: Support }[]
  children: FieldView[]
}

export type ExplainResult = { ok: true; explanation: Explanation } | { ok: false; message: string; suggestion?: string }

export interface CoverageRow {
  kind: string
  /** `spec.http.route.weight`; only fields without fields of their own, and ignored ones as a whole. */
  path: string
  type: string
  support: Support
  doc: string
  note?: string
}

/** Explains `vs`, `vs.spec.http.retries`, `virtualservice.spec.http[0].route`. */
export function explain(path: string): ExplainResult {
  const [first = '', ...parts] = path.replaceAll(/\[[^\]]*\]/g, '').split('.').filter(Boolean) // prettier-ignore
  const def = findKind(first)
  if (def === undefined) {
    const guess = nearest(first, KINDS.flatMap((k) => [k.kind, k.plural, ...k.short])) // prettier-ignore
    const message = `no kind ${first || '(none)'}: ${KINDS.map((k) => k.kind).join(', ')}`
    return { ok: false, message, ...(guess && { suggestion: [guess, ...parts].join('.') }) }
  }
  let schema = envelopeWithTexts(def)
  let view: FieldView = {
    name: def.kind,
    type: 'object',
    doc: def.doc,
    support: coverageOf(schema, 'supported'),
    required: false,
  }
  const walked: string[] = [def.kind]
  for (const [i, part] of parts.entries()) {
    const fields = fieldsOf(schema)
    const field = Object.hasOwn(fields, part) ? fields[part] : undefined
    if (field === undefined || field.quiet) {
      const guess = nearest(part, shown(fields).map(([name]) => name)) // prettier-ignore
      const known = shown(fields).map(([name]) => name).join(', ') || 'none' // prettier-ignore
      const message = `${walked.join('.')} has no field ${part}; fields: ${known}`
      return { ok: false, message, ...(guess && { suggestion: [...walked, guess, ...parts.slice(i + 1)].join('.') }) }
    }
    schema = field.schema
    view = viewOf(part, field)
    walked.push(part)
  }
  const explanation: Explanation = {
    ...view,
    path: walked.join('.'),
    ...(parts.length === 0 && { apiVersions: def.apiVersions }),
    values: valuesOf(schema),
    children: shown(fieldsOf(schema)).map(([name, field]) => viewOf(name, field)),
  }
  return { ok: true, explanation }
}

/** Every field of every kind with what the mesh makes of it. */
export function explainCoverage(): CoverageRow[] {
  return KINDS.flatMap((def) => (def.spec === undefined ? [] : rowsOf(def, bodyOf(def, def.spec), def.body ?? 'spec')))
}

/** Of a body of texts that are YAML of their own, what stands in those. */
function bodyOf({ texts }: KindDef, spec: Schema): Schema {
  return texts === undefined ? spec : object(texts, { open: true })
}

function envelopeWithTexts(def: KindDef): Schema {
  const schema = envelope(def)
  const name = def.body ?? 'spec'
  const body = fieldsOf(schema)[name]
  if (schema.type !== 'object' || body === undefined || def.texts === undefined) return schema
  return { ...schema, fields: { ...schema.fields, [name]: { ...body, schema: bodyOf(def, body.schema) } } }
}

function rowsOf(def: KindDef, schema: Schema, path: string): CoverageRow[] {
  return shown(fieldsOf(schema)).flatMap(([name, field]) => {
    const at = `${path}.${name}`
    const below = field.support === 'supported' ? rowsOf(def, field.schema, at) : []
    if (below.length > 0) return below
    const { support, doc, note } = field
    return [{ kind: def.kind, path: at, type: typeOf(field.schema), support, doc, ...(note !== undefined && { note }) }]
  })
}

function viewOf(name: string, field: Field): FieldView {
  return {
    name,
    type: typeOf(field.schema),
    doc: field.doc,
    support: coverageOf(field.schema, field.support),
    required: field.required,
    ...(field.default !== undefined && { default: field.default }),
    ...(field.note !== undefined && { note: field.note }),
  }
}

function coverageOf(schema: Schema, support: Support): Coverage {
  if (support !== 'supported') return support
  const part = shown(fieldsOf(schema)).some(([, field]) => coverageOf(field.schema, field.support) !== 'supported')
  return part || valuesOf(schema).some((v) => v.support !== 'supported') ? 'partly' : 'supported'
}

/** Fields of an object, or of the objects in a list or a map. */
function fieldsOf(schema: Schema): Readonly<Record<string, Field>> {
  if (schema.type === 'list' || schema.type === 'map') return fieldsOf(schema.of)
  return schema.type === 'object' ? schema.fields : {}
}

function shown(fields: Readonly<Record<string, Field>>): [string, Field][] {
  return Object.entries(fields).filter(([, field]) => !field.quiet)
}

function valuesOf(schema: Schema): Explanation['values'] {
  if (schema.type === 'list' || schema.type === 'map') return valuesOf(schema.of)
  return schema.type === 'enum' ? Object.entries(schema.values).map(([value, v]) => ({ value, ...v })) : []
}

function typeOf(schema: Schema): string {
  switch (schema.type) {
    case 'list':
      return `list of ${typeOf(schema.of)}`
    case 'map':
      return `map of ${typeOf(schema.of)}`
    case 'string':
      return schema.name === 'string' ? 'string' : `string (${schema.name})`
    case 'int':
    case 'number': {
      const range = rangeOf(schema.min, schema.max)
      return range === '' ? schema.type : `${schema.type} (${range})`
    }
    case 'intOrString':
      return 'int or string'
    case 'object':
    case 'bool':
    case 'duration':
    case 'enum':
    case 'any':
      return schema.type
    default:
      return schema satisfies never
  }
}
