/** Tables as kubectl prints them: upper-case heads, columns three blanks apart, no lines. Pure. */
import { plain, type Paint, type Tint } from './style.ts'

export type Cell = string | { text: string; tint: Tint }

export interface TableOptions {
  paint?: Paint
  /** Lines are cut to it: a terminal's width. Absent: never cut. */
  maxWidth?: number
  /** Printed before every line. */
  indent?: string
}

const GAP = 3

/** The lines of a table, joined; no newline at the end. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string {
  const paint = options.paint ?? plain
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => textOf(row[i]).length)))
  const lines = [heads, ...rows].map((row) => renderLine(row, widths, options, paint))
  return lines.join('\n')
}

function renderLine(row: readonly Cell[], widths: readonly number[], options: TableOptions, paint: Paint): string {
  const indent = options.indent ?? ''
  let left = (options.maxWidth ?? Number.POSITIVE_INFINITY) - indent.length
  let line = indent
  for (const [i, width] of widths.entries()) {
    if (left <= 0) break
    const cell = row[i] ?? ''
    const text = cut(textOf(cell), left)
    const isLast = i === widths.length - 1
    line += typeof cell === 'string' ? text : paint(cell.tint, text)
    left -= width + GAP
    if (!isLast && left > 0) line += ' '.repeat(width - text.length + GAP)
  }
  return line.trimEnd()
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return ''
  return typeof cell === 'string' ? cell : cell.text
}
