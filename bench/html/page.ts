/** A run as one page that needs nothing else: tables, verdict, charts. In: its record. Out: HTML, with uPlot inside. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { shownFigure } from '../figures.ts'
import type { RunRecord } from '../run.ts'
import { shownCell } from '../stats/table.ts'
import type { Line, RowReport } from '../stats/table.ts'
import { chartsOf } from './charts.ts'

const uplot = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css'))
const own = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const library = (name: string): string => readFileSync(join(uplot, name), 'utf8')

export function pageOf(record: RunRecord): string {
  const { machine, plan, rows, verdict, figures, tookSeconds } = record
  const facts = Object.entries({ ...machine, tools: undefined, ...machine.tools })
    .filter(([, value]) => value !== undefined)
    .map(([fact, value]): Line => ({ fact, value: String(value) }))
  const findings = verdict.map(({ ok, text }): Line => ({ '': ok ? 'ok' : 'MIND', finding: text }))
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Pocketmesh benchmark, ${escaped(machine.at)}</title>
<style>${library('uPlot.min.css')}
${own('page.css')}</style>
<h1>What a sidecar costs</h1>
<p>${escaped(machine.at)}, ${escaped(machine.cpu)}, ${machine.cores} cores; sidecars on ${escaped(plan.node)}; took ${Math.round(tookSeconds)} s.
Figures compare within this run; other work on the machine makes them worse.</p>
<h2>Figures to reach</h2>
${tableOf({ title: '', lines: figures.map(shownFigure) })}
<h2>What this measurement is worth</h2>
${tableOf({ title: '', lines: findings })}
<div id="charts"></div>
${Object.values(rows)
  .map((row) => `<h2>${escaped(row.title)}</h2>\n${tableOf(row)}`)
  .join('\n')}
<h2>The machine</h2>
${tableOf({ title: '', lines: facts })}
<script>${library('uPlot.iife.min.js')}</script>
<script>const charts = ${JSON.stringify(chartsOf(record)).replaceAll('<', '\\u003c')}
${own('draw.js')}</script>
</html>
`
}

function tableOf({ lines, notes = [] }: RowReport): string {
  const columns = [...new Set(lines.flatMap((line) => Object.keys(line)))]
  const head = columns.map((column) => `<th>${escaped(column)}</th>`).join('')
  const body = lines.map((line) => `<tr>${columns.map((column) => cellOf(shownCell(line[column]))).join('')}</tr>`)
  const table = lines.length === 0 ? '' : `<section><table><tr>${head}</tr>\n${body.join('\n')}</table></section>`
  return `${table}\n${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join('\n')}`
}

function cellOf(text: string): string {
  const isBad = text === 'MIND' || text === 'NOT REACHED'
  return `<td${isBad ? ' class="mind"' : ''}>${escaped(text)}</td>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
