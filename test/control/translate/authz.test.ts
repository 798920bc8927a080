/** From a policy as it is written to what a sidecar would say: parser, translation and matcher in one. */
import t from 'tap'
import { checkAccess } from '../../../src/control/translate/access-check.ts'
import { AuthorizationPolicies, portAccess } from '../../../src/control/translate/authz.ts'
import type { ConfigObject } from '../../../src/control/translate/snapshot.ts'
import { envoy } from '../../../src/xds/generated/xds.js'
import { Rbac, type AccessSubject } from '../../../src/xds/rbac.ts'
import { parseCase, startMesh } from './mesh.ts'

const HEAD = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n'
const ap = (spec: string, metadata = '{name: p}'): string => `${HEAD}metadata: ${metadata}\nspec: ${spec}\n`

async function policiesOf(...documents: string[]): Promise<readonly ConfigObject[]> {
  const mesh = await startMesh({ text: documents.join('---\n'), pods: [] })
  return mesh.snapshot().objects.get('AuthorizationPolicy') ?? []
}

const SUBJECT: AccessSubject = {
  downstreamPrincipal: 'spiffe://cluster.local/ns/shop/sa/payment',
  downstreamRemoteAddress: '127.0.0.1:40000',
  method: 'GET',
  path: '/users/1?x=/y',
  authority: 'user-db:9090',
}

/** `''`: let in; else the rule, or `none`. */
function verdict(policies: readonly ConfigObject[], subject: AccessSubject, http = true, number = 9090): string {
  for (const { rules } of portAccess(policies, { number, http })) {
    // over the wire and back, as a sidecar gets it
    const codec = envoy.config.rbac.v3.RBAC
    const rbac = new Rbac(codec.decode(codec.encode(rules).finish()))
    const name = rbac.matched(subject)
    if (rbac.denies === (name !== '')) return name.replace(/.*-(policy.*)/, '$1') || 'none'
  }
  return ''
}

const from = (source: string): string => `{rules: [{from: [{source: ${source}}]}]}`
const to = (operation: string): string => `{rules: [{to: [{operation: ${operation}}]}]}`

const ROWS: [spec: string, lets: boolean, change?: Partial<AccessSubject>][] = [
  ['{}', false],
  ['{rules: []}', false],
  ['{rules: [{}]}', true],
  [from('{principals: [cluster.local/ns/shop/sa/payment]}'), true],
  [from('{principals: [cluster.local/ns/shop/sa/pay]}'), false],
  [from('{principals: ["cluster.local/ns/shop/*"]}'), true],
  [from('{principals: ["*/sa/payment"]}'), true],
  [from('{principals: ["*/sa/user"]}'), false],
  [from('{principals: ["*"]}'), true],
  [from('{principals: ["*"]}'), false, { downstreamPrincipal: '' }],
  [from('{notPrincipals: ["*"]}'), true, { downstreamPrincipal: '' }],
  [from('{notPrincipals: ["*/sa/payment"]}'), false],
  [from('{namespaces: [shop]}'), true],
  [from('{namespaces: [sho, hop]}'), false],
  [from('{namespaces: ["s*"]}'), true],
  [from('{namespaces: ["*p*"]}'), true],
  [from('{namespaces: [shop]}'), false, { downstreamPrincipal: '' }],
  [from('{notNamespaces: [shop]}'), false],
  [from('{notNamespaces: [shop]}'), true, { downstreamPrincipal: '' }],
  [from('{ipBlocks: [127.0.0.0/8]}'), true],
  [from('{ipBlocks: [127.0.0.1]}'), true, { downstreamRemoteAddress: '[::ffff:127.0.0.1]:1' }],
  [from('{ipBlocks: ["fd00::/8"]}'), true, { downstreamRemoteAddress: '[fd00::1]:1' }],
  [from('{ipBlocks: [0.0.0.0/0]}'), false, { downstreamRemoteAddress: '' }],
  [from('{notIpBlocks: [127.0.0.0/8]}'), false],
  [from('{principals: ["*"], namespaces: [other]}'), false],
  ['{rules: [{from: [{source: {namespaces: [other]}}, {source: {namespaces: [shop]}}]}]}', true],
  [to('{methods: [GET]}'), true],
  [to('{methods: [get]}'), false],
  [to('{methods: ["G*"]}'), true],
  [to('{notMethods: [POST]}'), true],
  [to('{notMethods: ["*"]}'), false],
  [to('{paths: [/users/1]}'), true],
  [to('{paths: ["/users/*"]}'), true],
  [to('{paths: ["*/1"]}'), true],
  [to('{paths: ["*/y"]}'), false],
  [to('{paths: ["/us*/1"]}'), false],
  [to('{notPaths: ["/users*"]}'), false],
  [to('{hosts: ["USER-DB:9090"]}'), true],
  [to('{hosts: [user-db]}'), false],
  [to('{hosts: ["User*"]}'), true],
  [to('{ports: ["9090"]}'), true],
  [to('{ports: ["9091"]}'), false],
  [to('{notPorts: ["9090"]}'), false],
  [to('{methods: [GET], paths: [/other]}'), false],
  ['{rules: [{to: [{operation: {methods: [PUT]}}, {operation: {paths: ["*"]}}]}]}', true],
]

t.test('which requests an ALLOW policy lets in, and the same rules as DENY refuse', async (t) => {
  for (const [spec, lets, change] of ROWS) {
    const subject = { ...SUBJECT, ...change }
    const what = `${spec} ${JSON.stringify(change ?? {})}`
    t.equal(verdict(await policiesOf(ap(spec)), subject), lets ? '' : 'none', what)
    const deny = ap(spec.replace('{', '{action: DENY, '))
    t.equal(verdict(await policiesOf(deny), subject), lets ? 'policy[p]-rule[0]' : '', `DENY ${what}`)
  }
})

t.test('DENY comes before ALLOW; one ALLOW of several is enough', async (t) => {
  const everybody = ap('{rules: [{}]}', '{name: everybody}')
  const nobody = ap('{}', '{name: nobody}')
  const deny = ap('{action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}, {}]}', '{name: deny}')
  t.equal(verdict(await policiesOf(everybody, nobody), SUBJECT), '')
  t.equal(verdict(await policiesOf(everybody, deny), SUBJECT), 'policy[deny]-rule[1]')
  t.equal(verdict([], SUBJECT), '')
})

t.test('on a TCP port an ALLOW rule of HTTP goes, a DENY rule loses its HTTP fields', async (t) => {
  const rows: [spec: string, verdict: string][] = [
    [to('{methods: [GET]}'), 'none'],
    [to('{notPaths: [/x]}'), 'none'],
    ['{rules: [{to: [{operation: {ports: ["9090"]}}, {operation: {hosts: [a]}}]}]}', 'none'],
    [to('{ports: ["9090"]}'), ''],
    [from('{namespaces: [shop]}'), ''],
    ['{action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]}', 'policy[p]-rule[0]'],
    ['{action: DENY, rules: [{to: [{operation: {methods: [PUT], ports: ["80"]}}]}]}', ''],
    ['{action: DENY, rules: [{from: [{source: {namespaces: [other]}}], to: [{operation: {paths: [/x]}}]}]}', ''],
  ]
  for (const [spec, wanted] of rows) t.equal(verdict(await policiesOf(ap(spec)), SUBJECT, false), wanted, spec)
  const [access] = portAccess(await policiesOf(ap(to('{methods: [GET], paths: [/]}'))), { number: 1, http: false })
  t.same(access?.leftOut, [
    { rule: 'ns[default]-policy[p]-rule[0]', reason: 'methods, paths cannot be seen on a TCP port' },
  ])
})

t.test('policies reach the workloads of their namespace, of the root namespace the mesh, both by labels', async (t) => {
  const objects = await policiesOf(
    ap('{}', '{name: own}'),
    ap('{}', '{name: other, namespace: other}'),
    ap('{selector: {matchLabels: {app: a}}}', '{name: mesh-a, namespace: istio-system}'),
    ap('{selector: {matchLabels: {app: b}}}', '{name: own-b}'),
    ap('{action: AUDIT}', '{name: audit}'),
    ap('{}', '{name: tried, annotations: {istio.io/dry-run: "TRUE"}}'),
  )
  const policies = new AuthorizationPolicies(objects, 'istio-system', 'cluster.local')
  const names = (namespace: string, app: string): string[] =>
    policies.of({ namespace, labels: { app } }).map((o) => o.metadata.name)
  t.same(names('default', 'a'), ['own', 'mesh-a'])
  t.same(names('default', 'b'), ['own', 'own-b'])
  t.same(names('other', 'a'), ['other', 'mesh-a'])
  t.same(names('third', 'c'), [])
})

t.test('cluster.local in a principal stands for the trust domain of the mesh', async (t) => {
  const rows: [principal: string, verdict: string][] = [
    ['cluster.local/ns/shop/sa/payment', ''],
    ['cluster.local/ns/shop/*', 'none'],
    ['other.example/ns/shop/sa/payment', 'none'],
    ['mesh.example/ns/shop/sa/payment', ''],
    ['*/sa/payment', ''],
  ]
  const subject = { ...SUBJECT, downstreamPrincipal: 'spiffe://mesh.example/ns/shop/sa/payment' }
  const workload = { namespace: 'default', labels: {} }
  for (const [principal, wanted] of rows) {
    const objects = await policiesOf(ap(from(`{principals: ["${principal}"]}`)))
    const policies = new AuthorizationPolicies(objects, 'istio-system', 'mesh.example')
    t.equal(verdict(policies.of(workload), subject), wanted, principal)
  }
  const objects = await policiesOf(ap(from('{notPrincipals: [cluster.local/ns/shop/sa/payment]}')))
  const policies = new AuthorizationPolicies(objects, 'istio-system', 'mesh.example')
  t.equal(verdict(policies.of(workload), subject), 'none', 'notPrincipals')
  t.equal(policies.of(workload)[0]?.source, objects[0]?.source, 'where it was written is still known')
})

t.test('callers are known by the addresses of their pods', async (t) => {
  const at = (host: string): AccessSubject => ({ ...SUBJECT, downstreamRemoteAddress: `${host}:40000` })
  for (const field of ['ipBlocks', 'remoteIpBlocks']) {
    const blocks = await policiesOf(ap(from(`{${field}: [10.244.0.2, "fd00:10:244::2"]}`)))
    t.equal(verdict(blocks, at('10.244.0.2')), '', field)
    t.equal(verdict(blocks, at('10.244.0.3')), 'none', field)
    t.equal(verdict(blocks, at('[fd00:10:244::2]')), '', field)
    t.equal(verdict(blocks, at('10.244.0.2'), false), '', `${field} on TCP`)
    const other = `not${field[0]?.toUpperCase()}${field.slice(1)}`
    t.equal(verdict(await policiesOf(ap(from(`{${other}: [10.244.0.0/24]}`))), at('10.244.0.2')), 'none', other)
  }
})

t.test('rules that a sidecar does not know are refused whole', async (t) => {
  const rbac = (permission: object, principal: object = { any: true }): (() => Rbac) => {
    const policies = { p: { permissions: [permission], principals: [principal] } }
    return () => new Rbac({ action: 0, policies })
  }
  t.throws(rbac({}), /no condition that is supported/)
  t.throws(rbac({ any: true }, {}), /no condition that is supported/)
  t.throws(rbac({ andRules: { rules: [] } }), /and_rules is empty/)
  t.throws(rbac({ header: { name: 'x-user', presentMatch: true } }), /x-user/)
  t.throws(rbac({ any: true }, { directRemoteIp: { addressPrefix: 'x', prefixLen: { value: 8 } } }))
  t.throws(rbac({ urlPath: { path: { safeRegex: { regex: '(' } } } }), /regular expression/)
  t.throws(() => new Rbac({ action: 2 }), /LOG/)
})

const MESH = `
pods:
- { name: frontend-0, serviceAccount: frontend, labels: { app: frontend } }
- { name: payment-0, serviceAccount: payment }
- { name: cron-0, sidecar: false }
- { name: user-db-v1-0, labels: { app: user-db }, ports: { http: 9090, sql: 5432 } }
- { name: user-db-v1-1, labels: { app: user-db }, ports: { http: 9090, sql: 5432 } }
- { name: bare-0, sidecar: false, ports: { http: 80 } }
---
apiVersion: v1
kind: Service
metadata: { name: user-db }
spec: { selector: { app: user-db }, ports: [{ name: http, port: 9090 }, { name: tcp, port: 5432 }] }
---
${ap('{selector: {matchLabels: {app: user-db}}, rules: [{from: [{source: {principals: ["*/sa/payment"]}}], to: [{operation: {methods: [GET]}}]}]}', '{name: db}')}`

t.test('a question is answered with the rule that decides and those that came near', async (t) => {
  const snapshot = (await startMesh(parseCase(MESH))).snapshot()
  const ask = (from: string, to: string, more: { method?: string; port?: number } = {}) =>
    checkAccess(snapshot, { from, to, namespace: 'default', method: 'GET', path: '/', host: '', ...more })
  const rule = { namespace: 'default', policy: 'db', index: 0, source: 'case.yaml:9' }
  t.match(ask('payment', 'user-db'), [
    { allowed: true, decision: { by: 'allow_rule', rule }, to: { protocol: 'http' } },
  ])
  t.match(ask('frontend-0', 'user-db.default'), [
    {
      allowed: false,
      from: { principal: 'spiffe://cluster.local/ns/default/sa/frontend' },
      decision: { by: 'implicit_deny', policies: [{ policy: 'db' }] },
      nearMisses: [{ rule, unmet: [{ wants: 'principal */sa/payment', is: 'cluster.local/ns/default/sa/frontend' }] }],
    },
  ])
  t.match(ask('payment', 'user-db', { method: 'PUT' }), [
    { allowed: false, nearMisses: [{ unmet: [{ wants: 'method GET', is: 'PUT' }] }] },
  ])
  t.match(ask('cron', 'user-db'), [
    { nearMisses: [{ unmet: [{ is: 'a caller without mutual TLS' }] }], from: { principal: '' } },
  ])
  t.match(ask('payment', 'user-db-v1', { port: 5432 }), [
    { allowed: false, to: { protocol: 'tcp' }, nearMisses: [], leftOut: [{ rule, reason: /TCP/ }] },
  ])
  t.match(ask('payment', 'frontend'), 'pod "frontend-0" has no port')
  t.match(ask('payment', 'bare'), [{ allowed: true, decision: { by: 'no_sidecar' } }])
  t.match(ask('payment', 'nobody'), 'there is no pod, workload or Service "nobody" with pods in namespace "default"')
})

t.test('a caller whose DestinationRule switches mutual TLS off has no identity there', async (t) => {
  const rule = (spec: string, more = ''): string =>
    `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db${more}}\nspec: {host: user-db.default.svc.cluster.local, ${spec}}\n`
  const ask = async (documents: string, port = 9090) => {
    const snapshot = (await startMesh(parseCase(MESH + documents))).snapshot()
    const answers = checkAccess(snapshot, {
      from: 'payment',
      to: 'user-db',
      namespace: 'default',
      method: 'GET',
      path: '/',
      host: '',
      port,
    })
    const [answer] = typeof answers === 'string' ? [] : answers
    return [answer?.allowed, answer?.from.principal !== '', answer?.decision.by]
  }
  const STRICT = `---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {mtls: {mode: STRICT}}\n`
  const off = rule('trafficPolicy: {tls: {mode: DISABLE}}')
  t.same(await ask(''), [true, true, 'allow_rule'])
  t.same(await ask(off), [false, false, 'implicit_deny'])
  t.same(await ask(off + STRICT), [false, false, 'strict_mutual_tls'])
  t.same(await ask(rule('trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}')), [true, true, 'allow_rule'])
  const sql = rule('trafficPolicy: {portLevelSettings: [{port: {number: 5432}, tls: {mode: DISABLE}}]}')
  t.same(await ask(sql), [true, true, 'allow_rule'], 'of another port')
  t.same(await ask(sql, 5432), [false, false, 'implicit_deny'])
  t.same(await ask(rule('exportTo: [elsewhere], trafficPolicy: {tls: {mode: DISABLE}}', ', namespace: other')), [
    true,
    true,
    'allow_rule',
  ])
})
