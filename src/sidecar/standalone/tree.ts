/**
 * Text of a bootstrap file to a tree that knows its places. In: YAML 1.2 or JSON, one document. Out: maps, lists and
 * scalars with line and column, aliases and merge keys resolved, or the faults of the text.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node as YamlNode,
} from 'yaml'
import type { Fault, Place } from './fault.ts'

export interface MapNode {
  type: 'map'
  at: Place
  fields: Map<string, { keyAt: Place; value: Node }>
}

export interface ListNode {
  type: 'list'
  at: Place
  items: Node[]
}

export interface ScalarNode {
  type: 'scalar'
  at: Place
  value: string | number | boolean | null
}

export type Node = MapNode | ListNode | ScalarNode

/** Aliases of aliases grow without bounds otherwise. */
const MAX_NODES = 500_000
const MAX_DEPTH = 200
const START: Place = { line: 1, column: 1 }

class TextError extends Error {
  readonly at: Place
  constructor(at: Place, message: string) {
    super(message)
    this.at = at
  }
}

/** The one document of a text. Never throws. */
export function readTree(text: string): { root: Node | null; faults: Fault[] } {
  const lines = new LineCounter()
  const fault = (at: Place, message: string): Fault => ({ path: '', at, message })
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false })
  const [document, second] = 'empty' in documents ? [] : documents
  if (document === undefined) return { root: null, faults: [fault(START, 'the file is empty')] }
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return line === 0 ? START : { line, column: col }
  }
  const faults = [...document.errors, ...document.warnings].map((e) => fault(place(e.pos[0]), firstLine(e.message)))
  if (second !== undefined) faults.push(fault(place(second.range[0]), 'a second document: one is allowed'))
  if (faults.length > 0) return { root: null, faults }
  try {
    return { root: new Converter(document, place).convert(document.contents, 0), faults: [] }
  } catch (error) {
    if (error instanceof TextError) return { root: null, faults: [fault(error.at, error.message)] }
    throw error
  }
}

class Converter {
  readonly #document: Document.Parsed
  readonly #place: (offset: number) => Place
  #numNodes = 0

  constructor(document: Document.Parsed, place: (offset: number) => Place) {
    this.#document = document
    this.#place = place
  }

  convert(node: YamlNode | null, depth: number): Node {
    const at = this.#placeOf(node)
    if (++this.#numNodes > MAX_NODES) throw new TextError(at, `more than ${MAX_NODES} values`)
    if (depth > MAX_DEPTH) throw new TextError(at, `nested deeper than ${MAX_DEPTH} levels`)
    if (isAlias(node)) return this.convert(node.resolve(this.#document) ?? null, depth + 1)
    if (isMap(node)) return this.#map(node.items, at, depth)
    if (isSeq(node)) return { type: 'list', at, items: node.items.map((i) => this.convert(i as YamlNode, depth + 1)) }
    const value: unknown = isScalar(node) ? node.value : null
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return { type: 'scalar', at, value }
    throw new TextError(at, 'a value of this type has no place here')
  }

  #map(items: readonly { key: unknown; value: unknown }[], at: Place, depth: number): MapNode {
    const fields: MapNode['fields'] = new Map()
    const merged: MapNode[] = []
    for (const { key, value } of items) {
      const keyAt = this.#placeOf(key as YamlNode)
      const name = isScalar(key) ? String(key.value) : null
      if (name === null) throw new TextError(keyAt, 'a key must be a plain text')
      const child = this.convert(value as YamlNode | null, depth + 1)
      if (name !== '<<') fields.set(name, { keyAt, value: child })
      else merged.push(...(child.type === 'list' ? child.items : [child]).filter((c) => c.type === 'map'))
    }
    // what stands in the map itself goes before what is merged into it
    for (const { fields: others } of merged)
      for (const [name, field] of others) if (!fields.has(name)) fields.set(name, field)
    return { type: 'map', at, fields }
  }

  #placeOf(node: YamlNode | null): Place {
    const start = node?.range?.[0]
    return start === undefined ? START : this.#place(start)
  }
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? ''
}
