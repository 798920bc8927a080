/**
 * HTTP/2 in a mesh: ports named `grpc` and `http2` under STRICT mutual TLS. Routes by header, policies by a gRPC call's
 * path, the metric of its status, curl by both versions. Clients know of no proxy.
 */
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { requireNamespaces, requireTool } from '../helpers/tools.ts'
import { E2eMesh, programYaml, STRICT } from './mesh.ts'

const WEB = `
require('http2').createServer((q, r) => r.end(q.httpVersion + ' ' + q.method + ' ' + /spiffe:/.test(q.headers['x-forwarded-client-cert'])))
  .listen(8080)`

const ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter}
spec:
  hosts: [greeter]
  http:
  - match: [{headers: {x-greeter: {exact: other}}}]
    route: [{destination: {host: other}}]
  - route: [{destination: {host: greeter}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-chat}
spec:
  selector: {matchLabels: {app: greeter}}
  action: DENY
  rules:
  - to: [{operation: {methods: [POST], paths: [/test.Greeter/Chat]}}]
---
`

t.test('ports named grpc and http2', async (t) => {
  if (!(await requireNamespaces(t))) return
  const mesh = await E2eMesh.start(t, 'ns')
  writeFileSync(join(mesh.dir, 'web.cjs'), WEB)
  const peer = `node ${join(process.cwd(), 'test/e2e/grpc-peer.mjs')}`
  const grpc = [{ name: 'grpc', port: 5000 }]
  const programs = [
    { name: 'client', command: 'exec sleep 100000' },
    { name: 'web', command: 'exec node web.cjs', ports: [{ name: 'http2', port: 8080 }] },
    { name: 'greeter', command: `exec ${peer} server hello`, ports: grpc },
    { name: 'other', command: `exec ${peer} server moin`, ports: grpc },
  ]
  await mesh.apply(STRICT + programs.map(programYaml).join('') + ROUTES)
  const says = async (line: string): Promise<string> => (await mesh.run('client', line)).out

  await t.test('a header chooses the route of a gRPC call', async (t) => {
    t.equal(await says(`${peer} call greeter:5000 mesh`), 'hello mesh')
    t.equal(await says(`${peer} call greeter:5000 mesh x-greeter=other`), 'moin mesh')
  })
  await t.test('a policy refuses a method', async (t) => {
    t.equal(await says(`${peer} call greeter:5000 chat`), 'status 7')
    t.equal(await says(`${peer} call other:5000 chat`), 'moin again')
  })
  await t.test('metrics know the status of gRPC', async (t) => {
    for (const workload of ['client', 'greeter']) {
      const text = await prometheus((await mesh.pod(workload)).sidecar?.adminSocket ?? '')
      for (const status of ['0', '7'])
        t.ok(
          text
            .split('\n')
            .some(
              (line) =>
                /^istio_requests_total\{.*request_protocol="grpc"/.test(line) &&
                line.includes(`grpc_response_status="${status}"`),
            ),
          `${workload}: ${status}`,
        )
    }
  })
  await t.test('curl by HTTP/2 and by HTTP/1.1', async (t) => {
    if (!requireTool(t, 'curl')) return
    const url = 'http://web:8080/'
    t.equal(await says(`curl -sS -m 5 --http2-prior-knowledge -w ' %{http_version}' ${url}`), '2.0 GET true 2')
    t.equal(await says(`curl -sS -m 5 -w ' %{http_version}' -d x ${url}`), '2.0 POST true 1.1')
  })
})

function prometheus(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/stats/prometheus', agent: false }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
}
