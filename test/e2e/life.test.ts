/** Pods of mode `ns` as Kubernetes users know them: pods without a sidecar, published ports, probes, dialling a pod. */
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { requireNamespaces, requireTool } from '../helpers/tools.ts'
import { E2eMesh, programYaml, STRICT } from './mesh.ts'

const WEB = `
const http = require('http')
let broken = false
http.createServer((q, r) => {
  if (q.url === '/break') broken = true
  if (q.url === '/healthz' && broken) return
  r.end('web mtls ' + /spiffe:/.test(q.headers['x-forwarded-client-cert']))
}).listen(8080)`

const PROBES = `        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1, timeoutSeconds: 10}
        livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 2}`

const OUTSIDE = { 'sidecar.istio.io/inject': 'false' }

t.test('pods as Kubernetes users know them', async (t) => {
  if (!(await requireNamespaces(t)) || !requireTool(t, 'curl')) return
  const mesh = await E2eMesh.start(t, 'ns')
  writeFileSync(join(mesh.dir, 'web.cjs'), WEB)
  const port = await freePort()
  const yaml = [
    programYaml({ name: 'client', command: 'exec sleep 100000' }),
    programYaml({ name: 'outsider', command: 'exec sleep 100000', annotations: OUTSIDE }),
    programYaml({
      name: 'web',
      command: 'exec node web.cjs',
      ports: [{ name: 'http', port: 8080 }],
      serviceAnnotations: `{pocketmesh.dev/publish: "${port}"}`,
      container: PROBES,
    }),
    programYaml({
      name: 'legacy',
      command: 'exec node web.cjs',
      ports: [{ name: 'http', port: 8080 }],
      annotations: OUTSIDE,
    }),
  ].join('')
  await mesh.apply(yaml)
  const get = (from: string, url: string) => mesh.run(from, `curl -sS -m 5 ${url}`)
  const podAddress = async (workload: string): Promise<string> =>
    (await mesh.control.pods()).items.find((pod) => pod.workload === workload)?.address ?? ''

  await t.test('while mutual TLS is PERMISSIVE everybody reaches everybody', async (t) => {
    t.match(await get('client', 'http://web:8080/'), { code: 0, out: 'web mtls true' })
    t.match(await get('outsider', 'http://web:8080/'), { code: 0, out: 'web mtls false' })
    t.match(await get('client', 'http://legacy:8080/'), { code: 0, out: 'web mtls false' })
    t.match(await get('outsider', 'http://legacy:8080/'), { code: 0, out: 'web mtls false' })
    for (const from of ['client', 'outsider'])
      t.match(await get(from, `http://${await podAddress('web')}:8080/`), { code: 0, out: 'web mtls false' })
  })

  await t.test('a published Service answers on a port of this machine', async (t) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    t.equal(await answer.text(), 'web mtls true')
    t.match((await mesh.api.ps()).published, [{ service: 'web', url: `http://127.0.0.1:${port}` }])
  })

  await t.test('STRICT refuses those without a sidecar, and no probe', async (t) => {
    await mesh.apply(yaml + STRICT)
    t.match(await get('client', 'http://web:8080/'), { code: 0, out: 'web mtls true' })
    t.not((await get('outsider', 'http://web:8080/')).code, 0)
    for (const from of ['client', 'outsider'])
      t.notMatch((await get(from, `http://${await podAddress('web')}:8080/`)).out, 'web mtls')
    const { out } = await mesh.run('client', 'sleep 3')
    t.equal(out, '')
    t.match(await mesh.pod('web'), { ready: true, restarts: 0 }, 'asked beside the program, where no policy stands')
  })

  await t.test('a liveness probe that fails has the program started anew', async (t) => {
    await get('client', 'http://web:8080/break')
    const deadlineMs = Date.now() + 60_000
    while ((await mesh.pod('web')).restarts === 0 && Date.now() < deadlineMs) await mesh.run('client', 'sleep 0.2')
    t.ok((await mesh.pod('web')).restarts > 0)
  })

  await t.test('another mesh on this machine is not seen, though its pods have the same addresses', async (t) => {
    const other = await E2eMesh.start(t, 'ns')
    await other.apply(programYaml({ name: 'client', command: 'exec sleep 100000' }))
    t.match(await other.run('client', 'curl -sS -m 5 http://web:8080/'), { code: 6 })
    t.notMatch((await other.run('client', `curl -sS -m 5 http://${await podAddress('web')}:8080/`)).out, 'web mtls')
    t.match((await other.run('client', `ls ${mesh.home.dir}/ca ${mesh.home.dir}/pods`)).code, 2)
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}
