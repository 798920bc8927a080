/** Probes that the proxy makes: programs that are well, ill, slow, and not there. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http, { type IncomingMessage, request } from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AdminServer, type AdminSource } from '../../../src/sidecar/admin/server.ts'
import type { AppProbe } from '../../../src/xds/bootstrap.ts'
import { keyPem, mintRoot } from '../../helpers/mint.ts'

const LONG_MS = 20_000
const SHORT_MS = 50

async function portOf(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Asks an admin server that has this one probe. */
async function probed(t: Test, probe: AppProbe): Promise<[number, string]> {
  const path = '/app-health/app/readyz'
  // a path of its own, and short: the kernel takes 107 bytes
  const dir = mkdtempSync(join(tmpdir(), 'admin-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const socketPath = join(dir, 'admin.sock')
  const admin = new AdminServer(socketPath, { appProbes: { [path]: probe } } as unknown as AdminSource)
  await admin.start()
  try {
    const [response] = (await once(request({ socketPath, path, agent: false }).end(), 'response')) as [IncomingMessage]
    let body = ''
    for await (const chunk of response) body += String(chunk)
    return [response.statusCode ?? 0, body]
  } finally {
    await admin.close()
  }
}

t.test('a program asked by HTTP', async (t) => {
  const seen: IncomingMessage[] = []
  const port = await portOf(
    t,
    http.createServer((message, response) => {
      seen.push(message)
      const status = Number(message.url?.slice(1))
      // 0: it never answers
      if (status !== 0) response.writeHead(status, { location: 'http://192.0.2.1/' }).end('a body')
    }),
  )
  const at = (path: string, timeoutMs = LONG_MS, headers: { name: string; value: string }[] = []): AppProbe => ({
    host: '127.0.0.1',
    port,
    http: { scheme: 'http', path, headers },
    timeoutMs,
  })
  const rows: [AppProbe, number, string | RegExp][] = [
    [at('/200'), 200, 'OK\n'],
    [at('204'), 200, 'OK\n'],
    [at('/302'), 200, 'OK\n'],
    [at('/400'), 503, 'status 400\n'],
    [at('/503'), 503, 'status 503\n'],
    [at('/0', SHORT_MS), 503, 'no answer within 50 ms\n'],
    [at('/a path'), 503, /^Request path contains unescaped characters\n$/],
    [at('/200', LONG_MS, [{ name: 'x y', value: '' }]), 503, /^Header name must be a valid HTTP token.*\n$/],
    [{ ...at('/200'), port: await freePort() }, 503, /^connect ECONNREFUSED .*\n$/],
  ]
  for (const [probe, status, body] of rows) {
    const [gotStatus, gotBody] = await probed(t, probe)
    t.match({ status: gotStatus, body: gotBody }, { status, body }, probe.http?.path ?? 'tcp')
  }
  seen.length = 0
  const headers = [
    { name: 'Host', value: 'shop.example' },
    { name: 'X-Token', value: 'a' },
  ]
  t.same(await probed(t, at('/200', LONG_MS, headers)), [200, 'OK\n'])
  t.match(seen[0]?.headers, { host: 'shop.example', 'x-token': 'a', 'user-agent': /^kube-probe\// })
})

t.test('a program asked by HTTPS, whose certificate is its own affair', async (t) => {
  const root = mintRoot('not for this address')
  const server = https.createServer({ key: keyPem(root.key), cert: root.pem }, (_, response) => response.end())
  const port = await portOf(t, server)
  const get = { path: '/', headers: [] }
  const probe = { host: '127.0.0.1', port, timeoutMs: LONG_MS }
  t.same(await probed(t, { ...probe, http: { scheme: 'https', ...get } }), [200, 'OK\n'])
  t.match(await probed(t, { ...probe, http: { scheme: 'http', ...get } }), [503, /\n$/], 'not by HTTP')
})

t.test('a program asked by TCP', async (t) => {
  const probe = { host: '127.0.0.1', timeoutMs: LONG_MS }
  t.same(await probed(t, { ...probe, port: await portOf(t, createServer()) }), [200, 'OK\n'])
  t.match(await probed(t, { ...probe, port: await freePort() }), [503, /^connect ECONNREFUSED .*\n$/])
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
