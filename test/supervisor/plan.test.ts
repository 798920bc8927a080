import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { ServiceView } from '../../src/client/contract.ts'
import type { MeshObject } from '../../src/config/object.ts'
import { baseEnvironment, expand, serviceEnvironment, withContainerEnv } from '../../src/supervisor/environment.ts'
import { findImage, readImageTable, type ImageTable } from '../../src/supervisor/images.ts'
import { hookEnvironment, interceptEnvironment } from '../../src/supervisor/intercept-env.ts'
import { planDeployment, type ContainerPlan, type DeploymentPlan } from '../../src/supervisor/plan.ts'
import { undeclaredPorts } from '../../src/supervisor/target-ports.ts'

const NO_IMAGES = { namespaceLabels: {}, images: (): ImageTable => new Map() }

function deployment(template: {
  labels?: object
  annotations?: object
  container?: object
  more?: object[]
}): MeshObject {
  const containers = [{ name: 'server', image: 'shop/web:1.2', ...template.container }, ...(template.more ?? [])]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', labels: {}, annotations: {} },
    source: { file: 'web.yaml', line: 1, dir: '/manifests' },
    spec: {
      template: { metadata: { labels: template.labels, annotations: template.annotations }, spec: { containers } },
    },
  }
}

const command = (text: string): object => ({ 'pocketmesh.dev/command': text })

t.test('a container runs the command of its annotation, in the folder of its manifest', async (t) => {
  const plan = planDeployment(
    deployment({
      annotations: { ...command('node a.js'), 'pocketmesh.dev/command.log': 'node b.js' },
      container: { workingDir: 'app' },
      more: [{ name: 'log' }],
    }),
    NO_IMAGES,
  )
  const [server, log] = plan.template.containers
  t.match(server, { command: 'node a.js', cwd: '/manifests/app' })
  t.match(log, { command: 'node b.js', cwd: '/manifests' })
  t.match(plan, { replicas: 1, template: { serviceAccount: 'default', sidecar: true } })
})

t.test('an image stands for a command', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'images-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'pocketmesh.yaml')
  writeFileSync(
    file,
    `images:
  shop/web: node web.mjs
  docker.io/istio/examples-*: {command: node book.mjs, workingDir: book}
  exact:1: one
  exact: any
`,
  )
  const table = readImageTable(dir)
  const rows: [string, string | undefined][] = [
    ['shop/web:1.2', 'node web.mjs'],
    ['shop/web@sha256:00', 'node web.mjs'],
    ['docker.io/istio/examples-bookinfo-ratings-v1:1.20', 'node book.mjs'],
    ['exact:1', 'one'],
    ['exact:2', 'any'],
    ['localhost:5000/exact', undefined],
  ]
  for (const [image, expected] of rows) t.equal(findImage(table, image)?.command, expected, image)
  const plan = planDeployment(deployment({}), { namespaceLabels: {}, images: () => table })
  t.equal(plan.template.containers[0]?.command, 'node web.mjs')
  writeFileSync(file, 'images:\n  a: [1]\n')
  t.throws(() => readImageTable(dir), /pocketmesh\.yaml.*images\["a"\]/)
  t.equal(readImageTable(join(dir, 'none')).size, 0)
})

t.test('a container without a command says what to do', async (t) => {
  const [server] = planDeployment(deployment({}), NO_IMAGES).template.containers
  t.equal(server?.command, null)
  t.match(server?.reason, /pocketmesh\.dev\/command.*"shop\/web:1\.2".*\/manifests\/pocketmesh\.yaml/)
})

t.test('who has a sidecar', async (t) => {
  const off = { 'sidecar.istio.io/inject': 'false' }
  const on = { 'sidecar.istio.io/inject': 'true' }
  const disabled = { 'istio-injection': 'disabled' }
  const rows: [string, object, object, Record<string, string>, boolean][] = [
    ['by default', {}, {}, {}, true],
    ['annotation', {}, off, {}, false],
    ['label', off, {}, {}, false],
    ['namespace', {}, {}, disabled, false],
    ['pod over namespace', on, {}, disabled, true],
    ['label over annotation', on, off, {}, true],
  ]
  for (const [name, labels, annotations, namespaceLabels, expected] of rows) {
    const plan = planDeployment(deployment({ labels, annotations }), { ...NO_IMAGES, namespaceLabels })
    t.equal(plan.template.sidecar, expected, name)
  }
})

t.test('the hash changes with the template, not with the replicas', async (t) => {
  const hash = (change: object, replicas = 1): string => {
    const object = deployment({ annotations: command('a'), container: change })
    return planDeployment({ ...object, spec: { ...(object.spec as object), replicas } }, NO_IMAGES).hash
  }
  t.equal(hash({}), hash({}, 5))
  t.not(hash({}), hash({ env: [{ name: 'A', value: 'b' }] }))
})

t.test('a sidecar that is written down is no program, and changes nothing', async (t) => {
  const status = (labels: unknown): object => ({
    ...command('node a.js'),
    'sidecar.istio.io/status': JSON.stringify({ labels }),
  })
  const proxy = (image: string): object => ({ name: 'istio-proxy', image })
  const injected = {
    labels: { app: 'web', 'security.istio.io/tlsMode': 'istio' },
    more: [proxy('pocketmesh/sidecar:1')],
  }
  const plan = (template: Parameters<typeof deployment>[0]): DeploymentPlan =>
    planDeployment(deployment(template), NO_IMAGES)
  const plain = plan({ labels: { app: 'web' }, annotations: command('node a.js') })
  t.same(plan({ ...injected, annotations: status(['security.istio.io/tlsMode']) }), plain)
  t.same(plan({ ...injected, annotations: status([]) }).template.labels, injected.labels, 'labels that it had before')
  for (const broken of ['{', 'null', '{"labels":1}']) {
    const annotations = { ...command('node a.js'), 'sidecar.istio.io/status': broken }
    t.same(plan({ ...injected, annotations }).template.containers, plain.template.containers, broken)
  }
  for (const image of ['pocketmesh/sidecar', 'pocketmesh/sidecar@sha256:00'])
    t.equal(plan({ more: [proxy(image)] }).template.containers.length, 1, image)
  for (const image of ['pocketmesh/sidecar-next:1', 'istio/proxyv2:1', 'localhost:5000/pocketmesh/sidecar'])
    t.equal(plan({ more: [proxy(image)] }).template.containers.length, 2, image)
})

const FACTS = {
  name: 'web-0',
  namespace: 'default',
  uid: 'u',
  serviceAccount: 'sa',
  workload: 'web',
  labels: { app: 'web' },
  address: '127.0.0.1',
  ports: [
    { name: 'http', containerPort: 8080, appPort: 20_001, listenPort: 20_002 },
    { name: 'admin', containerPort: 9000, appPort: 20_003, listenPort: 20_004 },
  ],
}
const CONTAINER: ContainerPlan = {
  name: 'server',
  command: 'x',
  reason: null,
  args: [],
  cwd: '/',
  env: [],
  ports: FACTS.ports.map(({ name, containerPort }) => ({ name, containerPort })),
}

t.test('a program is told its ports and who it is', async (t) => {
  const env = baseEnvironment(FACTS, CONTAINER)
  t.match(env, { PORT: '20001', PORT_8080: '20001', PORT_9000: '20003', POD_NAME: 'web-0', POD_NAMESPACE: 'default' })
  t.notOk('NODE_OPTIONS' in env, 'the options of the shell that ran `up` are not the program’s')
  const own = withContainerEnv(
    env,
    [
      { name: 'A', value: 'a' },
      { name: 'URL', value: 'http://$(POD_NAME):$(PORT)/$(A)$(NONE)$$(A)' },
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    ],
    FACTS,
  )
  t.match(own, { URL: 'http://web-0:20001/a$(NONE)$(A)', POD: 'web-0', APP: 'web' })
  t.equal(expand('$(A)', {}), '$(A)')
})

type Ports = Omit<ServiceView['ports'][number], 'targetPort'>[]

const service = (name: string, namespace: string, ports: Ports): ServiceView => ({
  name,
  namespace,
  host: `${name}.${namespace}.svc.cluster.local`,
  addresses: [],
  selector: {},
  ports: ports.map((port) => ({ targetPort: port.port, ...port })),
  endpoints: [],
})
const SERVICES = [
  service('checkout-service', 'default', [
    { name: 'http', port: 8080, protocol: 'http' },
    { name: 'tcp-admin', port: 9000, protocol: 'tcp' },
  ]),
  service('db', 'default', [{ name: 'tcp', port: 5432, protocol: 'tcp' }]),
  service('db', 'data', [{ name: 'tcp', port: 5432, protocol: 'tcp' }]),
]

t.test('a pod with a sidecar is told the three ways to it', async (t) => {
  const upstreams = SERVICES.flatMap(({ host, ports }, s) =>
    ports.map(({ port }, i) => ({ host, port, listenPort: 21_000 + s * 10 + i })),
  )
  const outbound = { capturePort: 20_010, httpProxyPort: 20_011, upstreams }
  const env = interceptEnvironment(outbound, '/pod/names.json', SERVICES, 'default')
  t.match(env, {
    POCKETMESH_CAPTURE: '127.0.0.1:20010',
    POCKETMESH_NAMES: '/pod/names.json',
    HTTP_PROXY: 'http://127.0.0.1:20011',
    https_proxy: 'http://127.0.0.1:20011',
    no_proxy: 'localhost,127.0.0.1,::1',
    POCKETMESH_UPSTREAM_CHECKOUT_SERVICE: 'http://127.0.0.1:21000',
    POCKETMESH_UPSTREAM_CHECKOUT_SERVICE_9000: '127.0.0.1:21001',
    POCKETMESH_UPSTREAM_DB: '127.0.0.1:21010',
    POCKETMESH_UPSTREAM_DB_DATA: '127.0.0.1:21020',
  })
  const hook = hookEnvironment(['--import=file:///a%20b/hook.js'], FACTS.ports)
  t.match(hook['NODE_OPTIONS'], /--import=file:\/\/\/a%20b\/hook\.js$/)
  t.same(JSON.parse(hook['POCKETMESH_LISTEN'] ?? ''), { 8080: 20_001, 9000: 20_003 })
})

t.test('a pod without one is told of Services as Kubernetes does', async (t) => {
  const env = serviceEnvironment(SERVICES, 'default', (_service, port) => ({ host: '127.0.0.1', port: port + 20_000 }))
  t.match(env, {
    CHECKOUT_SERVICE_SERVICE_HOST: '127.0.0.1',
    CHECKOUT_SERVICE_SERVICE_PORT: '28080',
    CHECKOUT_SERVICE_SERVICE_PORT_TCP_ADMIN: '29000',
    CHECKOUT_SERVICE_PORT_8080_TCP: 'tcp://127.0.0.1:28080',
    CHECKOUT_SERVICE_PORT_8080_TCP_ADDR: '127.0.0.1',
    DB_SERVICE_PORT: '25432',
  })
})

t.test('ports that only Services name are those of Services that select the pod, by number', async (t) => {
  const plan = planDeployment(
    deployment({
      labels: { app: 'web', version: 'v1' },
      container: { ports: [{ name: 'http', containerPort: 8080 }] },
    }),
    NO_IMAGES,
  )
  const leads = (selector: Record<string, string>, ...targets: (number | string)[]): ServiceView => {
    const ports = targets.map((targetPort) => ({ name: '', port: 80, targetPort, protocol: 'tcp' as const }))
    return { ...service('web', 'default', []), selector, ports }
  }
  const app = { app: 'web' }
  const rows: [string, ServiceView[], number[]][] = [
    ['numbers, each once', [leads(app, 9001, 9000), leads({ version: 'v1' }, 9000)], [9000, 9001]],
    ['neither those that are declared, nor names', [leads(app, 8080, 'http', 'other')], []],
    ['not of other pods', [leads({ app: 'db' }, 9000), leads({ ...app, version: 'v2' }, 9000), leads({}, 9000)], []],
    ['not of another namespace', [{ ...leads(app, 9000), namespace: 'data' }], []],
  ]
  for (const [name, services, ports] of rows) t.same(undeclaredPorts(plan, services), ports, name)
})
