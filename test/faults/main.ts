/**
 * `npm run faults [-- --rows 2,4,6,13-17 --short --json FILE --seed N]`: faults that proxies must survive, each with the
 * figure it must reach. Proxies are processes of their own, from configuration in Envoy's format, two in a chain with
 * mutual TLS. Prints a table a row; ends with 1 when a row fails. --short ends within four minutes.
 */
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import { endWithUsage, flagsOf, wholeFlag } from '../helpers/flags.ts'
import { ProxyChain } from './chain.ts'
import { peakPerSecond } from './peak.ts'
import { runRow, table } from './row.ts'
import { ROWS } from './rows.ts'

const ALL = ROWS.map((row) => row.number)
const USAGE = `npm run faults -- [FLAGS]

  --rows 4,15-17   only these rows; there are ${ALL.join(', ')}
  --short          ends within four minutes
  --seed N         of what is drawn at random (default: by the time)
  --json FILE      the figures, for programs
`

const values = flagsOf(USAGE, {
  rows: { type: 'string', default: ALL.join(',') },
  short: { type: 'boolean', default: false },
  json: { type: 'string' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
})
const seed = wholeFlag(USAGE, '--seed', values.seed)

/** `2,4,13-17` as numbers, of which each part must name some. */
function numbersOf(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    const some = ALL.filter((n) => n >= Number(from) && n <= Number(to))
    return some.length > 0 ? some : endWithUsage(`no such row: ${part}`, USAGE)
  })
}

const chosen = numbersOf(values.rows)

/** The plan's base load, where the machine can bear it. */
const BASE_PER_SECOND = 1000
const SHARE_OF_PEAK = 0.6

const chain = await ProxyChain.start()
const peak = await peakPerSecond(chain.httpPort, values.short ? 2000 : 5000)
await chain.close()
const ratePerSecond = Math.floor(Math.min(BASE_PER_SECOND, SHARE_OF_PEAK * peak))
const machine = {
  cpu: os.cpus()[0]?.model ?? '',
  cores: os.cpus().length,
  node: process.version,
  load1m: os.loadavg()[0],
}
process.stdout.write(
  `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; peak of the chain ${Math.round(peak)} requests/s, base load ${ratePerSecond}, seed ${seed}\n\n`,
)
const results = []
for (const row of ROWS.filter(({ number }) => chosen.includes(number))) {
  const context = { short: values.short, ratePerSecond, peakPerSecond: peak, seed }
  const result = await runRow(row, context)
  results.push(result)
  process.stdout.write(`${table(result)}\n`)
}
const failed = results.filter((result) => !result.ok).map((result) => result.row)
process.stdout.write(
  failed.length === 0 ? `all ${results.length} rows passed\n` : `failed: rows ${failed.join(', ')}\n`,
)
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, short: values.short, seed, peak, ratePerSecond, results }, null, 2)}\n`,
  )
process.exit(failed.length === 0 ? 0 : 1)
