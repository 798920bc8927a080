/**
 * Programs that nobody here wrote, unmodified, in pods of mode `ns` under STRICT mutual TLS: none is told of a proxy, each
 * reaches its Service by name or virtual address through two sidecars.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { requireNamespaces, requireTool } from '../helpers/tools.ts'
import { E2eMesh, programYaml, STRICT } from './mesh.ts'

const WEB = `
const http = require('http')
http.createServer((q, r) => r.end('host ' + q.headers.host + ' mtls ' + /spiffe:/.test(q.headers['x-forwarded-client-cert'])))
  .listen(8080)`

/** A static program: no resolver library, no hook, only system calls. */
const STATIC_CLIENT = `
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("WEB_SERVICE_PORT")))};
  inet_pton(AF_INET, getenv("WEB_SERVICE_HOST"), &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); return 1; }
  const char *get = "GET / HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\n\\r\\n";
  write(fd, get, strlen(get));
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) fwrite(buffer, 1, n, stdout);
  return 0;
}`

const PYTHON_SOCKET = `
import socket
s = socket.create_connection(('echo', 7000)); s.sendall(b'half closed'); s.shutdown(socket.SHUT_WR)
print(s.makefile().read())`

const ECHO = `require('net').createServer({ allowHalfOpen: true }, (s) => s.pipe(s)).listen(7000)`

t.test('programs in pods of mode ns', async (t) => {
  if (!(await requireNamespaces(t))) return
  const mesh = await E2eMesh.start(t, 'ns')
  writeFileSync(join(mesh.dir, 'web.cjs'), WEB)
  writeFileSync(join(mesh.dir, 'echo.cjs'), ECHO)
  const redis = installed('redis-server')
  const postgres = postgresBinaries()
  const programs = [
    { name: 'client', command: 'exec sleep 100000' },
    { name: 'web', command: 'exec node web.cjs', ports: [{ name: 'http', port: 8080 }], replicas: 2 },
    { name: 'echo', command: 'exec node echo.cjs', ports: [{ name: 'tcp-echo', port: 7000 }] },
    ...(redis
      ? [
          {
            name: 'redis',
            command: 'exec redis-server --save "" --protected-mode no',
            ports: [{ name: 'tcp-redis', port: 6379 }],
          },
        ]
      : []),
    ...(postgres === undefined ? [] : [postgresProgram(postgres)]),
  ]
  await mesh.apply(STRICT + programs.map(programYaml).join(''))

  const says = async (t: Test, line: string, expected: RegExp): Promise<void> => {
    const { code, out } = await mesh.run('client', line)
    t.match(out, expected, line.trim().split('\n', 1).join(''))
    t.equal(code, 0)
  }

  await t.test('curl, by every name and address of a Service', async (t) => {
    if (!requireTool(t, 'curl')) return
    const names = [
      'web',
      'web.default',
      'web.default.svc',
      'web.default.svc.cluster.local',
      'WEB.Default.svc.cluster.local.',
    ]
    for (const name of names) await says(t, `curl -sS -m 5 http://${name}:8080/`, /^host .* mtls true$/)
    const { items } = await mesh.control.services()
    for (const address of items.find((service) => service.name === 'web')?.addresses ?? []) {
      const host = address.includes(':') ? `[${address}]` : address
      await says(t, `curl -sS -m 5 http://${host}:8080/`, /mtls true$/)
    }
    await says(t, 'curl -4 -sS -m 5 http://web:8080/; curl -6 -sS -m 5 http://web:8080/', /mtls true.*mtls true$/)
    await says(t, 'env | grep -i _proxy; echo none', /^none$/)
  })

  await t.test('python3: urllib and a plain socket that closes its half', async (t) => {
    if (!requireTool(t, 'python3')) return
    const fetched = `print(__import__("urllib.request").request.urlopen("http://web:8080/").read().decode())`
    await says(t, `python3 -c '${fetched}'`, /mtls true$/)
    await says(t, `python3 -c "${PYTHON_SOCKET}"`, /^half closed$/)
  })

  await t.test('a static C program, by virtual address', async (t) => {
    if (!requireTool(t, 'gcc')) return
    const file = join(mesh.dir, 'client')
    const built = spawnSync('gcc', ['-static', '-x', 'c', '-o', file, '-'], { input: STATIC_CLIENT, encoding: 'utf8' })
    t.equal(built.status, 0, built.stderr)
    await says(t, './client', /HTTP\/1.1 200 OK[^]*mtls true/)
  })

  await t.test('redis-cli to redis-server', async (t) => {
    if (!requireTool(t, 'redis-server') || !requireTool(t, 'redis-cli')) return
    await says(
      t,
      'redis-cli -h redis set word mesh; redis-cli -h redis get word; redis-cli -h redis strlen word',
      /^OK\nmesh\n4$/,
    )
  })

  await t.test('psql to PostgreSQL', async (t) => {
    if (process.getuid?.() === 0) {
      t.pass('PostgreSQL does not run as root', { skip: 'runs as another user only' })
      return
    }
    if (!requireTool(t, 'psql')) return
    if (postgres === undefined) t.fail('psql without a server')
    else await says(t, `psql -h postgres -U mesh -d postgres -Atc 'select 6 * 7'`, /^42$/)
  })

  await t.test('grpc-js, client and server', async (t) => {
    const folder = join(process.cwd(), 'test/e2e')
    const peer = `node ${join(folder, 'grpc-peer.mjs')}`
    await mesh.apply(
      STRICT +
        [...programs, { name: 'greeter', command: `exec ${peer} server`, ports: [{ name: 'grpc', port: 5000 }] }]
          .map(programYaml)
          .join(''),
    )
    await says(t, `${peer} client greeter:5000`, /^hello mesh, hello again$/)
  })

  await t.test('what a pod listens on is its own', async (t) => {
    if (!requireTool(t, 'curl')) return
    const line = `node -e 'require("http").createServer((q, r) => r.end("own")).listen(8080)' & sleep 0.5; curl -sS http://127.0.0.1:8080/; curl -sS http://web:8080/; kill $!`
    await says(t, line, /^ownhost web:8080 mtls true$/)
  })

  await t.test('names that are not of the mesh do not exist, and no port beyond the mesh is open', async (t) => {
    if (!requireTool(t, 'curl')) return
    t.match(await mesh.run('client', 'curl -sS -m 5 http://nobody.default.svc.cluster.local:8080/'), { code: 6 })
    t.match(
      (await mesh.run('client', 'curl -sS -m 5 http://169.254.169.254:8080/')).out,
      /403|50\d|reset|refused|Empty/,
    )
  })

  await t.test('without its sidecar a pod is cut off; with it again it serves, under a new certificate', async (t) => {
    if (!requireTool(t, 'curl')) return
    const serial = async (): Promise<string | undefined> =>
      (await mesh.control.certificates()).items.find((one) => one.pod === 'client-0')?.serial
    const before = await serial()
    await mesh.api.kill({ target: 'client/istio-proxy', namespace: 'default', forMs: 1500 })
    t.not((await mesh.run('client', 'curl -sS -m 1 http://web:8080/')).code, 0)
    await mesh.supervisor.ready()
    await says(t, 'curl -sS -m 5 --retry 5 --retry-connrefused http://web:8080/', /mtls true$/)
    t.not(await serial(), before)
  })

  await t.test('with the control plane killed traffic goes on', async (t) => {
    if (!requireTool(t, 'curl')) return
    await mesh.api.kill({ target: 'control', namespace: 'default', forMs: 1000 })
    await says(t, 'curl -sS -m 5 http://web:8080/', /mtls true$/)
  })
})

function installed(tool: string): boolean {
  return spawnSync('/bin/sh', ['-c', `command -v ${tool}`]).status === 0
}

/** Debian keeps them off PATH; PostgreSQL refuses to run as root. */
function postgresBinaries(): string | undefined {
  const root = '/usr/lib/postgresql'
  if (process.getuid?.() === 0 || !existsSync(root)) return undefined
  return readdirSync(root)
    .map((version) => join(root, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')))
}

function postgresProgram(bin: string) {
  const init = `[ -d data ] || ${bin}/initdb -D data -U mesh --auth=trust >/dev/null`
  const hba = `echo "host all all all trust" >> data/pg_hba.conf`
  const serve = `exec ${bin}/postgres -D data -k /tmp -c listen_addresses='*' -c fsync=off`
  return { name: 'postgres', command: `${init} && ${hba} && ${serve}`, ports: [{ name: 'tcp-postgres', port: 5432 }] }
}
