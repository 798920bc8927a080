/** Whatever a file holds: parseSources answers, and each issue has a place in the file. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import t from 'tap'
import { hostIsSubset, overlappingHosts } from '../../src/config/formats.ts'
import { KINDS } from '../../src/config/kinds/index.ts'
import { parseSources } from '../../src/config/parse.ts'
import type { Schema } from '../../src/config/schema.ts'
import { runCorpus } from '../corpus.ts'

const SEED = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: &m {name: v, labels: {a: b}}
spec:
  hosts: [a, "*.b.com"]
  http:
  - match: [{uri: {prefix: /a}, headers: {x: {regex: "a.*"}}, port: 80}]
    route:
    - {destination: {host: a, subset: v1}, weight: 90}
    - {destination: {host: a}, weight: 10}
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: "5xx"}
  tcp: [{route: [{destination: {host: c}}]}]
--- 
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {selector: {app: a}, ports: [{port: 80, targetPort: http}]}
`

function check(text: string): boolean {
  const { objects, issues } = parseSources([{ file: 'f', dir: '/', text }], { namespace: 'default' })
  const lines = text.split('\n').length
  JSON.stringify(objects)
  return issues.every((i) => i.line >= 1 && i.line <= lines + 1 && i.column >= 1 && i.message.length < 600)
}

t.test('random text', async (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 500 })
  const yamlish = fc.array(
    fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '  ',
      '&x ',
      '*x',
      '<<: ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '|',
      '>',
      '#',
      '---\n',
      '? ',
      '!t ',
      'kind: List\n',
      'items:\n',
      '%',
      '\t',
    ),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(yamlish, (parts) => check(parts.join(''))),
    { numRuns: 2000 },
  )
  t.pass('never throws')
})

t.test('a sound file with a piece changed', async (t) => {
  const piece = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('null', '[]', '{}', '*m', '-1', '1e99', '__proto__', 'constructor', '""', '\n', '  '),
  )
  const edit = fc.tuple(fc.nat(SEED.length), fc.nat(12), piece)
  fc.assert(fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
    let text = SEED
    for (const [at, length, inserted] of edits) text = text.slice(0, at) + inserted + text.slice(at + length)
    return check(text)
  }), { numRuns: 1500 }) // prettier-ignore
  t.pass('never throws')
})

/** Values of the shape that a schema wants, now and then of another. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  const odd = fc.constantFrom<unknown>(null, 0, -1, 1.5, '', 'x', '*', [], {}, [null], true, 1e99)
  const good = (): fc.Arbitrary<unknown> => {
    switch (schema.type) {
      case 'object':
        return fc.record(Object.fromEntries(Object.entries(schema.fields).map(([name, f]) => [name, valuesOf(f.schema)])), { requiredKeys: [] }) // prettier-ignore
      case 'list':
        return fc.array(valuesOf(schema.of), { maxLength: 2 })
      case 'map':
        return fc.dictionary(fc.constantFrom('a', 'b', '80', '__proto__', ''), valuesOf(schema.of), { maxKeys: 2 })
      case 'enum':
        return fc.constantFrom(...Object.keys(schema.values))
      case 'string':
      case 'duration':
      case 'intOrString':
        return fc.constantFrom(
          'a',
          'b.c',
          '*.c',
          '/x',
          '5s',
          '1ms',
          'GET',
          '5xx',
          'mesh',
          'ns/g',
          '10.0.0.0/8',
          '.',
          '(',
        )
      case 'int':
      case 'number':
        return fc.integer({ min: 0, max: 500 })
      case 'bool':
        return fc.boolean()
      case 'any':
        return odd
      default:
        return schema satisfies never
    }
  }
  return fc.oneof({ weight: 12, arbitrary: good() }, { weight: 1, arbitrary: odd })
}

t.test('objects in the shape of each kind', async (t) => {
  for (const def of KINDS) {
    const spec = def.spec === undefined ? fc.constant({}) : valuesOf(def.spec)
    fc.assert(fc.property(spec, fc.constantFrom(...def.apiVersions), (value, apiVersion) => {
      return check(JSON.stringify({ apiVersion, kind: def.kind, metadata: { name: 'default' }, spec: value }, null, 1))
    }), { numRuns: 150 }) // prettier-ignore
  }
  t.pass('never throws')
})

t.test('overlapping hosts are those of which one is a subset of the other', async (t) => {
  const host = fc.constantFrom('*', '*.a', '*.b.a', '*b.a', 'b.a', 'c.b.a', 'cb.a', 'a', '*a')
  fc.assert(fc.property(fc.uniqueArray(host, { maxLength: 6 }), (hosts) => {
    const found = new Set(overlappingHosts(hosts).map(([i, j]) => `${i} ${j}`))
    return hosts.every((a, i) => hosts.slice(0, i).every((b, j) => found.has(`${i} ${j}`) === (hostIsSubset(a, b) || hostIsSubset(b, a))))
  })) // prettier-ignore
  t.pass('as often as tried')
})

const corpus = join(process.env['POCKETMESH_SHARED'] ?? '', 'corpus')
const skip =
  process.env['POCKETMESH_SHARED'] && existsSync(corpus)
    ? false
    : "POCKETMESH_SHARED names no folder with other people's manifests"

t.test("the verdicts on other people's manifests are the expected ones", { skip }, async (t) => {
  t.same(runCorpus(corpus).wrong.map((w) => w.file), []) // prettier-ignore
})
