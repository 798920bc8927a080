/**
 * Proto3 JSON to the messages that xDS delivers. In: a tree, a message's name. Out: the message as the generated module
 * has it (Any: packed, as on the wire), where each of its fields stood, and all faults.
 * Both spellings of names; durations "1.5s"; enums by name or number; Any by `@type`. Source: protobuf.dev, "ProtoJSON format".
 */
import { nearest } from '../../lib/nearest.ts'
import type { Codec, envoy } from '../../xds/generated/xds.js'
import { type Any, EXTENSION } from '../../xds/type-urls.ts'
import type { Fault, Place } from './fault.ts'
import { notSupported } from './remedies.ts'
import { brokenRules } from './rules.ts'
import { decodeScalar, Mismatch, WELL_KNOWN } from './scalars.ts'
import { enumValues, messageSchema, type MessageSchema, type SchemaField, snake } from './schema.ts'
import type { Node } from './tree.ts'

export interface Origin {
  path: string
  at: Place
}

/** Where the parts of one message, list or map stood. */
export interface Parts {
  /** Full name of a message; '' for a list or a map. */
  type: string
  /** By key or index. */
  fields: ReadonlyMap<string, Origin>
}

const TYPE = '@type'
const CODECS = new Map<string, Codec<unknown>>(Object.values(EXTENSION))

export class Decoder {
  readonly faults: Fault[] = []
  readonly parts = new WeakMap<object, Parts>()
  /** What is packed in an Any. */
  readonly packed = new WeakMap<object, object>()

  /** The whole file. */
  bootstrap(root: Node): envoy.config.bootstrap.v3.Bootstrap {
    return this.#message('envoy.config.bootstrap.v3.Bootstrap', root, '')
  }

  #message(type: string, node: Node, path: string): Record<string, unknown> {
    const message: Record<string, unknown> = {}
    const origins = new Map<string, Origin>()
    this.parts.set(message, { type, fields: origins })
    if (node.type !== 'map') {
      this.#fault(path, node.at, 'must be a map of fields')
      return message
    }
    const schema = messageSchema(type)
    const numFaults = this.faults.length
    for (const [name, { keyAt, value }] of node.fields) {
      if (name === TYPE) continue
      const below = joined(path, name)
      const field = schema.fields.get(name)
      if (field === undefined) this.#fault(below, keyAt, whyNot(schema, name))
      else if (!isNull(value) || field.type === 'google.protobuf.Value') {
        const rival = [field.key, ...field.rivals].find((key) => origins.has(key))
        if (rival !== undefined) {
          this.#fault(below, keyAt, `stands beside ${snake(rival)}: only one of them may be given`)
          continue
        }
        const decoded = this.#field(field, value, below)
        if (decoded === undefined) continue
        message[field.key] = decoded
        origins.set(field.key, { path: below, at: keyAt })
      }
    }
    // what has a fault may lack something because of it
    if (this.faults.length === numFaults)
      for (const { key, message: why } of brokenRules(type, message)) {
        const origin = key === null ? { path, at: node.at } : origins.get(key)
        this.#fault(origin?.path ?? joined(path, snake(key ?? '')), origin?.at ?? node.at, why)
      }
    return message
  }

  /** `undefined`: a fault, or nothing that is not so anyhow. */
  #field(field: SchemaField, node: Node, path: string): unknown {
    if (field.isMap) return this.#map(field, node, path)
    if (!field.repeated) {
      const value = this.#value(field.type, node, path)
      // without presence, a scalar at its default is as good as absent
      const isDefault = value === '' || value === 0 || value === false
      return isDefault && !field.inOneof && !(field.type in WELL_KNOWN) ? undefined : value
    }
    if (node.type !== 'list') return this.#fault(path, node.at, 'must be a list')
    const list: unknown[] = []
    const origins = new Map<string, Origin>()
    node.items.forEach((item, i) => {
      const value = this.#value(field.type, item, `${path}[${i}]`)
      if (value === undefined) return
      origins.set(String(list.length), { path: `${path}[${i}]`, at: item.at })
      list.push(value)
    })
    this.parts.set(list, { type: '', fields: origins })
    return list
  }

  #map(field: SchemaField, node: Node, path: string): unknown {
    if (node.type !== 'map') return this.#fault(path, node.at, 'must be a map')
    const map: Record<string, unknown> = {}
    const origins = new Map<string, Origin>()
    for (const [key, { keyAt, value }] of node.fields) {
      const below = `${path}["${key}"]`
      const decoded = this.#value(field.type, value, below)
      if (decoded === undefined || key === '__proto__') continue
      map[key] = decoded
      origins.set(key, { path: below, at: keyAt })
    }
    this.parts.set(map, { type: '', fields: origins })
    return map
  }

  #value(type: string, node: Node, path: string): unknown {
    if (type === 'google.protobuf.Any') return this.#any(node, path)
    try {
      const wellKnown = WELL_KNOWN[type]
      if (wellKnown !== undefined) return wellKnown(node)
      const values = enumValues(type)
      if (values !== undefined) return enumNumber(values, node)
      return type.includes('.') ? this.#message(type, node, path) : decodeScalar(type, node)
    } catch (error) {
      if (error instanceof Mismatch) return this.#fault(path, node.at, error.message)
      throw error
    }
  }

  #any(node: Node, path: string): Any | undefined {
    const named = node.type === 'map' ? node.fields.get(TYPE) : undefined
    if (node.type !== 'map' || named === undefined) return this.#fault(path, node.at, `must be a map with "${TYPE}"`)
    const text = named.value.type === 'scalar' ? String(named.value.value) : ''
    const name = text.slice(text.lastIndexOf('/') + 1)
    const typeUrl = `type.googleapis.com/${name}`
    const codec = CODECS.get(typeUrl)
    if (codec === undefined) {
      const guess = likelyType(name)
      const hint = guess === undefined ? '' : `; did you mean "${guess}"?`
      return this.#fault(`${path}.${TYPE}`, named.keyAt, `type ${text === '' ? '""' : text} is not supported${hint}`)
    }
    const message = this.#message(name, node, path)
    const any = { typeUrl, value: codec.encode(message).finish() }
    this.packed.set(any, message)
    return any
  }

  #fault(path: string, at: Place, message: string): undefined {
    this.faults.push({ path, at, message })
  }
}

/** By what stands after the last dot: all of them begin alike, and older versions of the API have the same names. */
function likelyType(name: string): string | undefined {
  const own = new Map([...CODECS.keys()].map((url) => [url.slice(url.lastIndexOf('.') + 1), url]))
  return own.get(nearest(name.slice(name.lastIndexOf('.') + 1), own.keys()) ?? '')
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function whyNot(schema: MessageSchema, name: string): string {
  if (schema.unsupported.has(name)) return notSupported(schema.name, snake(name))
  const names = [...new Set([...schema.fields.values()].map((f) => f.name))]
  const guess =
    nearest(name, names) ??
    nearest(
      name,
      [...schema.unsupported].filter((n) => n === snake(n)),
    )
  const hint =
    guess === undefined ? (names.length === 0 ? '' : `; there are ${names.join(', ')}`) : `; did you mean "${guess}"?`
  return `there is no such field${hint}`
}

function enumNumber(values: Readonly<Record<string, number>>, node: Node): number {
  const value = node.type === 'scalar' ? node.value : undefined
  if (typeof value === 'number' && Object.values(values).includes(value)) return value
  const number = typeof value === 'string' && Object.hasOwn(values, value) ? values[value] : undefined
  if (number === undefined) throw new Mismatch(`must be one of ${Object.keys(values).join(', ')}`)
  return number
}

function isNull(node: Node): boolean {
  return node.type === 'scalar' && node.value === null
}
