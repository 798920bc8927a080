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
import { link } from './rows/link.ts'
import { pods } from './rows/pods.ts'
import { proxy } from './rows/proxy.ts'

type Row = (mesh: BenchMesh, options: { quick: boolean }) => Promise<RowReport>

/** In the order in which they run: idle before anything has warmed the processes. */
const ROWS: Readonly<Record<string, Row>> = { idle, convergence, changes, proxy, link }
/** Those that start meshes of their own, when the shared one has ended. */
const LATER: Readonly<Record<string, (options: { quick: boolean }) => Promise<RowReport>>> = { pods }
const NAMES = [...Object.keys(ROWS), ...Object.keys(LATER)]

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: NAMES.join(',') },
    quick: { type: 'boolean', default: false },
  },
})
const chosen = values.rows.split(',')
const unknown = chosen.filter((name) => !NAMES.includes(name))
if (unknown.length > 0) {
  process.stderr.write(`no such row: ${unknown.join(', ')} (there are ${NAMES.join(', ')})\n`)
  process.exit(64)
}

const machine = machineFacts()
process.stdout.write(
  `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, Linux ${machine.kernel}, load ${machine.load1m.toFixed(2)}\n`,
)
const options = { quick: values.quick }
const reports: Record<string, RowReport> = {}
const keep = (name: string, report: RowReport): void => {
  reports[name] = report
  printReport(report)
}
if (chosen.some((name) => name in ROWS)) {
  const mesh = await BenchMesh.start()
  try {
    for (const [name, row] of Object.entries(ROWS)) if (chosen.includes(name)) keep(name, await row(mesh, options))
  } finally {
    await mesh.stop()
  }
}
for (const [name, row] of Object.entries(LATER)) if (chosen.includes(name)) keep(name, await row(options))
const folder = join(dirname(fileURLToPath(import.meta.url)), 'results')
mkdirSync(folder, { recursive: true })
const file = join(folder, `${machine.at.replaceAll(/[:.]/g, '-')}.json`)
writeFileSync(file, `${JSON.stringify({ machine, quick: values.quick, reports }, null, 2)}\n`)
process.stdout.write(`\nkept in ${file}\n`)
