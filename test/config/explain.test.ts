import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CATALOGUE, RETIRED } from '../../src/config/catalogue.ts'
import { explain, explainCoverage } from '../../src/config/explain.ts'
import { findKind, groupOf, KINDS } from '../../src/config/kinds/index.ts'
import { editDistance, nearest } from '../../src/lib/nearest.ts'
import { parseDurationMs, parseDurationNs } from '../../src/config/values.ts'

t.test('every code that is used is in the catalogue, and every code of the catalogue is used', async (t) => {
  const folder = join(import.meta.dirname, '../../src/config')
  const used = new Set<string>()
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name === 'catalogue.ts') continue
    for (const [, code] of readFileSync(join(folder, name), 'utf8').matchAll(/'(PM\d{4})'/g)) used.add(code ?? '')
  }
  t.same([...used].toSorted(), Object.keys(CATALOGUE).toSorted())
  t.same(RETIRED.filter((code) => code in CATALOGUE), [], 'no retired code is in use') // prettier-ignore
  for (const [code, { title, fix }] of Object.entries(CATALOGUE)) t.ok(title !== '' && fix !== '', code)
})

t.test('explain walks from a kind through lists and maps', async (t) => {
  const retries = explain('vs.spec.http[0].retries')
  t.match(retries, {
    ok: true,
    explanation: { path: 'VirtualService.spec.http.retries', type: 'object', support: 'partly' },
  })
  t.match(explain('virtualservices.spec.http.retries.attempts'), {
    ok: true,
    explanation: { type: /int/, default: /2/, support: 'supported', children: [] },
  })
  t.match(explain('dr.spec.trafficPolicy.loadBalancer.simple'), {
    ok: true,
    explanation: { values: [{ value: 'UNSPECIFIED' }, { value: 'LEAST_REQUEST' }] },
  })
  t.match(explain('pa.spec.portLevelMtls.mode'), { ok: true, explanation: { type: 'enum' } })
  t.match(explain('vs.spec.http.fault'), { ok: true, explanation: { support: 'ignored', note: /no fault/ } })
  t.match(explain('mp'), {
    ok: true,
    explanation: { apiVersions: ['authentication.istio.io/v1alpha1'], children: [{ name: 'apiVersion' }] },
  })
})

t.test('explain offers the nearest name for what it does not know', async (t) => {
  t.match(explain('vs.spec.htpp.retries'), {
    ok: false,
    message: /no field htpp/,
    suggestion: 'VirtualService.spec.http.retries',
  })
  t.match(explain('virtualservise.spec'), { ok: false, suggestion: /^VirtualService\.spec$/ })
  t.match(explain(''), { ok: false })
  t.match(explain('vs.__proto__'), { ok: false })
})

t.test('the coverage lists every kind with a spec, and says what follows where a field is ignored', async (t) => {
  const rows = explainCoverage()
  for (const def of KINDS) if (def.spec?.type === 'object') t.ok(rows.some((r) => r.kind === def.kind), def.kind) // prettier-ignore
  for (const row of rows) t.ok(row.support === 'supported' || row.note !== undefined, `${row.kind}.${row.path}`)
})

t.test('kinds are found by any of their names', async (t) => {
  for (const name of ['vs', 'VirtualService', 'virtualservices', 'VIRTUALSERVICE'])
    t.equal(findKind(name)?.kind, 'VirtualService')
  t.equal(findKind('x'), undefined)
  t.equal(groupOf('apps/v1'), 'apps')
  t.equal(groupOf('v1'), '')
  const names = KINDS.flatMap((k) => [k.plural, ...k.short])
  t.equal(new Set(names).size, names.length, 'no name stands for two kinds')
})

const DURATIONS: [text: string, ms: number | undefined][] = [
  ['5s', 5000], ['1m30s', 90_000], ['250ms', 250], ['1.5h', 5_400_000], ['0.000000999s', 0.000999], ['.5s', 500], ['0', 0], ['0s', 0],
  ['-1s', -1000], ['+1s', 1000], ['1us', 0.001], ['1µs', 0.001], ['1ns', 0.000001],
  ['', undefined], ['5', undefined], ['s', undefined], ['5 s', undefined], ['5d', undefined], ['1s1', undefined], ['.s', undefined], ['1e3s', undefined], ['9'.repeat(99) + 's', undefined],
] // prettier-ignore

t.test('durations are read as Go reads them', async (t) => {
  for (const [text, ms] of DURATIONS) {
    if (ms === undefined) {
      t.equal(parseDurationNs(text), undefined, text)
      t.throws(() => parseDurationMs(text), text)
    } else {
      t.equal(parseDurationMs(text), ms, text)
    }
  }
})

t.test('near names are near, far ones are not offered', async (t) => {
  t.equal(nearest('hsots', ['hosts', 'http', 'gateways']), 'hosts')
  t.equal(nearest('completely-else', ['hosts', 'http']), undefined)
  t.equal(editDistance('retires', 'retries'), 1, 'a swap counts once')
  t.equal(editDistance('', 'abc'), 3)
})
