import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { proxyHeader, virtualAddress } from '../../src/supervisor/hook/address.ts'
import { isTool } from '../../src/supervisor/hook/tool.ts'
import { capturePort, dir, eachNode, hookFile, namesFile, run, VIP4 } from './hook-programs.ts'

t.test('grpc-js goes through the capture listener', async (t) => {
  const { seen, stdout } = await run(`
    const grpc = (await import(process.env.GRPC)).default
    const client = new grpc.Client('checkout:50051', grpc.credentials.createInsecure())
    client.makeUnaryRequest('/a.B/C', (x) => x, (x) => x, Buffer.from('x'), { deadline: Date.now() + 5000 }, (e) => { console.log(e.code); process.exit() })
    setInterval(() => undefined, 1000)`)
  t.equal(seen[0], `${VIP4}:50051`)
  t.match(stdout, /^\d+$/)
})

t.test('the address that the program asked for is the one it is shown', async (t) => {
  const { stdout } = await run(
    `import net from 'node:net'; const s = net.connect(5432, 'checkout', () => { console.log(s.remoteAddress, s.remotePort, s.remoteFamily); s.destroy() })`,
  )
  t.equal(stdout, `${VIP4} 5432 IPv4`)
})

t.test('a capture listener that is not there is an ordinary connection error', async (t) => {
  const env = { POCKETMESH_CAPTURE: '127.0.0.1:1' }
  const { stdout } = await run(
    `import net from 'node:net'; import tls from 'node:tls'
    net.connect(80, 'checkout').on('error', (e) => console.log(e.code))
    tls.connect(443, 'checkout').on('error', (e) => console.log(e.code))`,
    { env },
  )
  t.equal(stdout, 'ECONNREFUSED\nECONNREFUSED')
})

t.test('everything outside the mesh is left alone', async (t) => {
  const outside = createServer((s) => s.end('outside'))
  await new Promise<void>((done) => outside.listen(0, '127.0.0.1', done))
  t.teardown(() => outside.close())
  const { port } = outside.address() as { port: number }
  const socketPath = join(dir, 'x.sock')
  const onPath = createServer((s) => s.end('path'))
  await new Promise<void>((done) => onPath.listen(socketPath, done))
  t.teardown(() => onPath.close())
  const { stdout, seen } = await run(`
    import net from 'node:net'
    const read = (s) => new Promise((d) => { let x = ''; s.on('data', (b) => (x += b)).on('close', () => d(x)) })
    console.log(await read(net.connect(${port}, '127.0.0.1')), await read(net.connect({ port: ${port} })), await read(net.connect(${JSON.stringify(socketPath)})))`)
  t.equal(stdout, 'outside outside path')
  t.same(seen, [])
})

/** How a server is told to listen. */
const SERVERS: [string, string, ('mjs' | 'cjs')?][] = [
  ['listen(port)', `import http from 'node:http'; const s = http.createServer((q, r) => r.end('served')).listen(8080)`],
  [
    'listen(port, host)',
    `import { createServer } from 'node:http'; const s = createServer((q, r) => r.end('served')); s.listen(8080, '0.0.0.0', () => undefined)`,
  ],
  [
    'listen(options)',
    `const s = require('http').createServer((q, r) => r.end('served')).listen({ port: '8080', host: '::' })`,
    'cjs',
  ],
  [
    'listen(PORT)',
    `import http from 'node:http'; const s = http.createServer((q, r) => r.end('served')).listen(process.env.PORT)`,
  ],
]

const SERVE = `http.createServer((q, r) => r.end('served')).listen(8080, () => ready())`
const ASK = `fetch('http://127.0.0.1:' + process.env.PORT).then((r) => r.text()).then((text) => process.stdout.write(text, () => process.exit()))`

/** Servers in other processes and threads; each program prints what is answered at the port that the sidecar knows. */
const OTHER_SERVERS: [string, string][] = [
  [
    'two processes of a cluster',
    `import cluster from 'node:cluster'; import http from 'node:http'
    if (cluster.isPrimary) {
      let count = 0
      cluster.on('listening', () => { if (++count === 2) ${ASK} })
      cluster.fork(); cluster.fork()
    } else { const ready = () => undefined; ${SERVE} }`,
  ],
  [
    'a forked process with an env of its own',
    `import { fork } from 'node:child_process'; import http from 'node:http'; import { fileURLToPath } from 'node:url'
    if (process.argv[2] === 'child') { const ready = () => process.send('ready'); ${SERVE} }
    else { const child = fork(fileURLToPath(import.meta.url), ['child'], { env: {} }); child.on('message', () => ${ASK.replace('process.exit()', '{ child.kill(); process.exit() }')}) }`,
  ],
  [
    'a worker thread',
    `import { Worker, isMainThread, parentPort } from 'node:worker_threads'; import http from 'node:http'
    if (isMainThread) new Worker(new URL(import.meta.url), { env: {} }).on('message', () => ${ASK})
    else { const ready = () => parentPort.postMessage('ready'); ${SERVE} }`,
  ],
]

t.test('a server on a container port is moved to the port that the sidecar knows', (t) =>
  eachNode(t, async (t, node) => {
    const free = createServer()
    await new Promise<void>((done) => free.listen(0, '127.0.0.1', done))
    const { port } = free.address() as { port: number }
    await new Promise((done) => free.close(done))
    for (const [name, code, type] of SERVERS) {
      const { stdout, stderr } = await run(
        `${code}
      s.on('listening', async () => {
        const told = s.address().port
        const direct = await (await fetch('http://127.0.0.1:' + process.env.PORT)).text()
        const self = told === 8080 ? await (await fetch('http://localhost:8080')).text() : direct
        console.log(told, direct, self)
        process.exit()
      })`,
        { type: type ?? 'mjs', node, env: { PORT: String(port), POCKETMESH_LISTEN: JSON.stringify({ 8080: port }) } },
      )
      const told = name === 'listen(PORT)' ? port : 8080
      t.equal(stdout, `${told} served served`, `${name} ${stderr}`)
    }
    for (const [name, code] of OTHER_SERVERS) {
      const { stdout, stderr } = await run(code, {
        node,
        env: { PORT: String(port), POCKETMESH_LISTEN: JSON.stringify({ 8080: port }) },
      })
      t.equal(stdout, 'served', `${name} ${stderr}`)
    }
  }),
)

t.test('tools are left alone', async (t) => {
  const code = `console.log(Symbol.for('pocketmesh.hook') in globalThis)`
  const file = 'node_modules/typescript/bin/tsc.mjs'
  t.equal((await run(code, { file })).stdout, 'false', 'tsc')
  t.equal((await run(code)).stdout, 'true', 'a program')
  t.equal((await run(code, { env: { POCKETMESH_CAPTURE: '' } })).code, 0, 'without its variables')
  for (const tool of [
    '/usr/bin/npm',
    '/usr/lib/node_modules/npm/bin/npm-cli.js',
    '/a/node_modules/.bin/tsc',
    '/b/node_modules/tsx/dist/cli.mjs',
  ])
    t.ok(isTool(tool), tool)
  for (const program of [
    '/app/server.js',
    '/app/npm.config.mjs',
    '/app/node_modules/next/dist/bin/next',
    '/app/node_modules/vite/bin/vite.js',
    undefined,
  ])
    t.notOk(isTool(program), program ?? 'node -e')
})

t.test('npm run starts its script with the hook, and has none itself', async (t) => {
  const folder = join(dir, 'package')
  mkdirSync(folder)
  writeFileSync(join(folder, 'server.mjs'), `console.log(await (await fetch('http://checkout:8080/')).text())`)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node server.mjs' } }))
  const env = {
    PATH: process.env['PATH'],
    HOME: dir,
    NODE_OPTIONS: `--import=${pathToFileURL(hookFile).href}`,
    POCKETMESH_CAPTURE: `127.0.0.1:${capturePort}`,
    POCKETMESH_NAMES: namesFile,
  }
  const child = spawn('npm', ['--silent', 'start'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  await new Promise((done) => child.on('close', done))
  t.equal(out.trim(), 'mesh')
})

t.test('addresses', async (t) => {
  const rows: [string, string | undefined][] = [
    ['240.240.255.1', '240.240.255.1'],
    ['240.241.0.1', undefined],
    ['2001:2::a', '2001:2::a'],
    ['2001:0002:1::a', undefined],
    ['2001:20::a', undefined],
    ['::ffff:240.240.0.9', '240.240.0.9'],
    ['::ffff:10.0.0.9', undefined],
    ['240.240.example.com', undefined],
    ['::1', undefined],
  ]
  for (const [host, expected] of rows) t.equal(virtualAddress(host), expected, host)
  t.equal(
    proxyHeader('240.240.0.5', 8080, 4660).toString('hex'),
    '0d0a0d0a000d0a515549540a2111000c7f000001f0f0000512341f90',
  )
  t.equal(proxyHeader('2001:2::5', 80, 1).length, 52)
})
