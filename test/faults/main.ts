/**
 * `npm run faults [-- --rows 2,4,6,13-17 --short --json FILE --seed N]`: faults that proxies must survive, each with the
 * figure it must reach. Proxies are processes of their own, from configuration in Envoy's format, two in a chain with
 * mutual TLS. Prints a table a row; ends with 1 when a row fails. --short ends within four minutes.
 */
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { ProxyChain } from './chain.ts'
import { peakPerSecond } from './peak.ts'
import { runRow, table } from './row.ts'
import { ROWS } from './rows.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: ROWS.map((row) => row.number).join(',') },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})

/** `2,4,13-17` as numbers. */
function numbersOf(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [from = NaN, to = from] = part.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

const chosen = numbersOf(values.rows)
const unknown = chosen.filter((n) => !ROWS.some((row) => row.number === n))
if (unknown.length > 0 || chosen.length === 0) {
  process.stderr.write(`no such row: ${unknown.join(', ')} (there are ${ROWS.map((row) => row.number).join(', ')})\n`)
  process.exit(64)
}

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
  `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; peak of the chain ${Math.round(peak)} requests/s, base load ${ratePerSecond}, seed ${values.seed}\n\n`,
)
const results = []
for (const row of ROWS.filter(({ number }) => chosen.includes(number))) {
  const context = { short: values.short, ratePerSecond, peakPerSecond: peak, seed: Number(values.seed) }
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
    `${JSON.stringify({ machine, short: values.short, seed: Number(values.seed), peak, ratePerSecond, results }, null, 2)}\n`,
  )
process.exit(failed.length === 0 ? 0 : 1)
