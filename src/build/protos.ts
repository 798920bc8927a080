/**
 * Compiles the wire contract: the .proto files that the package @grpc/grpc-js-xds ships, pruned to XDS_FIELDS.
 *
 * In: the package's protos and src/xds/*.proto. Out, in src/xds/generated/ (never committed):
 *   xds.js, xds.d.ts  a static module: interfaces, encode and decode, nothing parsed at run time
 *   uncompiled.json   per message the published fields that are not compiled, by name
 *   rules.json        per message what its fields must be, as the published schema says (protoc-gen-validate)
 *   descriptor.json   the same schema as data, for proto3 JSON (config dumps, golden files), loaded only there
 * Pruned because the whole closure of a Listener is 3 MB of code, of which each sidecar would hold a copy.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'
import pbjs from 'protobufjs-cli/pbjs.js'
import { XDS_FIELDS } from './xds-fields.ts'

const require = createRequire(import.meta.url)
const here = dirname(fileURLToPath(import.meta.url))
const outDir = join(here, '../xds/generated')
const depsDir = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps')
const includeDirs = [
  ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((d) => join(depsDir, d)),
  dirname(require.resolve('protobufjs/package.json')),
]

/** The .proto file that declares each message of the table, found by package path and then by content. */
function loadSchema(): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => {
    const local = includeDirs.map((d) => join(d, target)).find((f) => existsSync(f))
    return local ?? target
  }
  const ownDir = join(here, '../xds')
  const own = readdirSync(ownDir)
    .filter((f) => f.endsWith('.proto'))
    .map((f) => join(ownDir, f))
  const packages = new Set(
    Object.keys(XDS_FIELDS)
      .filter((m) => m.startsWith('envoy.') || m.startsWith('google.rpc.'))
      .map((m) =>
        m
          .split('.')
          .filter((part) => part === part.toLowerCase())
          .join('/'),
      ),
  )
  const files: string[] = []
  for (const folder of packages) {
    const dir = includeDirs.map((d) => join(d, folder)).find((d) => existsSync(d))
    if (dir === undefined) throw new Error(`no .proto folder for ${folder}`)
    for (const f of readdirSync(dir)) if (f.endsWith('.proto')) files.push(join(dir, f))
  }
  return root.loadSync([...own, ...files])
}

interface JsonField {
  type: string
  id: number
  rule?: string
  keyType?: string
}
/** A namespace, a message or an enum of a JSON schema, as protobufjs writes it. */
interface SchemaNode {
  nested?: Record<string, SchemaNode>
  fields?: Record<string, JsonField>
  oneofs?: Record<string, { oneof: string[] }>
  values?: Record<string, number>
}

/** The folder of `name` in the JSON schema, made where missing. */
function namespaceOf(root: SchemaNode, path: string[]): Record<string, SchemaNode> {
  let at = root
  for (const part of path) {
    at.nested ??= {}
    at = at.nested[part] ??= {}
  }
  return (at.nested ??= {})
}

function prune(schema: protobuf.Root): SchemaNode {
  const out: SchemaNode = {}
  const enums = new Set<protobuf.Enum>()
  const messages = Object.keys(XDS_FIELDS).sort()
  for (const name of messages) {
    const type = schema.lookupType(name)
    const wanted = new Set(
      (XDS_FIELDS[name] ?? '')
        .split(' ')
        .filter((f) => f !== '')
        .map(camel),
    )
    const fields: Record<string, JsonField> = {}
    const oneofs: Record<string, { oneof: string[] }> = {}
    for (const field of type.fieldsArray) {
      const fieldName = camel(field.name)
      if (!wanted.delete(fieldName)) continue
      field.resolve()
      const target = field.resolvedType
      if (target instanceof protobuf.Enum) enums.add(target)
      else if (target instanceof protobuf.Type && XDS_FIELDS[target.fullName.slice(1)] === undefined)
        throw new Error(`${name}.${field.name} needs ${target.fullName.slice(1)}: list it or drop the field`)
      const one: JsonField = {
        type: target === null ? field.type : target.fullName.slice(1),
        id: field.id,
      }
      if (field instanceof protobuf.MapField) one.keyType = field.keyType
      else if (field.repeated) one.rule = 'repeated'
      fields[fieldName] = one
    }
    if (wanted.size > 0) throw new Error(`${name} has no field ${[...wanted].join(', ')}`)
    for (const oneof of type.oneofsArray) {
      const members = oneof.fieldsArray.map((f) => camel(f.name)).filter((f) => f in fields)
      if (members.length > 0) oneofs[oneof.name] = { oneof: members }
    }
    const path = name.split('.')
    const leaf = path.pop() ?? ''
    const folder = namespaceOf(out, path)
    folder[leaf] = { ...folder[leaf], fields, oneofs }
  }
  for (const e of enums) {
    const path = e.fullName.slice(1).split('.')
    const leaf = path.pop() ?? ''
    namespaceOf(out, path)[leaf] = { values: e.values }
  }
  return out
}

const SCALARS: Record<string, string> = { string: 'string', bool: 'boolean', bytes: 'Uint8Array' }

/** The types of the static module: every field optional, as proto3 has it; messages may be null. */
function declarations(schema: SchemaNode): string {
  const lines = [
    "import type { Writer } from 'protobufjs/minimal.js'",
    'export interface Codec<T> {',
    '  encode(message: T, writer?: Writer): Writer',
    '  decode(bytes: Uint8Array): T',
    '}',
  ]
  const typeOf = (field: JsonField): string => {
    if (SCALARS[field.type] !== undefined) return SCALARS[field.type] ?? ''
    return field.type.includes('.') ? field.type : 'number'
  }
  /** Of a message or an enum: what stands in the type's place, and below it. A namespace of types alone merges with a const. */
  const writeTypes = (name: string, { values, fields, oneofs, nested }: SchemaNode): void => {
    if (values !== undefined) lines.push(`export type ${name} = ${Object.values(values).join(' | ')}`)
    if (fields !== undefined) {
      // a member of a oneof that is not set reads as null
      const nullable = new Set(Object.values(oneofs ?? {}).flatMap((o) => o.oneof))
      lines.push(`export interface ${name} {`)
      for (const [key, field] of Object.entries(fields)) {
        const type = typeOf(field)
        if (field.keyType !== undefined) lines.push(`${key}?: Record<string, ${type}> | undefined`)
        else if (field.rule === 'repeated') lines.push(`${key}?: ${type}[] | undefined`)
        else lines.push(`${key}?: ${type} | ${field.type.includes('.') || nullable.has(key) ? 'null | ' : ''}undefined`)
      }
      lines.push('}')
    }
    if (nested === undefined) return
    lines.push(`export namespace ${name} {`)
    for (const [key, child] of Object.entries(nested)) writeTypes(key, child)
    lines.push('}')
  }
  /** The type of what the module exports for a message (codec and nested values) or an enum (its numbers). */
  const valueOf = (name: string, { values, nested }: SchemaNode): string => {
    if (values !== undefined) {
      return `{ ${Object.entries(values)
        .map(([key, value]) => `readonly ${key}: ${value}`)
        .join('; ')} }`
    }
    const members = Object.entries(nested ?? {}).map(([key, child]) => {
      return `readonly ${key}: ${valueOf(`${name}.${key}`, child)}`
    })
    return members.length === 0 ? `Codec<${name}>` : `Codec<${name}> & { ${members.join('; ')} }`
  }
  const write = (name: string, node: SchemaNode): void => {
    if (node.values !== undefined || node.fields !== undefined) {
      writeTypes(name, node)
      lines.push(`export const ${name}: ${valueOf(name, node)}`)
      return
    }
    lines.push(`export namespace ${name} {`)
    for (const [key, child] of Object.entries(node.nested ?? {})) write(key, child)
    lines.push('}')
  }
  for (const [key, child] of Object.entries(schema.nested ?? {})) write(key, child)
  return `${lines.join('\n')}\n`
}

/** For a bootstrap file's reader: a field that Envoy has and we have not is another fault than a mistyped one. */
function uncompiledFields(schema: protobuf.Root): Record<string, string[]> {
  const entries = Object.keys(XDS_FIELDS).map((message) => {
    const ours = new Set((XDS_FIELDS[message] ?? '').split(' ').map(camel))
    const names = schema.lookupType(message).fieldsArray.map((f) => camel(f.name))
    return [message, names.filter((name) => !ours.has(name))] as const
  })
  return Object.fromEntries(entries)
}

/** For a bootstrap file's reader: `(validate.rules)` of the compiled fields, and the oneofs of which one must be given. */
function fieldRules(schema: protobuf.Root): Record<string, { fields: Record<string, object>; required: string[][] }> {
  const entries = Object.entries(XDS_FIELDS).map(([message, words]) => {
    const ours = new Set(words.split(' ').map(camel))
    const type = schema.lookupType(message)
    const fields: Record<string, object> = {}
    for (const { name, parsedOptions } of type.fieldsArray) {
      const options: Record<string, object>[] = parsedOptions ?? []
      const rules = options.flatMap((option) => option['(validate.rules)'] ?? [])
      if (rules.length > 0 && ours.has(camel(name))) fields[camel(name)] = Object.assign({}, ...rules) as object
    }
    const required = type.oneofsArray
      .filter((oneof) => oneof.options?.['(validate.required)'] === true)
      .map((oneof) => oneof.fieldsArray.map((f) => camel(f.name)).filter((f) => ours.has(f)))
    return [message, { fields, required }] as const
  })
  return Object.fromEntries(
    entries.filter(([, { fields, required }]) => Object.keys(fields).length + required.length > 0),
  )
}

function camel(name: string): string {
  return protobuf.util.camelCase(name)
}

/** Writes src/xds/generated. Throws when the table names what the schema lacks. */
export async function buildProtos(): Promise<void> {
  const published = loadSchema()
  const schema = prune(published)
  const descriptor = JSON.stringify(schema, null, 1)
  mkdirSync(outDir, { recursive: true })
  writeFileSync(join(outDir, 'xds.d.ts'), declarations(schema))
  writeFileSync(join(outDir, 'uncompiled.json'), JSON.stringify(uncompiledFields(published)))
  writeFileSync(join(outDir, 'rules.json'), JSON.stringify(fieldRules(published)))
  const file = join(outDir, 'descriptor.json')
  writeFileSync(file, descriptor)
  const flags =
    '--no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service --no-comments --force-number'
  const args = ['-t', 'static-module', '-w', 'es6', ...flags.split(' ')]
  await new Promise<void>((done, fail) => {
    pbjs.main([...args, '-o', join(outDir, 'xds.js'), file], (error) => {
      if (error === null || error === undefined) done()
      else fail(error)
    })
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildProtos()
