/**
 * `npm run bench [-- --rows a,b --quick]`: measures, prints a table per row, and keeps all of it with the machine's
 * facts in bench/results/. Figures are for comparing on one machine; other work on it makes them worse.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BenchMesh } from './fixture.ts'
import { machineFacts } from './machine.ts'
import type { RowReport } from './report.ts'
import { printReport } from './report.ts'
import { changes } from './rows/changes.ts'
import { convergence } from './rows/convergence.ts'
import { idle } from './rows/idle.ts'
import { proxy } from './rows/proxy.ts'

type Row = (mesh: BenchMesh, options: { quick: boolean }) => Promise<RowReport>

/** In the order in which they run: idle before anything has warmed the processes. */
const ROWS: Readonly<Record<string, Row>> = { idle, convergence, changes, proxy }

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: Object.keys(ROWS).join(',') },
    quick: { type: 'boolean', default: false },
  },
})
const chosen = values.rows.split(',')
const unknown = chosen.filter((name) => !(name in ROWS))
if (unknown.length > 0) {
  process.stderr.write(`no such row: ${unknown.join(', ')} (there are ${Object.keys(ROWS).join(', ')})\n`)
  process.exit(64)
}

const machine = machineFacts()
process.stdout.write(
  `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Linux ${machine.kernel}, load ${machine.load1m.toFixed(2)}\n`,
)
const reports: Record<string, RowReport> = {}
const mesh = await BenchMesh.start()
try {
  for (const [name, row] of Object.entries(ROWS)) {
    if (!chosen.includes(name)) continue
    const report = await row(mesh, { quick: values.quick })
    reports[name] = report
    printReport(report)
  }
} finally {
  await mesh.stop()
}
const folder = join(dirname(fileURLToPath(import.meta.url)), 'results')
mkdirSync(folder, { recursive: true })
const file = join(folder, `${machine.at.replaceAll(/[:.]/g, '-')}.json`)
writeFileSync(file, `${JSON.stringify({ machine, quick: values.quick, reports }, null, 2)}\n`)
process.stdout.write(`\nkept in ${file}\n`)
