/** The options of the mesh: YAML within YAML, whose faults are told where they stand in the file. */
import t from 'tap'
import { explain, explainCoverage } from '../../src/config/explain.ts'
import { readMeshOptions } from '../../src/config/mesh-options.ts'
import { parseSources } from '../../src/config/parse.ts'

const HEAD = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n'

function told(data: string, head = HEAD): string[] {
  const { issues } = parseSources([{ file: 'f.yaml', dir: '/', text: head + data }], { namespace: 'default' })
  return issues.map((i) => `${i.level} ${i.code} ${i.line}:${i.column} ${i.path} ${i.message}`)
}

const POLICY = 'outboundTrafficPolicy'

const rows: [what: string, data: string, ...told: string[]][] = [
  ['nothing', ''],
  ['no options', 'data: {}\n'],
  ['empty options', 'data: {mesh: ""}\n'],
  ['other keys', 'data: {meshNetworks: "networks: {}", values: "{"}\n'],
  ['both policies', `data:\n  mesh: |\n    ${POLICY}: {mode: REGISTRY_ONLY}\n`],
  ['the default written out', `data:\n  mesh: |-\n    ${POLICY}:\n      mode: ALLOW_ANY\n`],
  [
    'a spelling of protobuf',
    'data: {mesh: "outbound_traffic_policy: {mode: REGISTRY_ONLY}"}\n',
    'warning PM0110 4:14 data.mesh line 1 of the text: outbound_traffic_policy: ',
  ],
  [
    'an option without effect',
    `data:\n  mesh: |\n    # a comment\n\n    accessLogFile: /dev/stdout\n`,
    'warning PM0108 8:5 data.mesh accessLogFile: accessLogFile has no effect',
  ],
  [
    'an unknown option',
    `data:\n  mesh: |\n    ${POLICY}: {}\n    outboundPolicy: {}\n`,
    'error PM0101 7:5 data.mesh outboundPolicy: ',
  ],
  [
    'a policy that is none, after an empty line',
    `data:\n  other: x\n  mesh: |\n\n        ${POLICY}:\n          mode: ALLOW\n`,
    `error PM0104 9:17 data.mesh ${POLICY}.mode: `,
  ],
  [
    'in quotes: the line within',
    `data: {mesh: "a: 1\\n${POLICY}: {mode: X}"}\n`,
    'error PM0101 4:14 data.mesh line 1 of the text: a: ',
    `error PM0104 4:14 data.mesh line 2 of the text: ${POLICY}.mode: `,
  ],
  ['no YAML', 'data:\n  mesh: |\n    a: [\n', 'error PM0002 '],
  ['a key twice', `data:\n  mesh: |\n    ${POLICY}: {}\n    ${POLICY}: {}\n`, 'error PM0003 7:5 data.mesh '],
  ['text alone', 'data: {mesh: REGISTRY_ONLY}\n', 'error PM0102 4:14 data.mesh line 1 of the text: '],
  ['two documents', `data:\n  mesh: |\n    ${POLICY}: {}\n    ---\n    ${POLICY}: {}\n`, 'error PM0007 8:5 data.mesh '],
  ['no text', 'data: {mesh: {a: b}}\n', 'error PM0102 4:14 data.mesh '],
]

t.test('the options are checked, and faults told at their places in the file', async (t) => {
  for (const [what, data, ...wanted] of rows) {
    const found = told(data)
    t.equal(found.length, wanted.length, `${what}: ${found.join('\n')}`)
    for (const [i, lead] of wanted.entries()) t.equal(found[i]?.slice(0, lead.length), lead, what)
  }
})

t.test('a ConfigMap of another name or namespace may hold any text', async (t) => {
  for (const metadata of ['{name: istio}', '{name: other, namespace: istio-system}'])
    t.same(told('data: {mesh: "a: ["}\n', `apiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\n`), [])
})

t.test('options are read without a word where they were told of before, and whatever the text is', async (t) => {
  const modeOf = (text: string): unknown => readMeshOptions(text, () => undefined).outboundTrafficPolicy?.mode
  t.equal(modeOf('outboundTrafficPolicy: {mode: REGISTRY_ONLY}\naccessLogFile: x'), 'REGISTRY_ONLY')
  t.equal(modeOf('outbound_traffic_policy: {mode: REGISTRY_ONLY}'), 'REGISTRY_ONLY')
  for (const text of ['', 'null', '[', '- a', 'a: *b', 'outboundTrafficPolicy: 7', 'x: 1\n---\ny: 2', 'REGISTRY_ONLY'])
    t.equal(modeOf(text), undefined, JSON.stringify(text))
})

t.test('explain knows the options', async (t) => {
  t.match(explain('cm.data.mesh.outboundTrafficPolicy.mode'), {
    ok: true,
    explanation: { type: 'enum', default: 'ALLOW_ANY', values: [{ value: 'ALLOW_ANY' }, { value: 'REGISTRY_ONLY' }] },
  })
  t.match(explain('cm.data.mesh.trustDomain'), { ok: true, explanation: { support: 'ignored', note: /no effect/ } })
  t.match(explain('cm.data'), { ok: true, explanation: { children: [{ name: 'mesh', type: 'object' }] } })
  t.match(explain('cm.data.mesh.outboundTraficPolicy'), {
    ok: false,
    suggestion: 'ConfigMap.data.mesh.outboundTrafficPolicy',
  })
  const paths = explainCoverage().flatMap(({ kind, path }) => (kind === 'ConfigMap' ? [path] : []))
  t.ok(paths.includes('data.mesh.outboundTrafficPolicy.mode'))
})
