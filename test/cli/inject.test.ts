import { readFileSync } from 'node:fs'
import t from 'tap'
import { CliError, NO_OBJECT } from '../../src/cli/errors.ts'
import { injectSources, type Injected } from '../../src/cli/inject/inject.ts'
import type { InterceptMode } from '../../src/client/contract.ts'
import { VERSION } from '../../src/client/version.ts'
import type { MeshObject } from '../../src/config/object.ts'
import { parseSources } from '../../src/config/parse.ts'
import { homeLayout } from '../../src/lib/home.ts'
import { planDeployment, type DeploymentPlan } from '../../src/supervisor/plan.ts'
import { cli, removeHome, tempHome } from './processes.ts'

const SHOP = readFileSync('examples/shop/shop.yaml', 'utf8')

function inject(text: string, intercept: InterceptMode = 'ns', namespace = 'default'): Injected {
  const source = { file: 'web.yaml', dir: '/manifests', text }
  return injectSources([source], { home: homeLayout('/mesh'), namespace, intercept })
}

function deployment(name: string, { pod = '', labels = `app: ${name}`, annotations = '' } = {}): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
        ${labels}
${annotations === '' ? '' : `      annotations:\n        ${annotations}\n`}    spec:
      containers:
      - name: server
        image: shop/${name}:1
${pod}`
}

interface Template {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> }
  spec: {
    containers: { name: string; image?: string; args?: string[]; env?: { name: string; value?: string }[] }[]
  }
}

function objectsOf(text: string): MeshObject[] {
  const { objects, issues } = parseSources([{ file: 'x', dir: '/manifests', text }], {
    namespace: 'default',
    strict: true,
  })
  t.same(issues, [], 'what is printed can be applied, with --strict too')
  return objects
}

const templatesOf = (text: string): Template[] =>
  objectsOf(text)
    .filter(({ kind }) => kind === 'Deployment')
    .map(({ spec }) => (spec as { template: Template }).template)

const plansOf = (text: string): DeploymentPlan[] =>
  objectsOf(text)
    .filter(({ kind }) => kind === 'Deployment')
    .map((object) => planDeployment(object, { namespaceLabels: {}, images: () => new Map() }))

const envOf = (template: Template | undefined): Record<string, string> =>
  Object.fromEntries((template?.spec.containers.at(-1)?.env ?? []).map(({ name, value = '' }) => [name, value]))

t.test(
  'the shop: each Deployment shows its sidecar, no line of the file is lost, and it is the same mesh',
  async (t) => {
    const { text, notes } = inject(SHOP)
    const before = SHOP.split('\n')
    let found = 0
    for (const line of text.split('\n')) if (line === before[found]) found++
    t.equal(found, before.length, 'lines were added, and none was changed')
    t.match(notes, [/^web\.yaml:\d+: Deployment legacy-cron stays without a sidecar: .*inject is "false"$/])
    const templates = templatesOf(text)
    for (const template of templates) {
      const name = template.spec.containers[0]?.name ?? ''
      const has = template.spec.containers.some((one) => one.name === 'istio-proxy')
      t.equal(has, name !== 'legacy-cron', name)
    }
    t.same(plansOf(text), plansOf(SHOP), 'plans and hashes')
  },
)

t.test('the sidecar as a container, with its arguments and what its bootstrap says', async (t) => {
  const probes = `        ports:
        - {name: http, containerPort: 8080}
        readinessProbe: {httpGet: {port: http, path: /ready}, timeoutSeconds: 3}
        livenessProbe: {exec: {command: ['true']}}
      - name: log
        ports: [{containerPort: 9000}]
        livenessProbe: {tcpSocket: {port: 9000}}
      serviceAccountName: shop
`
  const [template] = templatesOf(inject(deployment('web', { pod: probes, annotations: 'a: b' }), 'ns', 'prod').text)
  const proxy = template?.spec.containers.at(-1)
  t.match(proxy, {
    name: 'istio-proxy',
    image: `pocketmesh/sidecar:${VERSION}`,
    args: ['sidecar', '--bootstrap', '/mesh/pods/prod/$(POD_NAME)/bootstrap.json'],
    env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
  })
  const env = envOf(template)
  t.match(env, {
    SPIFFE_ID: 'spiffe://cluster.local/ns/prod/sa/shop',
    XDS_ADDR: 'unix:/mesh/run/xds.sock',
    CA_ADDR: 'unix:/mesh/run/ca.sock',
    DNS_PROXY_ADDR: '169.254.1.1:53',
  })
  t.same(JSON.parse(env['ISTIO_KUBE_APP_PROBERS'] ?? ''), {
    '/app-health/server/readyz': { httpGet: { path: '/ready', port: 8080, scheme: 'HTTP' }, timeoutSeconds: 3 },
    '/app-health/log/readyz': { tcpSocket: { port: 9000 }, timeoutSeconds: 1 },
    '/app-health/log/livez': { tcpSocket: { port: 9000 }, timeoutSeconds: 1 },
  })
  const { annotations = {}, labels } = template?.metadata ?? {}
  t.match(annotations, { a: 'b', 'pocketmesh.dev/interception': /^ns: .*veth/ })
  t.match(JSON.parse(annotations['sidecar.istio.io/status'] ?? ''), { version: VERSION, containers: ['istio-proxy'] })
  t.same(labels, {
    app: 'web',
    'security.istio.io/tlsMode': 'istio',
    'service.istio.io/canonical-name': 'web',
    'service.istio.io/canonical-revision': 'latest',
  })
})

t.test('by --intercept env it is another way of interception', async (t) => {
  const [template] = templatesOf(
    inject(deployment('web', { pod: '        ports: [{containerPort: 80}]\n' }), 'env').text,
  )
  t.match(template?.metadata.annotations['pocketmesh.dev/interception'], /^env: .*NODE_OPTIONS.*HTTP_PROXY/)
  t.notOk('ISTIO_KUBE_APP_PROBERS' in envOf(template), 'the supervisor asks programs itself')
})

const PLAIN = deployment('web')
const LIST = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ServiceAccount
  metadata: {name: shop}
${['web', 'api'].map((name) => deployment(name).trimEnd().replaceAll(/^/gm, '  ').replace('  ', '- ')).join('\n')}
`
const TYPED_LIST = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'DeploymentList',
  items: (objectsOf(`${PLAIN}---\n${deployment('api')}`) as (MeshObject & { spec: object })[]).map(
    ({ metadata: { name }, spec }) => ({ metadata: { name }, spec }),
  ),
})
const SHARED = `apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec: &spec
    selector: {matchLabels: &labels {app: web}}
    template: # the shape of both
      metadata: {labels: *labels}
      spec: {containers: [{name: server}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: api}
  spec:
    <<: *spec
    replicas: 3
`
const ODD = `

# leading
apiVersion:   apps/v1   # aligned
kind: Deployment
metadata: { name: web }
spec:
    selector: {matchLabels: {"app": 'web'}}
    template:
        metadata:
            labels: {"app": 'web'}
            annotations:
        spec:
            containers:
                # the program
                - name: server
                  env:
                      - name: TEXT
                        value: |+
                            two

                            parts

...
# between
---
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: old}
spec: {template: {spec: {containers: [{name: server}]}}}
`

t.test('in every form of a document: the same pods before and after, and each with its sidecar', async (t) => {
  const rows: [string, string, number][] = [
    ['one', PLAIN, 1],
    ['one without an end of line', PLAIN.trimEnd(), 1],
    ['with ends of line as on Windows', PLAIN.replaceAll('\n', '\r\n'), 1],
    ['several', `---\n${PLAIN}---\n# another\n${deployment('api')}`, 2],
    ['a List', LIST, 2],
    ['a typed list in JSON', TYPED_LIST, 2],
    ['aliases and merges', SHARED, 2],
    ['odd layout', ODD, 2],
    ['labels that were there', deployment('web', { labels: "{app: web, 'service.istio.io/canonical-name': x}" }), 1],
    ['a label of our own value', deployment('web', { labels: '{app: web, security.istio.io/tlsMode: istio}' }), 1],
    ['a name that is no label', deployment('web').replace('name: web', `name: ${'long.'.repeat(30)}x`), 1],
  ]
  for (const [name, text, count] of rows) {
    const { text: after, notes } = inject(text)
    t.same(notes, [], name)
    const templates = templatesOf(after)
    t.equal(templates.length, count, name)
    for (const { spec, metadata } of templates) {
      t.equal(spec.containers.filter((one) => one.name === 'istio-proxy').length, 1, name)
      t.equal(Object.keys(metadata.labels).filter((key) => key.includes('istio.io')).length, 3, name)
    }
    t.same(plansOf(after), plansOf(text), name)
    t.throws(() => inject(after), { exitCode: 65, message: /^web\.yaml:\d+: .* has been injected already/ }, name)
  }
})

t.test('what is not changed stays byte for byte', async (t) => {
  const odd = `apiVersion:   v1\nkind: "ServiceAccount"\nmetadata:  {  name:   shop }   # here\n`
  const { text } = inject(`# top\n\n${odd}---  # sep\n${PLAIN}\n---\n\n---\n${odd.replace('shop', 'x')}...\n# end`)
  t.ok(text.startsWith(`# top\n\n${odd}---`), 'before')
  t.ok(text.endsWith(`\n---\n\n---\n${odd.replace('shop', 'x')}...\n# end`), 'after')
  t.equal(inject(odd).text, odd, 'without a Deployment')
  const lines = inject(ODD).text.split('\n')
  for (const own of ['# leading', 'apiVersion:   apps/v1   # aligned', '                # the program', '# between'])
    t.ok(lines.includes(own), own)
  t.match(inject(SHARED).text, '# the shape of both')
  t.doesNotThrow(() => JSON.parse(inject(TYPED_LIST).text) as unknown, 'JSON stays JSON')
  t.match(inject(JSON.stringify(JSON.parse(TYPED_LIST), undefined, 4)).text, /^\{\n {4}"/, 'with its indentation')
  t.match(inject(PLAIN.replaceAll('\n', '\r\n')).text, /^(?:[^\r\n]*\r\n)*$/)
})

t.test('several files become one text', async (t) => {
  const sources = [
    PLAIN.trimEnd(),
    `# next\n---\n${deployment('api')}`,
    TYPED_LIST.replaceAll(/"(web|api)"/g, '"$1-2"'),
  ].map((text, i) => ({ file: `${i}.yaml`, dir: '/manifests', text }))
  const { text } = injectSources(sources, { home: homeLayout('/mesh'), namespace: 'default', intercept: 'ns' })
  t.same(
    plansOf(text).map(({ workload }) => workload),
    ['web', 'api', 'web-2', 'api-2'],
  )
})

t.test('who gets none is named, and left alone', async (t) => {
  const namespace =
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio-injection: disabled}}\n---\n'
  const off = `sidecar.istio.io/inject: "false"`
  const rows: [string, string, RegExp | undefined][] = [
    ['annotation', deployment('web', { annotations: off }), /web\.yaml:1: Deployment web .*inject is "false"/],
    ['label', deployment('web', { labels: `app: web\n        ${off}` }), /inject is "false"/],
    ['namespace', namespace + PLAIN, /web\.yaml:5: .*namespace default has the label istio-injection: disabled/],
    [
      'pod over namespace',
      namespace + deployment('web', { annotations: 'sidecar.istio.io/inject: "true"' }),
      undefined,
    ],
    ['another namespace', namespace + PLAIN.replace('name: web', 'name: web\n  namespace: prod'), undefined],
    [
      'a container of that name, but no wish',
      deployment('web', { annotations: off, pod: '      - name: istio-proxy\n' }),
      /false/,
    ],
  ]
  for (const [name, text, note] of rows) {
    const injected = inject(text)
    t.equal(injected.text === text, note !== undefined, name)
    t.match(injected.notes, note === undefined ? [] : [note], name)
  }
})

t.test('what apply would refuse is refused in the same words', async (t) => {
  t.throws(() => inject('# nothing\n'), new CliError(NO_OBJECT, 65))
  const two = `${PLAIN}---\n${deployment('api', { pod: '      - name: istio-proxy\n' })}`
  t.throws(() => inject(two), { exitCode: 65, message: 'web.yaml:18: Deployment api has been injected already' })
  const wrong = PLAIN.replace('app: web', 'app: other')
  const refused = t.throws(() => inject(wrong))
  t.match(refused, { exitCode: 65, issues: [{ code: 'PM0169', line: 8 }] })
})

t.test('on the command line', async (t) => {
  const home = tempHome()
  t.teardown(() => removeHome(home))
  const [ran, help, none, bad, where] = await Promise.all([
    cli(['inject', '-f', '-', '-n', 'prod'], { home, input: PLAIN }),
    cli(['inject', '--help'], { home }),
    cli(['inject'], { home }),
    cli(['inject', '-f', '-'], { home, input: PLAIN.replace('kind', 'kidn') }),
    cli(['inject', '-f', '-', '--intercept', 'x'], { home, input: PLAIN }),
  ])
  t.same([ran.code, ran.err], [0, ''])
  t.match(ran.out, `${home}/pods/prod/$(POD_NAME)/bootstrap.json`)
  t.match(help.out, /inject -f checkout\.yaml/)
  t.match(none, { code: 64, out: '', err: /say what to inject/ })
  t.match(bad, { code: 65, out: '', err: /^\(stdin\):1:1 {2}error {2}PM0120[^]*\nerror: nothing was injected\n$/ })
  t.match(where, { code: 64, err: /Allowed choices are auto, ns, env/ })
})
