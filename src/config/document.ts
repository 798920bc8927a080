/**
 * Text of a file to documents with positions. In: YAML or JSON (YAML 1.2 with merge keys; several documents, anchors,
 * aliases, `--- ` with trailing blanks). Out: a small tree of our own per document in which aliases and merges are
 * resolved and every key and value knows its line and column. Empty documents are skipped.
 *
 * Limits, each against one attack: text size (memory), lexemes and depth while parsing (time, stack), values after
 * expansion (aliases of aliases, the "billion laughs"), documents.
 */
import { Composer, isAlias, isScalar, isSeq, LineCounter, Parser, Lexer } from 'yaml'
import type { CST, Document, ParsedNode, YAMLMap } from 'yaml'
import type { Code } from './catalogue.ts'

export const LIMITS = {
  textBytes: 1024 * 1024,
  lexemes: 600_000,
  depth: 64,
  values: 100_000,
  documents: 1_000,
} as const

/** Told of one document; after that many the rest follows from the first. */
const MAX_SYNTAX_FAULTS = 20

export interface Place {
  /** Both 1-based. */
  line: number
  column: number
}

export interface MapNode {
  type: 'map'
  at: Place
  fields: Map<string, { keyAt: Place; value: Node }>
}

interface ListNode {
  type: 'list'
  at: Place
  items: Node[]
}

interface ScalarNode {
  type: 'scalar'
  at: Place
  value: string | number | boolean | null
  /** Of a block (`|`): its first line and the column where its lines begin. */
  textAt?: Place
}

export type Node = MapNode | ListNode | ScalarNode

/** A fault of the text itself. */
interface TextFault {
  code: Code
  at: Place
  message: string
}

export interface ParsedText {
  documents: Node[]
  faults: TextFault[]
}

class Refusal extends Error {
  readonly fault: TextFault
  constructor(code: Code, at: Place, message: string) {
    super(message)
    this.fault = { code, at, message }
  }
}

/** All documents of a text. Never throws. Where a document is at fault, its faults are listed and it is left out. */
export function parseText(text: string): ParsedText {
  if (Buffer.byteLength(text) > LIMITS.textBytes) {
    const message = `the text has ${Buffer.byteLength(text)} bytes, ${LIMITS.textBytes} are allowed`
    return { documents: [], faults: [{ code: 'PM0001', at: { line: 1, column: 1 }, message }] }
  }
  const lines = new LineCounter()
  const place = (offset: number): Place => placeOf(lines, offset)
  const result: ParsedText = { documents: [], faults: [] }
  const budget = { values: LIMITS.values }
  try {
    let count = 0
    for (const document of compose(text, lines)) {
      for (const e of [
        ...document.errors.slice(0, MAX_SYNTAX_FAULTS),
        ...document.warnings.slice(0, MAX_SYNTAX_FAULTS),
      ]) {
        result.faults.push({ code: 'PM0002', at: place(e.pos[0]), message: tidy(e.message) })
      }
      if (document.errors.length > 0 || document.contents === null) continue
      if (++count > LIMITS.documents) {
        throw new Refusal('PM0006', place(document.contents.range[0]), `more than ${LIMITS.documents} documents`)
      }
      const node = new Converter(text, place, budget, result.faults).convert(document.contents, 1)
      if (node.type !== 'scalar' || node.value !== null) result.documents.push(node)
    }
  } catch (e) {
    // RangeError: the YAML library ran out of stack on a shape that our own limit did not see.
    if (e instanceof Refusal) result.faults.push(e.fault)
    else if (e instanceof RangeError)
      result.faults.push({ code: 'PM0004', at: { line: 1, column: 1 }, message: 'the text nests too deep' })
    else throw e
  }
  return result
}

/** What `parseAllDocuments` does, with limits on the way. */
function* compose(text: string, lines: LineCounter): Generator<Document.Parsed> {
  const parser = new Parser(lines.addNewLine)
  const composer = new Composer({ merge: true, uniqueKeys: false, prettyErrors: false })
  const tokens: CST.Token[] = []
  let lexemes = 0
  lines.addNewLine(0)
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (++lexemes > LIMITS.lexemes)
      throw new Refusal('PM0005', placeOf(lines, parser.offset), 'the text has too many parts')
    // A level of YAML takes up to two entries of the parser's stack; the exact limit is applied when converting.
    if (parser.stack.length > 2 * LIMITS.depth + 8) {
      throw new Refusal('PM0004', placeOf(lines, parser.offset), `nested deeper than ${LIMITS.depth} levels`)
    }
  }
  for (const token of parser.end()) tokens.push(token)
  for (const document of composer.compose(tokens, false, text.length)) yield document
}

class Converter {
  readonly #text: string
  readonly #place: (offset: number) => Place
  readonly #budget: { values: number }
  readonly #faults: TextFault[]
  readonly #anchors = new Map<string, ParsedNode>()
  /** Anchors being expanded: an alias to one of them would never end. */
  readonly #open = new Set<ParsedNode>()

  constructor(text: string, place: (offset: number) => Place, budget: { values: number }, faults: TextFault[]) {
    this.#text = text
    this.#place = place
    this.#budget = budget
    this.#faults = faults
  }

  convert(node: ParsedNode | null, depth: number): Node {
    if (node === null) return { type: 'scalar', at: this.#place(0), value: null }
    const at = this.#place(node.range[0])
    if (depth > LIMITS.depth) throw new Refusal('PM0004', at, `nested deeper than ${LIMITS.depth} levels`)
    if (--this.#budget.values < 0)
      throw new Refusal('PM0005', at, `more than ${LIMITS.values} values, aliases expanded`)
    if (isAlias(node)) {
      const target = this.#resolve(node.source, at)
      return target === undefined ? { type: 'scalar', at, value: null } : this.convert(target, depth)
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    if (isScalar(node)) {
      const value = scalarValue(node.value, node.source)
      const textAt = node.type === 'BLOCK_LITERAL' ? this.#textAt(node.range, at, String(value)) : undefined
      return { type: 'scalar', at, value, ...(textAt === undefined ? {} : { textAt }) }
    }
    this.#open.add(node)
    const collection: Node = isSeq(node)
      ? { type: 'list', at, items: node.items.map((item) => this.convert(item, depth + 1)) }
      : this.#map(node, at, depth)
    this.#open.delete(node)
    return collection
  }

  /** The block's lines stand below its `|`, all indented by what they have more than those of the value. */
  #textAt([start, end]: readonly [number, number, number], at: Place, value: string): Place | undefined {
    const lines = value.split('\n')
    const first = lines.findIndex((line) => line !== '')
    const raw = this.#text.slice(start, end).split(/\r?\n/)[first + 1]
    if (first < 0 || raw === undefined) return undefined
    return { line: at.line + 1, column: raw.length - (lines[first] ?? '').length + 1 }
  }

  #map(node: YAMLMap.Parsed, at: Place, depth: number): MapNode {
    const fields: MapNode['fields'] = new Map()
    const merged: MapNode[] = []
    for (const pair of node.items) {
      const keyAt = this.#place(pair.key.range[0])
      const key = isAlias(pair.key) ? this.#resolve(pair.key.source, keyAt) : pair.key
      if (!isScalar(key) || key.value === null || key.source === undefined) {
        this.#faults.push({ code: 'PM0008', at: keyAt, message: 'a key must be a string' })
        continue
      }
      const value = this.convert(pair.value ?? null, depth + 1)
      if (value.type === 'scalar' && pair.value === null) value.at = keyAt
      // The merge key is a symbol to the YAML library; a quoted "<<" stays a string.
      if (key.source === '<<' && key.type === 'PLAIN') {
        for (const source of value.type === 'list' ? value.items : [value]) {
          if (source.type === 'map') merged.push(source)
          else this.#faults.push({ code: 'PM0002', at: keyAt, message: '<< merges mappings only' })
        }
        continue
      }
      const name = key.source
      const first = fields.get(name)
      if (first !== undefined) {
        const message = `${JSON.stringify(name)} was already given on line ${first.keyAt.line}`
        this.#faults.push({ code: 'PM0003', at: keyAt, message })
        continue
      }
      fields.set(name, { keyAt, value })
    }
    for (const source of merged)
      for (const [name, field] of source.fields) if (!fields.has(name)) fields.set(name, field)
    return { type: 'map', at, fields }
  }

  #resolve(anchor: string, at: Place): ParsedNode | undefined {
    const target = this.#anchors.get(anchor)
    if (target !== undefined && !this.#open.has(target)) return target
    const message =
      target === undefined ? `no anchor &${anchor} stands before this alias` : `alias *${anchor} contains itself`
    this.#faults.push({ code: 'PM0002', at, message })
    return undefined
  }
}

function scalarValue(value: unknown, source: string | undefined): ScalarNode['value'] {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  // Tags such as !!binary or !!timestamp: Kubernetes reads them as the text that stands there.
  return source ?? null
}

function placeOf(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

/** The library's messages in one line, cut to a length that fits a terminal. */
function tidy(message: string): string {
  const line = message.replaceAll(/\s+/g, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 200)}...` : line
}

/** Plain JSON of a node, for parts of an object that no schema describes. */
export function toJson(node: Node): unknown {
  if (node.type === 'scalar') return node.value
  if (node.type === 'list') return node.items.map(toJson)
  const object: Record<string, unknown> = {}
  for (const [name, field] of node.fields) setOwn(object, name, toJson(field.value))
  return object
}

/** Like `object[name] = value`, also for `__proto__`. */
export function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}
