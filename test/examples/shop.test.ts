import { dirname } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { shopFile, shopWorkloads } from '../../src/demo/shop.ts'
import { requireTool } from '../helpers/tools.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Starts a service as its Deployment does and waits for its first line. */
async function start(
  t: Test,
  command: string,
  env: Record<string, string> = {},
): Promise<{ url: string; line: string }> {
  const port = await freePort()
  const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
    cwd: dirname(shopFile('shop.yaml')),
    env: { PATH: process.env['PATH'], PORT: String(port), VERSION: 'v7', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let line = ''
  for await (const chunk of child.stdout) {
    line += String(chunk)
    if (line.includes('listens on port')) break
  }
  return { url: `http://127.0.0.1:${port}`, line }
}

const services = ['frontend.mjs', 'checkout.mjs', 'inventory.mjs', 'payment.mjs', 'user.mjs', 'user-db.mjs'].map(
  (file) => `node ${file}`,
)

for (const command of services) {
  t.test(`${command} answers /version with its version in body and header`, async (t) => {
    const { url } = await start(t, command)
    const response = await fetch(`${url}/version`)
    t.match(await response.text(), /^[a-z-]+ v7\n$/)
    t.equal(response.headers.get('x-version'), 'v7')
    t.equal((await fetch(`${url}/nowhere`)).status, 404)
  })
}

t.test('user-db in Python and its Node twin answer alike', async (t) => {
  if (!requireTool(t, 'python3')) return
  const python = await start(t, 'python3 user-db.py')
  const twin = await start(t, 'node user-db.mjs')
  t.match(python.line, 'Python')
  t.match(twin.line, 'the Node twin of user-db runs')
  for (const path of ['/version', '/users?id=1', '/users?id=2', '/users?id=3', '/users', '/nowhere']) {
    const [a, b] = await Promise.all([fetch(python.url + path), fetch(twin.url + path)])
    t.equal(a.status, b.status, path)
    const [textA, textB] = [await a.text(), await b.text()]
    if (path === '/version') t.equal(textA, textB)
    else t.same(JSON.parse(textA), JSON.parse(textB), path)
    t.equal(a.headers.get('x-version'), 'v7')
  }
})

t.test('the manifests start the load generator and the frontend as the demo asks', async (t) => {
  const { text, file } = shopWorkloads({ loadPerSecond: 7, publishPort: 1234 })
  t.match(file, /examples\/shop\/shop\.yaml$/)
  t.match(text, /name: RATE\n\s+value: "7"/)
  t.match(text, 'pocketmesh.dev/publish: "1234"')
})
