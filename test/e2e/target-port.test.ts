/** A Service's numeric targetPort that no container declares: to be served as in Kubernetes. */
import t, { type Test } from 'tap'
import type { InterceptMode } from '../../src/client/contract.ts'
import { requireNamespaces, requireTool } from '../helpers/tools.ts'
import { E2eMesh, programYaml, STRICT } from './mesh.ts'

const WEB = `exec node -e '
for (const port of [9000, 9001])
  require("http").createServer((q, r) => r.end(port + " " + /spiffe:/.test(q.headers["x-forwarded-client-cert"]))).listen(port)'`

const service = (name: string, targetPort: number): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: ${targetPort}}]}
---`

async function startMesh(t: Test, mode: InterceptMode): Promise<E2eMesh> {
  const mesh = await E2eMesh.start(t, mode)
  const programs = [
    programYaml({ name: 'client', command: 'exec sleep 100000' }),
    programYaml({ name: 'web', command: WEB }),
  ]
  await mesh.apply(STRICT + service('first', 9000) + programs.join(''))
  return mesh
}

t.test('mode ns serves it, whenever the Service comes', async (t) => {
  if (!(await requireNamespaces(t)) || !requireTool(t, 'curl')) return
  const mesh = await startMesh(t, 'ns')
  const get = (host: string) => mesh.run('client', `curl -sS -m 5 --retry 5 --retry-connrefused http://${host}/`)
  const portsOfWeb = async () => (await mesh.pod('web')).ports.map((port) => `${port.name}:${port.containerPort}`)
  t.match(await get('first'), { out: '9000 true' })
  const { pid } = await mesh.pod('web')
  await mesh.apply(service('second', 9001))
  t.match(await get('second'), { out: '9001 true' }, 'through mutual TLS')
  t.same(await portsOfWeb(), [':9000', ':9001'])
  await mesh.control.deleteObject('Service', 'default', 'first')
  await mesh.supervisor.ready()
  t.same(await portsOfWeb(), [':9001'], 'and no longer than there is one')
  t.match(await get('second'), { out: '9001 true' })
  t.equal((await mesh.pod('web')).pid, pid, 'the program goes on as it is')
})

t.test('mode env says that it does not', async (t) => {
  const mesh = await startMesh(t, 'env')
  const pod = await mesh.pod('web')
  t.match(pod, {
    ready: true,
    reason: 'a Service leads to port 9000, which no container declares: it is not served in mode env',
  })
  t.same(pod.ports, [])
})
