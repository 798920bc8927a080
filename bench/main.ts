/**
 * `npm run bench [-- FLAGS]`: measures, prints a table per row and what to make of them, and keeps everything with the
 * machine's facts as JSON and as a page. Figures are for comparing within one run on one machine.
 */
import { parseOptions, USAGE, UsageError } from './options.ts'
import type { Plan } from './options.ts'
import { ROWS, ROW_NAMES } from './rows/index.ts'
import type { RowContext } from './rows/row.ts'
import { Stage } from './stage.ts'
import { Results } from './stats/results.ts'
import { printReport } from './stats/table.ts'

const EXIT_USAGE = 64

async function main(plan: Plan): Promise<void> {
  const startMs = performance.now()
  const stage = await Stage.open(plan.node)
  const results = new Results()
  const context: RowContext = {
    ...{ stage, plan, results, busy: [] },
    isOver: () => performance.now() - startMs > plan.limitSeconds * 1000,
  }
  try {
    for (const name of plan.rows) {
      const row = ROWS[name]
      if (row !== undefined) printReport(await row(context))
    }
  } finally {
    await stage.close()
  }
}

try {
  await main(parseOptions(process.argv.slice(2), ROW_NAMES))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(error.message === '' ? USAGE : `bench: ${error.message}\n\n${USAGE}`)
  process.exitCode = error.message === '' ? 0 : EXIT_USAGE
}
