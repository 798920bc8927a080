/** The two processes for real: a control plane and a sidecar, through kills and restarts. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import t from 'tap'
import type { Pod, TokenResponse } from '../../src/client/contract.ts'
import { homeLayout, podAdminSocket, podDir } from '../../src/lib/home.ts'
import { parseBootstrap } from '../../src/sidecar/bootstrap.ts'
import type { SidecarBootstrap } from '../../src/xds/bootstrap.ts'
import { nodeId } from '../../src/xds/names.ts'
import { pod } from '../control/xds-server/rig.ts'

const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
`

interface Answer {
  status: number
  body: string
}

function call(
  target: { socketPath: string } | { port: number },
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const r = request({ ...target, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += String(chunk)))
      response.on('error', reject) // cut
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    r.on('error', reject)
    r.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Asks until the answer is as wanted; the test's own timeout ends a wait in vain. */
async function eventually(ask: () => Promise<Answer>, wanted: (answer: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined && wanted(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const ok = (answer: Answer): boolean => answer.status === 200
const children = new Set<ChildProcess>()
t.teardown(() => {
  for (const child of children) child.kill('SIGKILL')
})

function run(entry: string, args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import=tsx', entry, ...args], {
    stdio: ['pipe', 'pipe', process.env['POCKETMESH_LOG'] === undefined ? 'ignore' : 'inherit'],
  })
  children.add(child)
  return child
}

async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  children.delete(child)
  return [child.exitCode, child.signalCode]
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

t.test('wrong starts say why', async (t) => {
  const dir = t.testdir({ 'bad.json': '{"node": {"id": "x"}, "drainMs": -1}', 'text.json': 'hello' })
  const rows: [string[], number][] = [
    [['--help'], 0],
    [[], 64],
    [['--what'], 64],
    [['--bootstrap', join(dir, 'none.json')], 65],
    [['--bootstrap', join(dir, 'text.json')], 65],
    [['--bootstrap', join(dir, 'bad.json')], 65],
  ]
  await Promise.all(
    rows.map(async ([args, code]) =>
      t.same(await exitOf(run('src/sidecar/main.ts', args)), [code, null], args.join(' ')),
    ),
  )
})

t.test('each fault of a bootstrap has its place and reason', async (t) => {
  const good: SidecarBootstrap = {
    node: {
      id: nodeId('10.244.0.2', 'a', 'default'),
      cluster: 'a.default',
      metadata: { NAMESPACE: 'default', NAME: 'a', WORKLOAD_NAME: 'a', SERVICE_ACCOUNT: 'default', LABELS: {} },
    },
    trustDomain: 'cluster.local',
    spiffeId: 'spiffe://cluster.local/ns/default/sa/default',
    podDir: '/p',
    xdsSocket: '/x',
    caSocket: '/c',
    adminSocket: '/a',
    rootCertFile: '/r',
    tokenFile: '',
    namesFile: '',
    dnsAddress: '169.254.1.1',
    dnsUpstream: '/d',
    dnsRelay: '/d',
    appProbes: {
      '/app-health/app/livez': { host: '10.244.0.2', port: 8080, timeoutMs: 1000 },
      '/app-health/app/readyz': {
        host: 'fd00:10:244::2',
        port: 8443,
        http: { scheme: 'https', path: '/', headers: [{ name: 'a', value: '' }] },
        timeoutMs: 1000,
      },
    },
    accessLogFile: '',
    exitWithStdin: false,
    drainMs: 0,
  }
  t.same(parseBootstrap(JSON.stringify(good)), good)
  const probe = { host: '10.244.0.2', port: 8080, timeoutMs: 1000 }
  const get = { scheme: 'http', path: '/', headers: [] }
  const at = '/app-health/a/readyz'
  const rows: [Record<string, unknown>, RegExp][] = [
    [{ dnsAddress: 'localhost' }, /^dnsAddress must be an IP address$/],
    [{ dnsUpstream: '' }, /^dnsUpstream must be/],
    [{ dnsRelay: 1 }, /^dnsRelay must be/],
    [{ appProbes: [] }, /^appProbes must be an object$/],
    [{ appProbes: { '/ready': probe } }, /^appProbes\[\/ready\] must be at \/app-health/],
    [
      { appProbes: { [at]: null } },
      /^appProbes\[.*readyz\]\.host must be .*; .*\.port must be .*; .*\.timeoutMs must be/,
    ],
    [{ appProbes: { [at]: { ...probe, host: 'app' } } }, /readyz\]\.host must be an IP address$/],
    [{ appProbes: { [at]: { ...probe, port: 65_536 } } }, /readyz\]\.port must be a port/],
    [{ appProbes: { [at]: { ...probe, timeoutMs: 0 } } }, /readyz\]\.timeoutMs must be/],
    [{ appProbes: { [at]: { ...probe, http: 'x' } } }, /readyz\]\.http must be an object$/],
    [{ appProbes: { [at]: { ...probe, http: { ...get, scheme: 'HTTP' } } } }, /http\.scheme must be http or https$/],
    [{ appProbes: { [at]: { ...probe, http: { ...get, headers: {} } } } }, /http\.headers must be a list$/],
    [
      { appProbes: { [at]: { ...probe, http: { ...get, headers: [{ name: '' }] } } } },
      /headers\[0\]\.name .*\.value must/,
    ],
    [{ dnsAddress: 5, dnsRelay: '' }, /^dnsAddress .*; dnsRelay /],
  ]
  for (const [change, message] of rows)
    t.throws(() => parseBootstrap(JSON.stringify({ ...good, ...change })), { code: 'BAD_BOOTSTRAP', message })
})

t.test('a sidecar serves, and goes on serving while the control plane is away, itself restarted', async (t) => {
  const home = homeLayout(t.testdir())
  const control = { socketPath: home.controlSocket }
  const startControl = async (): Promise<ChildProcess> => {
    const child = run('src/control/main.ts', ['--home', home.dir])
    await eventually(() => call(control, 'GET', '/v1/info'), ok)
    return child
  }
  let plane = await startControl()

  const app = createServer((_request, response) => response.end('from the app')).listen(0, '127.0.0.1')
  await once(app, 'listening')
  t.teardown(() => app.close())
  const { port: appPort } = app.address() as AddressInfo
  const [listenPort, capturePort, httpProxyPort] = [await freePort(), await freePort(), await freePort()]
  const web: Pod = {
    ...pod('web-0'),
    labels: { app: 'web' },
    ports: [{ name: 'http', containerPort: 8080, appPort, listenPort }],
    outbound: { capturePort, httpProxyPort, upstreams: [] },
  }
  t.match(
    await call(control, 'POST', '/v1/apply', {
      sources: [{ file: 's.yaml', dir: '/', text: SERVICE }],
      namespace: 'default',
    }),
    { status: 200 },
  )
  t.match(await call(control, 'PUT', '/v1/pods/default/web-0', web), { status: 200 })
  const token = await call(control, 'POST', '/v1/tokens', {
    pod: 'web-0',
    namespace: 'default',
    serviceAccount: 'default',
  })

  const dir = podDir(home, 'default', 'web-0')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const bootstrap: SidecarBootstrap = {
    node: {
      id: nodeId('127.0.0.1', 'web-0', 'default'),
      cluster: 'web.default',
      metadata: {
        NAMESPACE: 'default',
        NAME: 'web-0',
        WORKLOAD_NAME: 'web',
        SERVICE_ACCOUNT: 'default',
        LABELS: { app: 'web' },
      },
    },
    trustDomain: 'cluster.local',
    spiffeId: 'spiffe://cluster.local/ns/default/sa/default',
    podDir: dir,
    xdsSocket: home.xdsSocket,
    caSocket: home.caSocket,
    adminSocket: podAdminSocket(home, 'default', 'web-0'),
    rootCertFile: home.rootCertFile,
    tokenFile: join(dir, 'token'),
    namesFile: join(dir, 'names.json'),
    accessLogFile: '',
    exitWithStdin: true,
    drainMs: 2000,
  }
  writeFileSync(bootstrap.tokenFile, (JSON.parse(token.body) as TokenResponse).token, { mode: 0o600 })
  const file = join(dir, 'bootstrap.json')
  writeFileSync(file, JSON.stringify(bootstrap))
  const admin = { socketPath: bootstrap.adminSocket }
  const startSidecar = (): ChildProcess => run('src/sidecar/main.ts', ['--bootstrap', file])
  const proxies = (state: string) => (answer: Answer) =>
    answer.body.includes('web-0.default') && answer.body.includes(state)

  let sidecar = startSidecar()
  await eventually(() => call(admin, 'GET', '/ready'), ok)
  t.match(await call({ port: listenPort }, 'GET', '/'), { status: 200, body: 'from the app' })
  t.match(await call({ port: httpProxyPort }, 'GET', 'http://web/'), { status: 200, body: 'from the app' })
  t.match(JSON.parse(readFileSync(bootstrap.namesFile, 'utf8')), { names: { web: [/^240\.240\./, /^2001:2:/] } })
  t.match((await call(admin, 'GET', '/config_dump')).body, /outbound\|80\|\|web\.default\.svc\.cluster\.local/)
  t.match((await call(admin, 'GET', '/certs')).body, /spiffe:\/\/cluster\.local\/ns\/default\/sa\/default/)
  await eventually(() => call(control, 'GET', '/v1/proxies'), proxies('SYNCED'))
  const cache = join(dir, 'last-good.xds')
  await eventually(
    () => call(admin, 'GET', '/ready'),
    () => existsSync(cache),
  )

  plane.kill('SIGKILL')
  await exitOf(plane)
  t.match(await call({ port: listenPort }, 'GET', '/'), { status: 200 }, 'control plane away')
  sidecar.kill('SIGKILL')
  await exitOf(sidecar)
  sidecar = startSidecar()
  await eventually(() => call(admin, 'GET', '/ready'), ok)
  t.match(await call({ port: listenPort }, 'GET', '/'), { status: 200, body: 'from the app' }, 'both were killed')
  t.match(await call({ port: httpProxyPort }, 'GET', 'http://web/'), { status: 200 }, 'both were killed, outbound')

  plane = await startControl()
  await eventually(() => call(control, 'GET', '/v1/proxies'), proxies('SYNCED'))
  t.match(JSON.parse((await call(admin, 'GET', '/server_info')).body), {
    state: 'LIVE',
    controlPlane: { connected: true, nacks: 0 },
  })

  sidecar.kill('SIGTERM')
  t.same(await exitOf(sidecar), [0, null], 'SIGTERM')
  sidecar = startSidecar()
  await eventually(() => call(admin, 'GET', '/ready'), ok)
  sidecar.stdin?.end()
  t.same(await exitOf(sidecar), [0, null], 'standard input closed')
  plane.kill('SIGTERM')
  t.same(await exitOf(plane), [0, null])
})
