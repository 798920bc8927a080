/** What a row answers, and how it is printed. */

/** One line of a row's table: column to text or number. */
export type Line = Readonly<Record<string, string | number>>

export interface RowReport {
  title: string
  lines: Line[]
  /** Sentences below the table: the target, what is missing. */
  notes?: string[]
}

/** A plain table, columns as wide as their widest cell. */
export function printReport({ title, lines, notes = [] }: RowReport): void {
  const columns = [...new Set(lines.flatMap((line) => Object.keys(line)))]
  const cells = [columns, ...lines.map((line) => columns.map((column) => shownCell(line[column])))]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  process.stdout.write(`\n${title}\n`)
  for (const row of cells)
    process.stdout.write(
      `  ${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  for (const note of notes) process.stdout.write(`  ${note}\n`)
}

export function shownCell(value: string | number | undefined): string {
  if (value === undefined) return '-'
  if (typeof value === 'string' || Number.isInteger(value)) return String(value)
  return value.toFixed(value < 10 ? 2 : 1)
}
