/**
 * `npm run bench [-- FLAGS]`: measures, prints a table per row and what to make of them, and keeps everything with the
 * machine's facts as JSON and as a page. Figures are for comparing within one run on one machine.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pageOf } from './html/page.ts'
import { parseOptions, USAGE, UsageError } from './options.ts'
import type { Plan } from './options.ts'
import { ROW_NAMES } from './rows/index.ts'
import { measure, parseRecord, printConclusions } from './run.ts'
import type { RunRecord } from './run.ts'

const EXIT_USAGE = 64
const RESULTS = fileURLToPath(new URL('results', import.meta.url))

/** Before the measuring: a mistake in it would cost the whole run. */
function olderRun({ compareWith }: Plan): RunRecord | undefined {
  if (compareWith === undefined) return undefined
  try {
    return parseRecord(readFileSync(compareWith, 'utf8'))
  } catch (error) {
    throw new UsageError(`--compare ${compareWith}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function keep(record: RunRecord, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const name = join(folder, record.machine.at.replaceAll(/[:.]/g, '-'))
  writeFileSync(`${name}.json`, `${JSON.stringify(record, null, 2)}\n`)
  writeFileSync(`${name}.html`, pageOf(record))
  process.stdout.write(`\n${Math.round(record.tookSeconds)} s; kept in ${name}.json and .html\n`)
}

async function main(): Promise<void> {
  const plan = parseOptions(process.argv.slice(2), ROW_NAMES)
  const older = olderRun(plan)
  const record = await measure(plan)
  printConclusions(record, older)
  keep(record, plan.outFolder ?? RESULTS)
}

// so that children end and folders go: both are done on `exit`
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

try {
  await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(error.message === '' ? USAGE : `bench: ${error.message}\n\n${USAGE}`)
  process.exitCode = error.message === '' ? 0 : EXIT_USAGE
}
