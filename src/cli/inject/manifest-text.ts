/**
 * A text of several documents, some of which are changed. In: the text. Out: its documents as trees that keep comments
 * and order; and the text again, byte for byte but for what changed. Of a changed document each line that only moved is
 * the user's own; JSON stays JSON.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  isCollection,
  isMap,
  isSeq,
  parseAllDocuments,
  parseDocument,
  visit,
  type Document,
  type ToStringOptions,
} from 'yaml'

/** In a row: labels or annotations on one line, the pod's metadata on one line. */
const MAX_CHANGED_LINES = 2

export interface TextPart {
  document: Document.Parsed
  /** Where the text has it, with comments before it and its `---`, and what stands there. */
  start: number
  source: string
}

/** For texts that are known to be sound. */
export function splitText(text: string): TextPart[] {
  const documents = parseAllDocuments(text, { merge: true, uniqueKeys: false })
  if (!Array.isArray(documents)) return []
  return documents.map((document, i) => {
    const start = documents[i - 1]?.range[2] ?? 0
    const end = i === documents.length - 1 ? text.length : document.range[2]
    return { document, start, source: text.slice(start, end) }
  })
}

/** Applies a change to a part's document; its text then. */
export function changed(part: TextPart, change: () => void): string {
  const { document, source } = part
  if (isJson(source)) {
    change()
    const indent = /\n([ \t]+)/.exec(source)?.[1] ?? ''
    return `${JSON.stringify(document.toJS(), undefined, indent)}\n`
  }
  const style = styleOf(part)
  const before = document.toString(style)
  change()
  const lead = /^\s*\n/.exec(source)?.[0] ?? ''
  const text = lead + withOwnLines(source.slice(lead.length), before, document.toString(style))
  return source.includes('\r\n') ? text.replaceAll(/\r?\n/g, '\r\n') : text
}

/** Texts one after the other, as one. */
export function joinTexts(texts: readonly string[]): string {
  let whole = ''
  for (const text of texts) {
    if (whole !== '' && !whole.endsWith('\n')) whole += '\n'
    if (whole !== '' && !/^(?:[ \t]*(?:#.*)?\r?\n)*---(?:\s|$)/.test(text)) whole += '---\n'
    whole += text
  }
  return whole
}

function isJson(source: string): boolean {
  try {
    JSON.parse(source)
    return true
  } catch {
    return false
  }
}

/** How this document is laid out: that of its first nested collections. */
function styleOf({ document, start, source }: TextPart): ToStringOptions {
  let indent: number | undefined
  let indentSeq: boolean | undefined
  const column = (offset: number): number => offset - (source.lastIndexOf('\n', offset - 1) + 1)
  visit(document, {
    Pair(_, { key, value }) {
      if (!isCollection(value) || value.flow === true || !hasRange(key) || !hasRange(value)) return
      const step = column(value.range[0] - start) - column(key.range[0] - start)
      if (isSeq(value)) indentSeq ??= step > 0
      if (isMap(value) && step > 0) indent ??= step
    },
  })
  return {
    lineWidth: 0,
    indent: indent ?? 2,
    indentSeq: indentSeq ?? true,
    flowCollectionPadding: /[[{] /.test(source),
  }
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return Array.isArray((node as { range?: unknown } | null)?.range)
}

/** `after` with each line of `before` as it stands in the source, where only blanks within lines tell the two apart. */
function withOwnLines(source: string, before: string, after: string): string {
  const own = linesOf(source)
  const printed = linesOf(before)
  if (own.length !== printed.length || own.some((line, i) => !isSameLine(line, printed[i] ?? ''))) return after
  let next = 0
  const lines = linesOf(after).map((line) => {
    const found = printed.slice(next, next + 1 + MAX_CHANGED_LINES).indexOf(line)
    if (found === -1) return line
    next += found + 1
    return own[next - 1] ?? line
  })
  const text = `${lines.join('\n')}\n`
  return isDeepStrictEqual(valueOf(text), valueOf(after)) ? text : after
}

function valueOf(text: string): unknown {
  return parseDocument(text, { merge: true, uniqueKeys: false }).toJS({ maxAliasCount: -1 })
}

function linesOf(text: string): string[] {
  return text.replaceAll('\r\n', '\n').replace(/\n$/, '').split('\n')
}

function isSameLine(a: string, b: string): boolean {
  const [indentA, indentB] = [a, b].map((line) => line.length - line.trimStart().length)
  const [textA, textB] = [a, b].map((line) => line.replaceAll(/\s+/g, ''))
  return textA === textB && (indentA === indentB || textA === '')
}
