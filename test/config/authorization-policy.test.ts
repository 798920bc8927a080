import t from 'tap'
import { parseSources } from '../../src/config/parse.ts'

function told(spec: string, metadata = '{name: p}'): string[] {
  const text = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: ${metadata}\nspec: ${spec}\n`
  const { issues } = parseSources([{ file: 'f.yaml', dir: '/', text }], { namespace: 'default' })
  return issues.map((i) => `${i.level} ${i.code} ${i.path}`)
}

const from = (source: string): string => `{rules: [{from: [{source: ${source}}]}]}`
const to = (operation: string, action = 'ALLOW'): string =>
  `{action: ${action}, rules: [{to: [{operation: ${operation}}]}]}`
const SOURCE = 'spec.rules[0].from[0].source'
const OPERATION = 'spec.rules[0].to[0].operation'

const rows: [what: string, spec: string, ...told: string[]][] = [
  ['no rule', '{}'],
  ['an empty list of rules', '{rules: []}'],
  ['a rule for everything', '{rules: [{}]}'],
  ['all kinds of patterns', from('{principals: ["a", "a*", "*a", "*"], namespaces: ["a*b"], notIpBlocks: ["::1/64"]}')],
  ['a selector in the root namespace', '{selector: {matchLabels: {a: b}}}'],
  ['AUDIT', '{action: AUDIT}', 'warning PM0108 spec.action'],
  ['CUSTOM', '{action: CUSTOM}', 'error PM0109 spec.action'],
  ['an action that is none', '{action: allow}', 'error PM0104 spec.action'],
  ['a target', '{targetRef: {kind: Gateway, name: g}}', 'error PM0109 spec.targetRef'],
  ['when', '{rules: [{when: [{key: source.ip, values: ["1.2.3.4"]}]}]}', 'error PM0109 spec.rules[0].when'],
  ['tokens', from('{requestPrincipals: ["*"]}'), `error PM0109 ${SOURCE}.requestPrincipals`],
  ['addresses of callers', from('{ipBlocks: [1.2.3.4], notRemoteIpBlocks: ["10.0.0.0/8"]}')],
  ['a remote address that is none', from('{remoteIpBlocks: [a]}'), `error PM0137 ${SOURCE}.remoteIpBlocks[0]`],
  ['an empty source', from('{}'), `error PM0172 ${SOURCE}`],
  ['no source', '{rules: [{from: [{}]}]}', `error PM0103 ${SOURCE}`],
  ['no entry in from', '{rules: [{from: []}]}', 'error PM0103 spec.rules[0].from'],
  ['an empty operation', to('{}'), `error PM0172 ${OPERATION}`],
  ['an empty value', to('{methods: [GET, ""]}'), `error PM0138 ${OPERATION}.methods[1]`],
  ['an address that is none', from('{ipBlocks: [1.2.3]}'), `error PM0137 ${SOURCE}.ipBlocks[0]`],
  ['a port by name', to('{ports: [http]}'), `error PM0105 ${OPERATION}.ports[0]`],
  ['a port without quotes', to('{ports: [80]}'), `error PM0102 ${OPERATION}.ports[0]`],
  ['a path template', to('{paths: ["/a/{*}"]}'), `error PM0109 ${OPERATION}.paths[0]`],
  ['a path without a slash', to('{paths: [a]}'), `warning PM0202 ${OPERATION}.paths[0]`],
  ['a star inside', to('{paths: ["/a/*/b"]}'), `warning PM0209 ${OPERATION}.paths[0]`],
  ['a principal with its scheme', from('{principals: ["spiffe://a"]}'), `warning PM0202 ${SOURCE}.principals[0]`],
  ['DENY by method on all ports', to('{methods: [GET]}', 'DENY'), `warning PM0208 ${OPERATION}.methods`],
  ['DENY by method on one port', to('{methods: [GET], ports: ["80"]}', 'DENY')],
]

t.test('what the kind accepts, warns of and refuses', async (t) => {
  for (const [what, spec, ...wanted] of rows) t.same(told(spec), wanted, what)
})

t.test('a policy to be tried out is accepted and said to be without effect', async (t) => {
  const dryRun = (value: string): string[] => told('{}', `{name: p, annotations: {istio.io/dry-run: "${value}"}}`)
  const at = 'metadata.annotations["istio.io/dry-run"]'
  t.same(dryRun('true'), [`warning PM0108 ${at}`])
  t.same(dryRun('false'), [])
  t.same(dryRun('foo'), [`error PM0128 ${at}`])
})
