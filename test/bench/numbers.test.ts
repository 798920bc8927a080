import t from 'tap'
import { compare } from '../../bench/compare.ts'
import { HAPROXY_H2 } from '../../bench/names.ts'
import { Recorder } from '../../bench/load/recorder.ts'
import { Schedule } from '../../bench/load/schedule.ts'
import { digits, Results } from '../../bench/stats/results.ts'
import type { Measurement } from '../../bench/stats/results.ts'
import { median, medianInterval, pairwise, percentile, ratioInterval } from '../../bench/stats/summary.ts'

void t.test('a schedule is even, and late requests keep their intended start', async (t) => {
  const schedule = new Schedule({ startMs: 100, ratePerSecond: 500, seconds: 0.01 })
  t.equal(schedule.count, 5)
  t.equal(schedule.take(99.9), -1, 'none is due before the start')
  t.equal(schedule.take(100), 100)
  t.equal(schedule.take(101), -1)
  t.same([schedule.take(200), schedule.take(200), schedule.take(200)], [102, 104, 106], 'a stall is caught up with')
  t.equal(schedule.nextDueMs, 108)
  t.equal(schedule.take(108), 108)
  t.ok(schedule.isOver)
  t.equal(schedule.take(Infinity), -1)
  t.equal(schedule.nextDueMs, Infinity)
})

void t.test('latencies come out of the histogram with three digits', async (t) => {
  const recorder = new Recorder()
  t.ok(Number.isNaN(recorder.report().p50Ms), 'nothing was recorded')
  for (let i = 1; i <= 1000; i++) recorder.record(i / 10)
  recorder.record(0)
  const { p50Ms, p99Ms, maxMs, curve } = recorder.report()
  t.ok(Math.abs(p50Ms - 50) < 0.2, `${p50Ms}`)
  t.ok(Math.abs(p99Ms - 99) < 0.2, `${p99Ms}`)
  t.ok(Math.abs(maxMs - 100) < 0.2, `${maxMs}`)
  t.same([curve[0]?.[0], curve.at(-1)?.[0]], [0, 100])
})

void t.test('medians, ranks and pairs', async (t) => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  t.same([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)], [50, 99, 7])
  t.same([median([3, 1, 2]), median([4, 1, 2, 3])], [2, 2.5])
  t.ok(Number.isNaN(median([])))
  t.same(
    pairwise([6, 8, 10], [2, 4], (a, b) => a / b),
    [3, 2],
    'only repetitions that both have',
  )
  t.same([digits(0.5), digits(12.34), digits(123.4), digits(NaN)], ['0.50', '12.3', '123', '-'])
})

void t.test('an interval holds the median, is narrow for even values, and comes out the same again', async (t) => {
  const even = medianInterval([10, 10, 10, 10, 10])
  t.same(even, { low: 10, high: 10 })
  const values = [8, 9, 10, 11, 12]
  const { low, high } = medianInterval(values)
  t.ok(low <= 10 && high >= 10 && low >= 8 && high <= 12, `${low} to ${high}`)
  t.same(medianInterval(values), { low, high })
  t.same(ratioInterval([20, 20, 20], [10, 10, 10]), { low: 2, high: 2 })
})

void t.test('ratios are taken within a repetition', async (t) => {
  const results = new Results()
  const key = { row: 'hop', cell: 'c=8', metric: 'cpuUs' } as const
  // the machine got busier all the time; one repetition was bad for the anchor alone
  for (const [ours, theirs] of [
    [50, 100],
    [100, 200],
    [200, 800],
  ] as const) {
    results.add({ ...key, subject: 'ours' }, ours)
    results.add({ ...key, subject: 'theirs' }, theirs)
  }
  t.equal(results.ratio({ ...key, subject: 'ours' }, 'theirs'), 0.5)
  t.equal(results.shown({ ...key, subject: 'ours' }), '100 (50.0-200)')
  t.equal(results.shown({ ...key, subject: 'nobody' }), '-')
})

void t.test('a comparison tells only what is beyond the noise', async (t) => {
  const figure = (subject: string, samples: number[], more: Partial<Measurement> = {}): Measurement => ({
    row: 'hop',
    cell: 'c=8',
    metric: 'cpuUs',
    unit: 'us',
    better: 'lower',
    subject,
    samples,
    ...more,
  })
  const rows: [string, Measurement[], Measurement[], string[]][] = [
    ['the same figures', [figure('a', [10, 11, 12])], [figure('a', [10, 11, 12])], []],
    ['noise', [figure('a', [10, 14, 12])], [figure('a', [11, 13, 10])], []],
    ['dearer', [figure('a', [20, 21, 22])], [figure('a', [10, 11, 12])], ['worse']],
    ['cheaper', [figure('a', [10, 11, 12])], [figure('a', [20, 21, 22])], ['better']],
    [
      'more of what is good',
      [figure('a', [20, 21, 22], { better: 'higher' })],
      [figure('a', [10, 11, 12], { better: 'higher' })],
      ['better'],
    ],
    ['a certain change of one per cent', [figure('a', [101, 101, 101])], [figure('a', [100, 100, 100])], []],
    ['too few repetitions', [figure('a', [20, 21])], [figure('a', [10, 11])], []],
    ['a figure that only one run has', [figure('a', [20, 21, 22])], [figure('b', [10, 11, 12])], []],
    [
      'a machine that is half as fast for everyone',
      [figure('a', [20, 22, 24]), figure(HAPROXY_H2, [40, 44, 48])],
      [figure('a', [10, 11, 12]), figure(HAPROXY_H2, [20, 22, 24])],
      [],
    ],
    [
      'dearer than before on a machine that is half as fast for everyone',
      [figure('a', [40, 44, 48]), figure(HAPROXY_H2, [40, 44, 48])],
      [figure('a', [10, 11, 12]), figure(HAPROXY_H2, [20, 22, 24])],
      ['worse'],
    ],
  ]
  for (const [what, now, before, verdicts] of rows)
    t.same(
      compare(now, before).map(({ verdict }) => verdict),
      verdicts,
      what,
    )
})
