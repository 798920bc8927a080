/** What a row of the fault plan is: a fault, what is measured, and what must hold. */
export interface Figure {
  name: string
  value: number
  unit: string
  /** What the plan asks for; absent: only told. */
  limit?: { op: '<=' | '>=' | '='; than: number }
}

export interface RowContext {
  short: boolean
  /** Requests per second of the base load: 1,000, or 60 % of the peak where that is less. */
  ratePerSecond: number
  peakPerSecond: number
  seed: number
}

export interface Row {
  number: number
  title: string
  run: (context: RowContext) => Promise<Figure[]>
}

export interface RowResult {
  row: number
  title: string
  ok: boolean
  seconds: number
  figures: Figure[]
  /** Why it could not be run to its end. */
  error?: string
}

export const told = (name: string, value: number, unit = ''): Figure => ({ name, value: round(value), unit })
export const atMost = (name: string, value: number, than: number, unit = ''): Figure => ({
  ...told(name, value, unit),
  limit: { op: '<=', than: round(than) },
})
export const atLeast = (name: string, value: number, than: number, unit = ''): Figure => ({
  ...told(name, value, unit),
  limit: { op: '>=', than: round(than) },
})
export const exactly = (name: string, value: number, than: number, unit = ''): Figure => ({
  ...told(name, value, unit),
  limit: { op: '=', than },
})

export function passes({ value, limit }: Figure): boolean {
  if (limit === undefined) return true
  if (limit.op === '=') return value === limit.than
  return limit.op === '<=' ? value <= limit.than : value >= limit.than
}

export async function runRow(row: Row, context: RowContext): Promise<RowResult> {
  const startMs = performance.now()
  const result: RowResult = { row: row.number, title: row.title, ok: false, seconds: 0, figures: [] }
  try {
    result.figures = await row.run(context)
    result.ok = result.figures.every(passes)
  } catch (error) {
    result.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  result.seconds = round((performance.now() - startMs) / 1000)
  return result
}

export function table({ row, title, ok, seconds, figures, error }: RowResult): string {
  const lines = figures.map((figure) => {
    const { name, value, unit, limit } = figure
    const asked = limit === undefined ? '' : `${limit.op} ${limit.than}`
    const mark = limit === undefined ? '' : passes(figure) ? 'ok' : 'FAIL'
    return `  ${name.padEnd(58)}${String(value).padStart(10)} ${unit.padEnd(6)}${asked.padStart(12)}  ${mark}`
  })
  if (error !== undefined) lines.push(`  ${error.replaceAll('\n', '\n  ')}`)
  return [`row ${row}: ${title}: ${ok ? 'ok' : 'FAIL'} (${seconds} s)`, ...lines, ''].join('\n')
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
