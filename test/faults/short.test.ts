/** The rows of the fault plan that take seconds, with proxies as processes; `npm run faults` has all of them. */
import t, { type Test } from 'tap'
import { passes, type Row, runRow, table } from './row.ts'
import { hostile } from './rows/hostile.ts'
import { upstreams } from './rows/upstreams.ts'

/** Little enough for a machine that runs other tests beside it. */
const RATE_PER_SECOND = 100
/** A busy machine is slow, and that is no fault of a proxy: what must hold whatever the time is the rest. */
const TIMED = new Set(['ms', 's', '1/s'])

async function hold(t: Test, row: Row): Promise<void> {
  const result = await runRow(row, {
    short: true,
    ratePerSecond: RATE_PER_SECOND,
    peakPerSecond: RATE_PER_SECOND,
    seed: 1,
  })
  t.comment(table(result))
  t.equal(result.error, undefined)
  for (const figure of result.figures) if (!TIMED.has(figure.unit)) t.ok(passes(figure), figure.name)
}

void t.test('kill -9 of one of three applications: nothing lost, nothing twice', (t) => hold(t, upstreams))

void t.test('hostile messages beside others', (t) => hold(t, hostile))
