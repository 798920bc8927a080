/** Results of checks, and how they are shown (linkerd's layout). Pure. */
import type { Glyphs, Paint, Tint } from './style.ts'

export type Level = 'ok' | 'warn' | 'bad'

export interface CheckResult {
  level: Level
  /** What holds, or should: `Node 20.20.2 is new enough`. */
  what: string
  /** For `warn` and `bad`: what is wrong and what to do. */
  hint?: string
}

export interface CheckGroup {
  title: string
  results: CheckResult[]
}

const TINTS: Record<Level, Tint> = { ok: 'green', warn: 'yellow', bad: 'red' }
const ORDER: readonly Level[] = ['ok', 'warn', 'bad']

export function worst(groups: readonly CheckGroup[]): Level {
  const levels = groups.flatMap((group) => group.results.map((result) => ORDER.indexOf(result.level)))
  return ORDER[Math.max(0, ...levels)] ?? 'ok'
}

export function checkText(groups: readonly CheckGroup[], glyphs: Glyphs, paint: Paint): string {
  const lines: string[] = []
  for (const { title, results } of groups) {
    lines.push(paint('bold', title))
    for (const { level, what, hint } of results) {
      lines.push(`${paint(TINTS[level], glyphs[level])} ${what}`)
      if (hint !== undefined) lines.push(`    ${hint}`)
    }
    lines.push('')
  }
  const level = worst(groups)
  const summary = level === 'bad' ? 'Status check results: problems found' : 'Status check results are ok'
  lines.push(`${summary} ${paint(TINTS[level], glyphs[level === 'bad' ? 'bad' : 'ok'])}`)
  return lines.join('\n')
}
