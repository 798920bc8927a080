import t from 'tap'
import { reachedFigures } from '../../bench/figures.ts'
import { BARE_PAIR, EVERYTHING_ON, HAPROXY_H2 } from '../../bench/names.ts'
import { parseOptions, UsageError } from '../../bench/options.ts'
import type { Busy } from '../../bench/sampler.ts'
import { interleave } from '../../bench/sampler.ts'
import { Results } from '../../bench/stats/results.ts'
import { Subject } from '../../bench/subject.ts'
import { fillTemplate } from '../../bench/system/template.ts'
import type { Observed } from '../../bench/verdict.ts'
import { clockStepMs, judge } from '../../bench/verdict.ts'

const CALM: Busy = { proxy: 0.95, load: 0.5, app: 0.3, other: 0.02, stolen: 0 }
const observed = (busy: Partial<Busy>, more: Partial<Observed> = {}): Observed => ({
  busy: [{ row: 'hop', subject: 'a', busy: { ...CALM, ...busy } }],
  lags: [{ cell: 'http1 1000/s', lagP99Ms: 0.1, waitedShare: 0 }],
  generatorLimit: 30_000,
  askedPerSecond: 1000,
  pinned: true,
  clock: 'tsc',
  clockStepMs: 0.0001,
  ...more,
})

void t.test('the verdict warns of what makes figures worthless', async (t) => {
  const rows: [string, Observed, RegExp | null][] = [
    ['a calm machine', observed({}), null],
    ['no open loop in this run', observed({}, { generatorLimit: NaN, lags: [] }), null],
    ['a rate near the generator', observed({}, { askedPerSecond: 20_000 }), /20000 requests\/s asked/],
    ['a late generator', observed({}, { lags: [{ cell: 'a', lagP99Ms: 7, waitedShare: 0 }] }), /late by 7/],
    ['other work', observed({ other: 0.8 }), /other work took 0.80 cores/],
    ['other machines', observed({ stolen: 0.2 }), /other machines took 0.20/],
    ['no pinning', observed({}, { pinned: false }), /nothing was pinned/],
    ['a slow clock', observed({}, { clock: 'hpet' }), /hpet/],
    ['a coarse clock', observed({}, { clockStepMs: 1 }), /smallest step/],
  ]
  for (const [what, input, warning] of rows) {
    const warnings = judge(input).filter(({ ok }) => !ok)
    t.equal(warnings.length, warning === null ? 0 : 1, what)
    if (warning !== null) t.match(warnings[0]?.text, warning, what)
  }
  t.ok(clockStepMs() < 1)
})

void t.test('the verdict says which process was saturated', async (t) => {
  const said = (busy: Partial<Busy>): string =>
    judge(observed(busy)).find(({ text }) => text.startsWith('hop'))?.text ?? ''
  t.match(said({}), /the proxies in 100 %/)
  t.match(said({ proxy: 0.5, load: 0.6, app: 0.35 }), /load and application in 100 %/)
  t.match(said({ proxy: 0.5 }), /neither in 100 %/)
})

void t.test('figures to reach: only those that were measured', async (t) => {
  const results = new Results()
  const add = (subject: string, value: number): void =>
    results.add({ row: 'hop', subject, cell: 'c=8', metric: 'cpuUs' }, value)
  add(BARE_PAIR, 80)
  add(EVERYTHING_ON, 120)
  add(HAPROXY_H2, 100)
  t.same(
    reachedFigures(results).map(({ value, reached }) => [value, reached]),
    [
      [1.2, false],
      [0.8, true],
    ],
  )
})

void t.test('subjects take turns, and one that fails is left out with the reason', async (t) => {
  const subjects = ['a', 'b', 'c'].map((name) => new Subject({ name, ports: { http: 1 }, children: [] }))
  const notes: string[] = []
  const order: string[] = []
  const { done, left } = await interleave({
    reps: 2,
    subjects,
    cells: [1],
    notes,
    isOver: () => false,
    warmUp: async () => {},
    run: async ({ name }, _cell, rep) => {
      order.push(`${rep}${name}`)
      if (name === 'c') throw new Error('it broke')
    },
  })
  t.same(order, ['0a', '0b', '0c', '1b', '1a'])
  t.same([done, left.map(({ name }) => name), notes], [2, ['a', 'b'], ['c was left out: it broke']])
  const turns = { subjects, cells: [1], notes, warmUp: async () => {}, run: async () => {} }
  t.equal((await interleave({ ...turns, reps: 5, isOver: () => true })).done, 1, 'whole repetitions, at least one')
})

void t.test('the command line', async (t) => {
  const names = { all: ['hop', 'tcp'], byMode: { quick: ['hop'], default: ['hop', 'tcp'], full: ['hop', 'tcp'] } }
  const plan = parseOptions(['--rows', 'tcp,hop', '--reps', '3', '--connections', '8,32'], names)
  t.match(plan, { mode: 'default', rows: ['hop', 'tcp'], reps: 3, connections: [8, 32], seconds: undefined })
  t.match(parseOptions(['--quick'], names), { mode: 'quick', rows: ['hop'] })
  for (const [args, message] of [
    [['--rows', 'hopp'], /no such row: hopp \(there are hop, tcp\)/],
    [['--rows', ''], /names no row/],
    [['--quick', '--full'], /exclude each other/],
    [['--reps', '0'], /--reps takes whole numbers from 1/],
    [['--seconds', 'x'], /--seconds takes whole numbers.*"x"/],
    [['--connections', '8,'], /--connections takes/],
    [['--node', '/nowhere/node'], /--node: there is no file/],
    [['--compare', '/nowhere.json'], /--compare: there is no file/],
    [['--fast'], /--fast/],
    [['hop'], /hop/],
  ] as const)
    t.throws(() => parseOptions(args, names), { constructor: UsageError, message }, args.join(' '))
})

void t.test('a template without a value for a name is an error', async (t) => {
  t.equal(fillTemplate('listen @PORT@;', { PORT: 80 }), 'listen 80;')
  t.equal(fillTemplate('@TLS@', { TLS: 'cert @CERTS@', CERTS: '/c' }), 'cert /c', 'values hold names of later ones')
  t.throws(() => fillTemplate('listen @PORT@;', {}), /no value for @PORT@/)
})
