import t from 'tap'
import { LIMITS, parseText, toJson } from '../../src/config/document.ts'

/** The documents as plain values, and the faults as `CODE line:column`. */
function look(text: string): { values: unknown[]; faults: string[] } {
  const { documents, faults } = parseText(text)
  return { values: documents.map(toJson), faults: faults.map((f) => `${f.code} ${f.at.line}:${f.at.column}`) }
}

const READS: [what: string, text: string, values: unknown[]][] = [
  [
    'documents are parted by --- with trailing blanks, and empty ones are skipped',
    '---\n--- \na: 1\n---\t\n# nothing\n--- \nb: 2\n...\n',
    [{ a: 1 }, { b: 2 }],
  ],
  ['JSON is read, tabs included', '{\n\t"a": [1,\n\t"x"], "b": null}', [{ a: [1, 'x'], b: null }]],
  ['a byte order mark and CRLF do no harm', '\uFEFFa: 1\r\nb: x\r\n', [{ a: 1, b: 'x' }]],
  [
    'aliases repeat their anchor',
    'a: &x {k: v}\nb: *x\nc: [*x, 1]\n',
    [{ a: { k: 'v' }, b: { k: 'v' }, c: [{ k: 'v' }, 1] }],
  ],
  [
    'merge keys fill in what is not given itself',
    'base: &b {p: 1, q: 2}\nx:\n  <<: *b\n  q: 3\ny:\n  <<: [*b, {r: 4}]\n',
    [{ base: { p: 1, q: 2 }, x: { q: 3, p: 1 }, y: { p: 1, q: 2, r: 4 } }],
  ],
  ['a quoted << is a key like others', 'a:\n  "<<": 1\n', [{ a: { '<<': 1 } }]],
  [
    'keys that look like numbers keep their spelling',
    '8080: x\n1.10: y\ntrue: z\n',
    [{ 8080: 'x', '1.10': 'y', true: 'z' }],
  ],
  ['a key without a value is null', 'a:\nb: ~\n', [{ a: null, b: null }]],
  ['an anchor may be set anew', 'a: &x 1\nb: *x\nc: &x 2\nd: *x\n', [{ a: 1, b: 1, c: 2, d: 2 }]],
  ['nothing at all is no document', '', []],
  ['comments alone are no document', '# x\n\n', []],
]

t.test('text is read', async (t) => {
  for (const [what, text, values] of READS) t.same(look(text), { values, faults: [] }, what)
})

const FAULTS: [what: string, text: string, faults: string[]][] = [
  ['bad indentation has its place', 'a:\n  b: 1\n c: 2\n', ['PM0002 3:1']],
  ['an unclosed bracket has its place', 'a: [1, 2\n', ['PM0002 2:1']],
  ['every duplicate key is named', 'a: 1\nb: 1\na: 2\nb: 2\n', ['PM0003 3:1', 'PM0003 4:1']],
  ['a key must be a string', '? [1, 2]\n: x\n', ['PM0008 1:3']],
  ['an alias needs its anchor before it', 'a: *x\nb: &x 1\n', ['PM0002 1:4']],
  ['an alias may not contain itself', 'a: &x [*x]\n', ['PM0002 1:8']],
  ['only mappings can be merged', 'a:\n  <<: 5\n', ['PM0002 2:3']],
  ['a tag that nobody knows is refused', 'a: !foo 1\n', ['PM0002 1:4']],
]

t.test('faults of the text have a place, and the other documents are read all the same', async (t) => {
  for (const [what, text, faults] of FAULTS) {
    const { values, faults: found } = look(`${text}--- \nok: true\n`)
    t.same(found, faults, what)
    t.same(values.at(-1), { ok: true }, `${what}: the next document is read`)
  }
})

/** Ten lists of ten aliases each, six times over: a million values from 300 bytes. */
const LAUGHS = [
  'l0: &l0 [a, a, a, a, a, a, a, a, a, a]',
  ...[1, 2, 3, 4, 5].map(
    (n) =>
      `l${n}: &l${n} [${Array(10)
        .fill(`*l${n - 1}`)
        .join(', ')}]`,
  ),
].join('\n')

const BOMBS: [what: string, text: string, code: string][] = [
  ['aliases of aliases', LAUGHS, 'PM0005'],
  ['brackets', `a: ${'['.repeat(100_000)}`, 'PM0004'],
  ['braces', '{a: '.repeat(100_000), 'PM0004'],
  ['dashes', '- '.repeat(100_000), 'PM0004'],
  ['question marks', '? '.repeat(100_000), 'PM0004'],
  ['indentation', Array.from({ length: 100 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'PM0004'],
  ['a large text', `a: ${'x'.repeat(LIMITS.textBytes)}`, 'PM0001'],
  ['many values', 'a: [' + '1,'.repeat(LIMITS.values + 1) + ']', 'PM0005'],
  ['many documents', '--- 1\n'.repeat(LIMITS.documents + 1), 'PM0006'],
  ['many blanks', '\n'.repeat(1_000_000) + 'a: b', 'PM0005'],
]

t.test('bombs are refused', async (t) => {
  for (const [what, text, code] of BOMBS) {
    const { faults } = look(text)
    t.equal(faults.at(-1)?.slice(0, 6) ?? '', code, what)
  }
  t.same(look(`a: ${'['.repeat(60)}${']'.repeat(60)}`).faults, [], '61 levels are allowed')
})

t.test('__proto__ is a key like others', async (t) => {
  const [value] = look('{"__proto__": {"polluted": true}}').values as [Record<string, unknown>]
  t.same(Object.keys(value), ['__proto__'])
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})
