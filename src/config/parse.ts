/**
 * Files to objects. In: texts with their names. Out: validated objects, and every issue of every file at once. Nothing
 * is thrown for what a user wrote. Objects with errors are left out; who applies all or nothing looks at the issues.
 */
import { CATALOGUE } from './catalogue.ts'
import type { MapNode, Node } from './document.ts'
import { parseText } from './document.ts'
import { envelope } from './envelope.ts'
import type { Issue } from './issue.ts'
import { groupOf, KINDS } from './kinds/index.ts'
import type { KindDef } from './kinds/kind.ts'
import { nearest } from '../lib/nearest.ts'
import type { MeshObject, ObjectMeta } from './object.ts'
import { objectKey } from './object.ts'
import { read, reporter } from './read.ts'
import { join, Sink } from './sink.ts'
import type { Report } from './schema.ts'

export interface SourceText {
  /** As the user named it, or `(stdin)`. */
  file: string
  /** Absolute folder of the file. */
  dir: string
  text: string
}

export interface ParseOptions {
  /** Namespace of objects that name none. */
  namespace: string
  /** Ignored fields are errors. */
  strict?: boolean
}

export interface ParseResult {
  objects: MeshObject[]
  /** In the order of files and lines. */
  issues: Issue[]
}

/** More than anybody reads; a bound for hostile files. Errors and warnings are counted apart, so none hides the other. */
const MAX_ISSUES = 1000

/** Validated objects of all sources, and their issues. */
export function parseSources(sources: readonly SourceText[], options: ParseOptions): ParseResult {
  const objects: MeshObject[] = []
  const issues: Issue[] = []
  const defined = new Map<string, MeshObject>()
  const files = sources.map((source) => new FileParser(source, options, defined))
  for (const file of files) file.parse()
  const all = files.flatMap((file) => file.objects)
  for (const file of files) {
    objects.push(...file.compared(all))
    issues.push(...file.issues.toSorted((a, b) => a.line - b.line || a.column - b.column))
  }
  return { objects, issues }
}

class FileParser {
  readonly objects: MeshObject[] = []
  readonly #reports = new Map<MeshObject, Report>()
  readonly issues: Issue[] = []
  readonly #source: SourceText
  readonly #options: ParseOptions
  readonly #defined: Map<string, MeshObject>
  readonly #sink: Sink
  readonly #counts = { error: 0, warning: 0 }

  constructor(source: SourceText, options: ParseOptions, defined: Map<string, MeshObject>) {
    this.#source = source
    this.#options = options
    this.#defined = defined
    this.#sink = new Sink((code, at, path, message, fix) => {
      const level = options.strict && code === 'PM0108' ? 'error' : CATALOGUE[code].level
      if (++this.#counts[level] > MAX_ISSUES) return
      this.issues.push({ code, level, file: source.file, ...at, path, message, fix: fix ?? CATALOGUE[code].fix })
    })
  }

  parse(): void {
    const { documents, faults } = parseText(this.#source.text)
    for (const { code, at, message } of faults) this.#sink.add(code, at, '', message)
    for (const document of documents) this.#document(document, '', '', '')
  }

  /** Those objects that are sound beside all others. */
  compared(all: readonly MeshObject[]): MeshObject[] {
    return this.objects.filter((object) => {
      const before = this.#sink.errors
      const def = KINDS.find((k) => k.kind === object.kind)
      def?.compare?.(object, all, this.#reports.get(object) ?? (() => {}))
      return this.#sink.errors === before
    })
  }

  /** A document, or an entry of a list; a typed list (`ServiceList`) lends its entries kind and apiVersion. */
  #document(node: Node, path: string, kind: string, apiVersion: string): void {
    if (node.type !== 'map') {
      this.#sink.add(
        'PM0007',
        node.at,
        path,
        `${node.type === 'list' ? 'a list' : JSON.stringify(node.value)?.slice(0, 80)} is not an object`,
      )
      return
    }
    const ownKind = textOf(node, 'kind') ?? kind
    const ownVersion = textOf(node, 'apiVersion') ?? apiVersion
    const items = node.fields.get('items')?.value
    if (ownKind.endsWith('List') && items?.type === 'list') {
      const entryKind = ownKind.slice(0, -4)
      for (const [i, item] of items.items.entries())
        this.#document(item, join(join(path, 'items'), i), entryKind, entryKind === '' ? '' : ownVersion)
      return
    }
    const def = this.#kind(node, path, ownKind, ownVersion)
    if (def !== undefined) this.#object(def, ownVersion, node, path)
  }

  #kind(node: MapNode, path: string, kind: string, apiVersion: string): KindDef | undefined {
    for (const [name, value] of [
      ['apiVersion', apiVersion],
      ['kind', kind],
    ] as const) {
      // prettier-ignore
      if (value !== '') continue
      this.#sink.add('PM0120', node.at, join(path, name), `${name} is missing`)
    }
    if (kind === '' || apiVersion === '') return undefined
    const group = groupOf(apiVersion)
    const def = KINDS.find((k) => k.kind === kind && k.apiVersions.some((v) => groupOf(v) === group))
    if (def === undefined) {
      const names = KINDS.map((k) => k.kind)
      const sameName = KINDS.find((k) => k.kind === kind)
      const guess = nearest(kind, names)
      const fix = sameName
        ? `${kind} is supported as ${sameName.apiVersions.join(', ')}`
        : guess
          ? `did you mean ${guess}?`
          : `supported: ${names.join(', ')}`
      this.#sink.add(
        'PM0121',
        placeOf(node, 'kind'),
        join(path, 'kind'),
        `kind ${clip(kind)} of group ${group === '' ? 'core (v1)' : clip(group)} is not supported`,
        fix,
      )
      return undefined
    }
    if (def.apiVersions.includes(apiVersion)) return def
    this.#sink.add(
      'PM0122',
      placeOf(node, 'apiVersion'),
      join(path, 'apiVersion'),
      `${kind} has no version ${clip(apiVersion)}: ${def.apiVersions.join(', ')}`,
    )
    return undefined
  }

  #object(def: KindDef, apiVersion: string, node: MapNode, path: string): void {
    const before = this.#sink.errors
    const { body = 'spec' } = def
    const whole = read(envelope(def), node, path, this.#sink) as { metadata?: ReadMeta; spec?: object; data?: object }
    let spec = whole[body] ?? {}
    // An absent or empty spec is read as {}, so that the spec's own rules speak.
    if (def.spec !== undefined && whole[body] === undefined && this.#sink.errors === before) {
      const at = placeOf(node, body)
      spec = read(def.spec, { type: 'map', at, fields: new Map() }, join(path, body), this.#sink) as object
    }
    const metadata = this.#metadata(def, whole.metadata ?? {}, node, path)
    if (this.#sink.errors > before) return
    const source = { file: this.#source.file, line: node.at.line, dir: this.#source.dir }
    const result: MeshObject = { apiVersion, kind: def.kind, metadata, spec, source }
    const report = reporter(node, path, this.#sink)
    def.finish?.(result, report)
    const key = objectKey(def.kind, metadata.namespace, metadata.name)
    const first = this.#defined.get(key)?.source
    if (first !== undefined)
      this.#sink.add(
        'PM0126',
        node.at,
        join(path, 'metadata'),
        `${def.kind} ${metadata.name} is already defined in ${first.file}:${first.line}`,
      )
    if (this.#sink.errors > before) return
    this.#defined.set(key, result)
    this.#reports.set(result, report)
    this.objects.push(result)
  }

  #metadata(def: KindDef, meta: ReadMeta, node: MapNode, path: string): ObjectMeta {
    const given = meta.namespace
    if (def.scope === 'cluster' && given !== undefined) {
      const metaNode = node.fields.get('metadata')?.value
      const at = metaNode?.type === 'map' ? placeOf(metaNode, 'namespace') : node.at
      this.#sink.add(
        'PM0127',
        at,
        join(join(path, 'metadata'), 'namespace'),
        `${def.kind} is for the whole mesh and has no namespace`,
      )
    }
    return {
      name: meta.name ?? '',
      namespace: def.scope === 'cluster' ? '' : (given ?? this.#options.namespace),
      labels: meta.labels ?? {},
      annotations: meta.annotations ?? {},
    }
  }
}

type ReadMeta = Partial<ObjectMeta>

function textOf(node: MapNode, field: string): string | undefined {
  const value = node.fields.get(field)?.value
  return value?.type === 'scalar' && typeof value.value === 'string' ? value.value : undefined
}

function placeOf(node: MapNode, field: string): Node['at'] {
  return node.fields.get(field)?.keyAt ?? node.at
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
