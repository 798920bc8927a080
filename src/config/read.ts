/**
 * A document's tree and a schema to a plain value. In: nodes with positions. Out: the value with known fields under
 * their current names, and every fault found on the way. Owns nothing; never throws on what a user wrote.
 */
import type { MapNode, Node, Place } from './document.ts'
import { setOwn, toJson } from './document.ts'
import { editDistance, nearest } from '../lib/nearest.ts'
import { readScalar } from './read-scalar.ts'
import type { Field, ObjectSchema, Report, Schema } from './schema.ts'
import type { Sink } from './sink.ts'
import { addFault, join, show, wrongType } from './sink.ts'

/** The value, or undefined where it is faulty as a whole. `silent`: below an ignored field, support is not told again. */
export function read(schema: Schema, node: Node, path: string, sink: Sink, silent = false): unknown {
  if (schema.type === 'object') return readObject(schema, node, path, sink, silent)
  if (schema.type === 'list') return readList(schema, node, path, sink, silent)
  if (schema.type === 'map') return readMap(schema, node, path, sink, silent)
  return schema.type === 'any' ? toJson(node) : readScalar(schema, node, path, sink, silent)
}

function readObject(schema: Schema & ObjectSchema, node: Node, path: string, sink: Sink, silent: boolean): unknown {
  if (node.type !== 'map') return wrongType(node, path, 'an object', sink)
  const value: Record<string, unknown> = {}
  const faulty = new Set<string>()
  const present = new Map<string, Place>()
  for (const [written, { keyAt, value: child }] of node.fields) {
    const name = fieldName(schema, written)
    const at = join(path, written)
    const field = name === undefined ? undefined : schema.fields[name]
    if (name === undefined || field === undefined) {
      unknownField(schema, written, keyAt, at, sink, node)
      continue
    }
    const twice = present.get(name)
    if (twice !== undefined) {
      sink.add('PM0003', keyAt, at, `${written} is another spelling of ${name}, given on line ${twice.line}`)
      continue
    }
    present.set(name, keyAt)
    const before = sink.errors
    tellSupport(field, name, written, keyAt, at, sink, silent)
    if (field.support === 'refused') {
      faulty.add(name)
      continue
    }
    if (isNull(child)) {
      // proto3 JSON: null is the same as absent.
      if (field.nullIsEmpty) setOwn(value, name, {})
      else present.delete(name)
      if (!field.nullIsEmpty && !field.quiet && !schema.open)
        sink.add('PM0112', keyAt, at, `${written} has no value: it is read as if it were not there`)
      continue
    }
    const result = read(field.schema, child, at, sink, silent || field.support === 'ignored')
    if (sink.errors > before) faulty.add(name)
    if (result !== undefined) setOwn(value, name, result)
  }
  for (const group of schema.oneOf) {
    const set = group.filter((name) => present.has(name))
    const [first, second] = set
    if (first === undefined || second === undefined) continue
    sink.add('PM0106', present.get(second) ?? node.at, join(path, second), `${set.join(' and ')} exclude each other`)
    for (const name of set) faulty.add(name)
  }
  for (const [name, field] of Object.entries(schema.fields)) {
    if (!field.required || present.has(name)) continue
    sink.add('PM0103', node.at, join(path, name), `${name} is missing: ${firstSentence(field.doc)}`)
    faulty.add(name)
  }
  runRules(schema, value, node, path, sink, faulty)
  return value
}

function readList(schema: Schema & { type: 'list' }, node: Node, path: string, sink: Sink, silent: boolean): unknown {
  if (node.type !== 'list') {
    const fix = node.type === 'scalar' && String(node.value).startsWith('-') ? 'put a space after the dash' : undefined
    return wrongType(node, path, 'a list', sink, fix)
  }
  const before = sink.errors
  const items: unknown[] = []
  for (const [i, item] of node.items.entries()) {
    const at = join(path, i)
    if (isNull(item)) sink.add('PM0102', item.at, at, 'an empty entry')
    else items.push(read(schema.of, item, at, sink, silent))
  }
  if (items.length < schema.min && sink.errors === before)
    sink.add('PM0103', node.at, path, 'the list is empty: at least one entry is needed')
  if (sink.errors === before) runRules(schema, items, node, path, sink, new Set())
  return sink.errors === before ? items : items.filter((item) => item !== undefined)
}

function readMap(schema: Schema & { type: 'map' }, node: Node, path: string, sink: Sink, silent: boolean): unknown {
  if (node.type !== 'map') return wrongType(node, path, 'a mapping', sink)
  const before = sink.errors
  const value: Record<string, unknown> = {}
  for (const [key, { keyAt, value: child }] of node.fields) {
    const at = join(path, key)
    addFault(sink, schema.key?.(key), keyAt, at)
    if (isNull(child)) {
      sink.add('PM0138', keyAt, at, 'there is no value')
      continue
    }
    const result = read(schema.of, child, at, sink, silent)
    if (result !== undefined) setOwn(value, key, result)
  }
  if (node.fields.size < schema.min)
    sink.add('PM0103', node.at, path, 'the mapping is empty: at least one entry is needed')
  if (sink.errors === before) runRules(schema, value, node, path, sink, new Set())
  return value
}

function runRules(
  schema: Schema,
  value: unknown,
  node: Node,
  path: string,
  sink: Sink,
  faulty: ReadonlySet<string>,
): void {
  for (const rule of schema.rules ?? []) {
    const blocked = rule.needs === 'all' ? faulty.size > 0 : rule.needs.some((name) => faulty.has(name))
    if (!blocked) rule.check(value, reporter(node, path, sink))
  }
}

/** Turns a path below a node into a place: of the value, or of the nearest thing around it that exists. */
export function reporter(root: Node, path: string, sink: Sink): Report {
  return (code, parts, message, fix, inside) => {
    let node: Node | undefined = root
    let { at } = root
    let where = path
    for (const part of parts) {
      let next: Node | undefined
      if (node?.type === 'list' && typeof part === 'number') next = node.items[part]
      else if (node?.type === 'map' && typeof part === 'string') next = fieldOf(node, part)?.value
      node = next
      if (next !== undefined) at = next.at
      where = join(where, part)
    }
    const found = inside === undefined ? { at, message } : placeInside(node, at, inside, message)
    sink.add(code, found.at, where, found.message, fix)
  }
}

/** The place in the file where it is known; else the line within the text is told. */
function placeInside(
  node: Node | undefined,
  at: Place,
  { line, column }: Place,
  message: string,
): { at: Place; message: string } {
  const text = node?.type === 'scalar' ? node.textAt : undefined
  if (text === undefined) return { at, message: `line ${line} of the text: ${message}` }
  return { at: { line: text.line + line - 1, column: text.column + column - 1 }, message }
}

function fieldOf(node: MapNode, name: string): { keyAt: Place; value: Node } | undefined {
  return node.fields.get(name) ?? [...node.fields].find(([written]) => camelCase(written) === name)?.[1]
}

/** The current name of a field as written; proto3 JSON also takes a field's snake_case name. */
function fieldName(schema: ObjectSchema, written: string): string | undefined {
  if (Object.hasOwn(schema.fields, written)) return written
  const camel = camelCase(written)
  if (!schema.open && Object.hasOwn(schema.fields, camel)) return camel
  for (const [name, field] of Object.entries(schema.fields)) {
    if (field.aliases?.some((alias) => alias === written || alias === camel)) return name
  }
  return undefined
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase())
}

function unknownField(
  schema: ObjectSchema,
  written: string,
  at: Place,
  path: string,
  sink: Sink,
  parent: MapNode,
): void {
  const names = Object.keys(schema.fields)
  if (schema.open) {
    // Only a near miss of a field that we read, and that is not there itself, is worth a word.
    const guess = names.find((name) => written.length > 4 && editDistance(written, name, 2) < 2)
    if (guess !== undefined && !parent.fields.has(guess) && !schema.fields[guess]?.quiet) {
      sink.add('PM0111', at, path, `unknown field ${show(written)} has no effect`, `did you mean ${guess}?`)
    }
    return
  }
  const hint = Object.hasOwn(schema.hints, written) ? schema.hints[written] : undefined
  const guess = nearest(written, names)
  const fix =
    hint ??
    (guess === undefined
      ? `known fields: ${names.filter((n) => !schema.fields[n]?.quiet).join(', ')}`
      : `did you mean ${guess}?`)
  sink.add('PM0101', at, path, `unknown field ${show(written)}`, fix)
}

function tellSupport(
  field: Field,
  name: string,
  written: string,
  at: Place,
  path: string,
  sink: Sink,
  silent: boolean,
): void {
  if (field.support === 'refused') {
    sink.add('PM0109', at, path, `${name} is refused: ${field.note ?? ''}`)
    return
  }
  if (silent) return
  if (field.support === 'ignored' && !field.quiet)
    sink.add('PM0108', at, path, `${name} has no effect: ${field.note ?? ''}`)
  else if (field.deprecated) sink.add('PM0110', at, path, `${written} is an old field`, field.note)
  else if (written !== name) sink.add('PM0110', at, path, `${written} is an old spelling`, `write ${name}`)
}

function isNull(node: Node): boolean {
  return node.type === 'scalar' && node.value === null
}

function firstSentence(doc: string): string {
  const [first = ''] = doc.split(/\.(?: |$)/, 1)
  return first.charAt(0).toLowerCase() + first.slice(1)
}
