/**
 * Envoy's messages as data: which fields there are, how they are written, which exist but are not compiled.
 * In: the descriptor that the build makes from the published API. Out: look-ups. Only a proxy that stands alone loads it.
 */
import descriptor from '../../xds/generated/descriptor.json' with { type: 'json' }
import uncompiled from '../../xds/generated/uncompiled.json' with { type: 'json' }

export interface SchemaField {
  /** As the decoded message has it: `portValue`. */
  key: string
  /** As the API writes it: `port_value`. */
  name: string
  /** A scalar's name, or the full name of a message or enum. */
  type: string
  repeated: boolean
  isMap: boolean
  /** A member of a oneof: given or not, whatever its value. */
  inOneof: boolean
  /** The other members of it that are compiled. */
  rivals: readonly string[]
}

export interface MessageSchema {
  name: string
  /** By both spellings that proto3 JSON has. */
  fields: ReadonlyMap<string, SchemaField>
  /** Names of fields that Envoy has and we have not, in both spellings. */
  unsupported: ReadonlySet<string>
}

interface RawNode {
  nested?: Record<string, RawNode>
  fields?: Record<string, { type: string; rule?: string; keyType?: string }>
  oneofs?: Record<string, { oneof: string[] }>
  values?: Record<string, number>
}

const schemas = new Map<string, MessageSchema>()

/** The message of this full name. */
export function messageSchema(name: string): MessageSchema {
  let schema = schemas.get(name)
  if (schema === undefined) {
    schema = read(name)
    schemas.set(name, schema)
  }
  return schema
}

/** Names and numbers of an enum; `undefined` for what is none. */
export function enumValues(name: string): Readonly<Record<string, number>> | undefined {
  return find(name)?.values
}

function find(name: string): RawNode | undefined {
  return name.split('.').reduce<RawNode | undefined>((at, part) => at?.nested?.[part], descriptor as RawNode)
}

function read(name: string): MessageSchema {
  const raw = find(name)
  if (raw?.fields === undefined) throw new TypeError(`no message ${name} in the descriptor`)
  const groups = Object.values(raw.oneofs ?? {})
  const fields = new Map<string, SchemaField>()
  for (const [key, { type, rule, keyType }] of Object.entries(raw.fields)) {
    const group = groups.find(({ oneof }) => oneof.includes(key))?.oneof
    const field: SchemaField = {
      key,
      name: snake(key),
      type,
      repeated: rule === 'repeated',
      isMap: keyType !== undefined,
      inOneof: group !== undefined,
      rivals: group?.filter((other) => other !== key) ?? [],
    }
    fields.set(field.name, field).set(jsonName(field.name), field)
  }
  const others = (uncompiled as Record<string, string[]>)[name] ?? []
  return { name, fields, unsupported: new Set(others.map(snake).flatMap((n) => [n, jsonName(n)])) }
}

export function snake(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function jsonName(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
