/** A whole run: its rows one after the other, then what they come to. In: a plan. Out: a record that is kept as JSON. */
import { compare, shownDifference } from './compare.ts'
import type { FigureLine } from './figures.ts'
import { reachedFigures, shownFigure } from './figures.ts'
import type { LatencyReport } from './load/job.ts'
import { SharedMesh } from './mesh/shared.ts'
import type { Plan } from './options.ts'
import { ROWS } from './rows/index.ts'
import type { RowContext } from './rows/row.ts'
import { Stage } from './stage.ts'
import { Results } from './stats/results.ts'
import type { Measurement } from './stats/results.ts'
import type { RowReport } from './stats/table.ts'
import { printReport } from './stats/table.ts'
import type { MachineFacts } from './system/machine.ts'
import { machineFacts } from './system/machine.ts'
import type { Finding } from './verdict.ts'
import { clockStepMs, judge } from './verdict.ts'

/** The file's format; a change that breaks `--compare` gets the next number. */
const FORMAT = 1

export interface RunRecord {
  format: typeof FORMAT
  machine: MachineFacts
  plan: Plan
  tookSeconds: number
  rows: Record<string, RowReport>
  verdict: Finding[]
  figures: FigureLine[]
  measurements: Measurement[]
  curves: Record<string, LatencyReport['curve']>
}

export async function measure(plan: Plan): Promise<RunRecord> {
  const startMs = performance.now()
  const machine = machineFacts()
  const tools = Object.entries(machine.tools).map(([name, version]) => `${name} ${version}`)
  process.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, load ${machine.load1m.toFixed(2)}\n` +
      `Node ${machine.node}, ${tools.join(', ')}\n`,
  )
  const context: RowContext = {
    stage: await Stage.open(plan.node),
    plan,
    results: new Results(),
    mesh: new SharedMesh(),
    busy: [],
    lags: [],
    generatorLimit: NaN,
    curves: new Map<string, LatencyReport['curve']>(),
    isOver: () => performance.now() - startMs > plan.limitSeconds * 1000,
  }
  const rows: Record<string, RowReport> = {}
  try {
    for (const name of plan.rows) {
      const report = await reportOf(name, context)
      rows[name] = report
      printReport(report)
    }
  } finally {
    await context.mesh.close()
    await context.stage.close()
  }
  const { results, busy, lags, generatorLimit, curves } = context
  const { pinned, clock } = machine
  const askedPerSecond = Math.max(0, ...lags.map(({ cell }) => Number(/ (\d+)\/s$/.exec(cell)?.[1] ?? 0)))
  return {
    format: FORMAT,
    machine,
    plan,
    rows,
    tookSeconds: (performance.now() - startMs) / 1000,
    verdict: judge({ busy, lags, generatorLimit, askedPerSecond, pinned, clock, clockStepMs: clockStepMs() }),
    figures: reachedFigures(results),
    measurements: results.all,
    curves: Object.fromEntries(curves),
  }
}

/** A row that fails, or for which there is no time, says so, and the others go on. */
async function reportOf(name: string, context: RowContext): Promise<RowReport> {
  const row = ROWS[name]
  if (row === undefined) throw new Error(`no row ${name}`)
  if (context.isOver()) return { title: `${name}: not measured`, lines: [], notes: ['no time was left for it'] }
  try {
    return await row(context)
  } catch (error) {
    return { title: `${name}: failed`, lines: [], notes: [error instanceof Error ? error.message : String(error)] }
  }
}

/** What stands below the rows: figures to reach, the verdict, the comparison. */
export function printConclusions(record: RunRecord, older: RunRecord | undefined): void {
  if (record.figures.length > 0) printReport({ title: 'Figures to reach', lines: record.figures.map(shownFigure) })
  const lines = record.verdict.map(({ ok, text }) => ({ '': ok ? 'ok' : 'MIND', finding: text }))
  printReport({ title: 'What this measurement is worth', lines })
  if (older === undefined) return
  const differences = compare(record.measurements, older.measurements)
  const title = `Beyond the noise since ${older.machine.at}: ${differences.length} of ${record.measurements.length} figures`
  const { cpu, node } = older.machine
  const same = cpu === record.machine.cpu && node === record.machine.node
  const notes = same ? [] : [`the older run was on ${cpu}, Node ${node}`]
  printReport({ title, lines: differences.map(shownDifference), notes })
}

/** Throws with the reason where a file is none of ours. */
export function parseRecord(text: string): RunRecord {
  const value = JSON.parse(text) as Partial<RunRecord>
  if (value.format !== FORMAT || !Array.isArray(value.measurements))
    throw new Error('not a result file of this benchmark, or of another version of it')
  return value as RunRecord
}
