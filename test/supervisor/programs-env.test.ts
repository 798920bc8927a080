/**
 * Programs that nobody here wrote, in pods of mode `env` under STRICT mutual TLS: those that know HTTP proxies find their
 * sidecar by HTTP_PROXY and its kin, plain sockets by an explicit port.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { E2eMesh, programYaml, STRICT } from '../e2e/mesh.ts'
import { requireTool } from '../helpers/tools.ts'
import { makeCertificate } from './certificate.ts'

const WEB = `
require('http').createServer((q, r) => {
  let body = ''
  q.on('data', (d) => (body += d)).on('end', () =>
    r.end([q.method, q.headers.host, /spiffe:/.test(q.headers['x-forwarded-client-cert']), body].join(' ')))
}).listen(8080)`

/** TLS of its own, within the mesh's: the sidecars pass it on as it is. */
const SECURE = `
const fs = require('fs')
require('https').createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }, (q, r) =>
  r.end('secure ' + q.headers.host + ' ' + q.socket.getPeerCertificate().subject)).listen(8443)`

const ECHO = `require('net').createServer({ allowHalfOpen: true }, (s) => s.pipe(s)).listen(7000)`

const PYTHON: Record<string, string> = {
  urllib: `
import urllib.request
print(urllib.request.urlopen('http://web:8080/').read().decode())
print(urllib.request.urlopen('http://web.default.svc.cluster.local:8080/', data=b'posted').read().decode())`,
  'urllib-tls': `
import ssl, urllib.request
print(urllib.request.urlopen('https://secure:8443/', context=ssl._create_unverified_context()).read().decode())`,
  'http-client': `
import http.client, os, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['http_proxy'])
c = http.client.HTTPConnection(proxy.hostname, proxy.port)
for body in ('one', 'two'):
    c.request('POST', 'http://web:8080/', body)
    print(c.getresponse().read().decode())`,
  'http-client-tls': `
import http.client, os, ssl, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['https_proxy'])
c = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=ssl._create_unverified_context())
c.set_tunnel('secure', 8443)
c.request('GET', '/')
print(c.getresponse().read().decode())`,
  'socket-plain': `
import os, socket
host, port = os.environ['POCKETMESH_UPSTREAM_ECHO'].split(':')
s = socket.create_connection((host, int(port))); s.sendall(b'half closed'); s.shutdown(socket.SHUT_WR)
print(s.makefile().read())`,
  'socket-http': `
import http.client, os, urllib.parse
url = urllib.parse.urlsplit(os.environ['POCKETMESH_UPSTREAM_WEB'])
c = http.client.HTTPConnection(url.hostname, url.port)
c.request('GET', '/')
print(c.getresponse().read().decode())`,
}

t.test('programs in pods of mode env', async (t) => {
  const mesh = await E2eMesh.start(t, 'env')
  const { key, cert } = makeCertificate('secure')
  const files = { 'web.cjs': WEB, 'secure.cjs': SECURE, 'echo.cjs': ECHO, 'key.pem': key, 'cert.pem': cert }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(mesh.dir, name), text)
  for (const [name, text] of Object.entries(PYTHON)) writeFileSync(join(mesh.dir, `${name}.py`), text)
  const server = (name: string, portName: string, port: number) => ({
    name,
    command: `exec node ${name}.cjs`,
    ports: [{ name: portName, port }],
    container: `        readinessProbe: {tcpSocket: {port: ${port}}, periodSeconds: 1}`,
  })
  const programs = [
    { name: 'client', command: 'exec sleep 100000' },
    server('web', 'http', 8080),
    server('secure', 'https', 8443),
    server('echo', 'tcp-echo', 7000),
  ]
  await mesh.apply(STRICT + programs.map(programYaml).join(''))
  // that the pods are ready came after what was applied
  await mesh.control.delivery((await mesh.control.info()).revision, 10_000)

  const says = async (t: Test, line: string, expected: RegExp | string): Promise<void> => {
    const { code, out } = await mesh.run('client', line)
    if (typeof expected === 'string') t.equal(out, expected, line)
    else t.match(out, expected, line)
    t.equal(code, 0, `${line}: exit code`)
  }

  await t.test('curl: http by the proxy, https by CONNECT', async (t) => {
    if (!requireTool(t, 'curl')) return
    for (const name of ['web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local'])
      await says(t, `curl -sS -m 5 http://${name}:8080/`, `GET ${name}:8080 true`)
    await says(t, 'curl -sS -m 5 -d posted http://web:8080/', 'POST web:8080 true posted')
    await says(t, 'curl -sS -m 5 -k https://secure:8443/', /^secure secure:8443/)
    await says(t, 'curl -sS -m 5 --proxytunnel http://web:8080/', 'GET web:8080 true')
    await says(t, 'curl -sS -m 5 -o /dev/null -w "%{http_code}" "$POCKETMESH_UPSTREAM_WEB"', '200')
  })

  await t.test('python3: urllib', async (t) => {
    if (!requireTool(t, 'python3')) return
    const host = 'web.default.svc.cluster.local:8080'
    await says(t, 'python3 urllib.py', `GET web:8080 true \nPOST ${host} true posted`)
    await says(t, 'python3 urllib-tls.py', /^secure secure:8443/)
  })

  await t.test('python3: http.client, told by the variables', async (t) => {
    if (!requireTool(t, 'python3')) return
    await says(t, 'python3 http-client.py', 'POST web:8080 true one\nPOST web:8080 true two')
    await says(t, 'python3 http-client-tls.py', /^secure secure:8443/)
  })

  await t.test('python3: a plain socket, by an explicit port', async (t) => {
    if (!requireTool(t, 'python3')) return
    await says(t, 'python3 socket-plain.py', 'half closed')
    await says(t, 'python3 socket-http.py', /^GET .* true$/)
  })
})
