import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TLSSocket } from 'node:tls'
import { build } from 'esbuild'
import t from 'tap'
import { proxyHeader, virtualAddress } from '../../src/supervisor/hook/address.ts'
import { isTool } from '../../src/supervisor/hook/tool.ts'
import { makeCertificate } from './certificate.ts'

/** A folder with a blank in its name, which NODE_OPTIONS would split at. */
const dir = mkdtempSync(join(tmpdir(), 'hook test '))
t.teardown(() => rmSync(dir, { recursive: true }))
const hookFile = join(dir, 'hook.js')
await build({
  entryPoints: ['src/supervisor/hook.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: hookFile,
})

const VIP4 = '240.240.0.5'
const VIP6 = '2001:2::5'
const namesFile = join(dir, 'names.json')
writeFileSync(namesFile, JSON.stringify({ names: { checkout: [VIP6, VIP4], 'checkout.default': [VIP4] } }))

const { key, cert } = makeCertificate('checkout')

interface Seen {
  destination: string
  port: number
}

/** The capture listener's twin: reads the header, then answers as the service at that port would. */
const seen: Seen[] = []
const capture = createServer((socket) => {
  socket.on('error', () => undefined)
  let head = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    if (head.length < 16 || head.length < 16 + head.readUInt16BE(14)) return
    socket.off('data', onData)
    const { destination, port, rest } = parse(head)
    seen.push({ destination, port })
    serve(socket, port, rest)
  }
  socket.on('data', onData)
})
await new Promise<void>((done) => capture.listen(0, '127.0.0.1', done))
t.teardown(() => capture.close())
const capturePort = (capture.address() as { port: number }).port

function parse(head: Buffer): { destination: string; port: number; rest: Buffer } {
  const v4 = head[13] === 0x11
  const at = 16 + (v4 ? 4 : 16)
  const bytes = head.subarray(at, at + (v4 ? 4 : 16))
  const destination = v4 ? [...bytes].join('.') : (bytes.toString('hex').match(/.{4}/g) ?? []).join(':')
  const portAt = at + bytes.length + 2
  return { destination, port: head.readUInt16BE(portAt), rest: head.subarray(16 + head.readUInt16BE(14)) }
}

/** 8080: HTTP; 8443: HTTP over TLS; others: an echo. */
function serve(socket: Socket, port: number, rest: Buffer): void {
  const http = (s: Socket): void => {
    s.resume()
    s.once('data', () => s.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nmesh'))
  }
  // paused: what is put back must wait for its new reader
  socket.pause()
  if (rest.length > 0) socket.unshift(rest)
  if (port === 8080) http(socket)
  else if (port === 8443) http(new TLSSocket(socket, { isServer: true, key, cert }))
  else socket.pipe(socket)
}

interface Run {
  stdout: string
  stderr: string
  code: number
  seen: string[]
}

const scripts = join(dir, 'app')
mkdirSync(scripts)
let serial = 0

/** Runs `code` as a program of a pod. */
async function run(
  code: string,
  options: { type?: 'mjs' | 'cjs'; env?: Record<string, string>; node?: string; file?: string } = {},
): Promise<Run> {
  serial++
  const file = join(scripts, options.file ?? `app-${serial}.${options.type ?? 'mjs'}`)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, code)
  seen.length = 0
  const env = {
    PATH: process.env['PATH'],
    NODE_OPTIONS: `--import=${pathToFileURL(hookFile).href}`,
    POCKETMESH_CAPTURE: `127.0.0.1:${capturePort}`,
    POCKETMESH_NAMES: namesFile,
    GRPC: pathToFileURL(resolve('node_modules/@grpc/grpc-js/build/src/index.js')).href,
    UNDICI: pathToFileURL(resolve('node_modules/undici/index.js')).href,
    ...options.env,
  }
  return new Promise((done) => {
    execFile(options.node ?? process.execPath, [file], { env, timeout: 20_000 }, (error, stdout, stderr) => {
      const destinations = seen.map((one) => `${one.destination}:${one.port}`)
      done({ stdout: stdout.trim(), stderr, code: error === null ? 0 : 1, seen: destinations })
    })
  })
}

const V4 = `${VIP4}:8080`

writeFileSync(join(dir, 'worker.mjs'), `console.log(await (await fetch('http://checkout:8080/')).text())`)

/** Name, program (prints what it got), what the capture listener saw. */
const CLIENTS: [string, string, string[], ('mjs' | 'cjs')?][] = [
  ['fetch', `console.log(await (await fetch('http://checkout:8080/')).text())`, [V4]],
  ['fetch of the upper-case name', `console.log(await (await fetch('http://CHECKOUT:8080/')).text())`, [V4]],
  [
    'undici',
    `const { request } = await import(process.env.UNDICI); console.log(await (await request('http://checkout.default:8080/')).body.text())`,
    [V4],
  ],
  [
    'http.get in ESM',
    `import http from 'node:http'; http.get('http://checkout:8080/', (r) => r.pipe(process.stdout))`,
    [V4],
  ],
  ['http.get in CommonJS', `require('http').get('http://checkout:8080/', (r) => r.pipe(process.stdout))`, [V4], 'cjs'],
  [
    'http.get over a virtual IPv4 address',
    `import { get } from 'node:http'; get('http://${VIP4}:8080/', (r) => r.pipe(process.stdout))`,
    [V4],
  ],
  [
    'http.get over a virtual IPv6 address',
    `import { get } from 'node:http'; get('http://[${VIP6}]:8080/', (r) => r.pipe(process.stdout))`,
    ['2001:0002:0000:0000:0000:0000:0000:0005:8080'],
  ],
  [
    'https.get',
    `import { get } from 'node:https'; get({ host: 'checkout', port: 8443, rejectUnauthorized: false }, (r) => r.pipe(process.stdout))`,
    [`${VIP4}:8443`],
  ],
  [
    'tls.connect(port, host)',
    `import { connect } from 'node:tls'; const s = connect(8443, 'checkout', { rejectUnauthorized: false, servername: 'checkout' }, () => s.write('GET / HTTP/1.1\\r\\n\\r\\n')); s.on('data', (d) => console.log(String(d).slice(-4)))`,
    [`${VIP4}:8443`],
  ],
  [
    'net, writing before it is connected',
    `import { connect } from 'node:net'; const s = connect(5432, 'checkout'); s.write('me'); s.end('sh'); s.pipe(process.stdout)`,
    [`${VIP4}:5432`],
  ],
  [
    'net, with a listener older than the connection',
    `import net from 'node:net'; const s = new net.Socket(); s.on('connect', () => s.end('mesh')); s.connect({ host: 'checkout', port: '5432' }); s.pipe(process.stdout)`,
    [`${VIP4}:5432`],
  ],
  [
    'net, family 6',
    `import net from 'node:net'; net.connect({ host: 'checkout', port: 5432, family: 6 }).end('mesh').pipe(process.stdout)`,
    ['2001:0002:0000:0000:0000:0000:0000:0005:5432'],
  ],
  [
    'net, both families raced',
    `import net from 'node:net'; net.connect({ host: 'checkout', port: 5432, autoSelectFamily: true, lookup: () => { throw new Error('not asked') } }).end('mesh').pipe(process.stdout)`,
    [`${VIP4}:5432`],
  ],
  [
    'a worker with an env of its own',
    `import { Worker } from 'node:worker_threads'; new Worker(new URL('../worker.mjs', import.meta.url), { env: { A: 'b' } })`,
    [V4],
  ],
  [
    'a worker with the env of its parent',
    `const { Worker } = require('worker_threads'); new Worker(require('path').join(__dirname, '../worker.mjs'))`,
    [V4],
    'cjs',
  ],
  [
    'a worker made of a text',
    `import { Worker } from 'node:worker_threads'; new Worker("'use strict'; const { get } = require('http'); get('http://checkout:8080/', (r) => r.pipe(process.stdout))", { eval: true, env: { A: 'b' } })`,
    [V4],
  ],
  [
    'a child process',
    `import { execFileSync } from 'node:child_process'; process.stdout.write(execFileSync(process.execPath, ['-e', "fetch('http://checkout:8080/').then((r) => r.text()).then((x) => console.log(x))"]))`,
    [V4],
  ],
]

t.test('a client reaches the capture listener, with its destination before its own bytes', async (t) => {
  for (const [name, code, expected, type] of CLIENTS) {
    const { stdout, stderr, seen } = await run(code, { type: type ?? 'mjs' })
    t.equal(stdout, 'mesh', `${name}: the answer arrives ${stderr}`)
    t.same(seen, expected, `${name}: the destination`)
  }
})

t.test('grpc-js goes through the capture listener', async (t) => {
  const { seen, stdout } = await run(`
    const grpc = (await import(process.env.GRPC)).default
    const client = new grpc.Client('checkout:50051', grpc.credentials.createInsecure())
    client.makeUnaryRequest('/a.B/C', (x) => x, (x) => x, Buffer.from('x'), { deadline: Date.now() + 5000 }, (e) => { console.log(e.code); process.exit() })
    setInterval(() => undefined, 1000)`)
  t.equal(seen[0], `${VIP4}:50051`)
  t.match(stdout, /^\d+$/)
})

t.test('names resolve as asked for', async (t) => {
  const { stdout, stderr } = await run(`
    import dns, { lookup } from 'node:dns'
    import { lookup as lookupP } from 'node:dns/promises'
    import { promisify } from 'node:util'
    const out = []
    out.push(await new Promise((d) => lookup('checkout', (e, a, f) => d([a, f]))))
    out.push(await new Promise((d) => dns.lookup('checkout', 6, (e, a, f) => d([a, f]))))
    out.push(await new Promise((d) => dns.lookup('checkout', { all: true }, (e, a) => d(a.map((x) => x.address)))))
    out.push(await promisify(dns.lookup)('checkout.', { family: 'IPv4' }))
    out.push(await lookupP('checkout', { family: 6 }))
    out.push((await lookupP('localhost', { family: 4 })).address)
    console.log(JSON.stringify(out))`)
  t.same(
    JSON.parse(stdout),
    [[VIP4, 4], [VIP6, 6], [VIP4, VIP6], { address: VIP4, family: 4 }, { address: VIP6, family: 6 }, '127.0.0.1'],
    stderr,
  )
})

t.test('a name that appears later is found', async (t) => {
  const later = join(dir, 'later.json')
  const { stdout } = await run(
    `import { lookup } from 'node:dns/promises'
    import { writeFileSync } from 'node:fs'
    const one = await lookup('late-service.invalid').catch(() => 'none')
    writeFileSync(process.env.POCKETMESH_NAMES, JSON.stringify({ names: { 'late-service.invalid': ['${VIP4}'] } }))
    console.log(one, (await lookup('late-service.invalid')).address)`,
    { env: { POCKETMESH_NAMES: later } },
  )
  t.equal(stdout, `none ${VIP4}`)
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

t.test('a server on a container port is moved to the port that the sidecar knows', async (t) => {
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
      { type: type ?? 'mjs', env: { PORT: String(port), POCKETMESH_LISTEN: JSON.stringify({ 8080: port }) } },
    )
    const told = name === 'listen(PORT)' ? port : 8080
    t.equal(stdout, `${told} served served`, `${name} ${stderr}`)
  }
})

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
  for (const program of ['/app/server.js', '/app/npm.config.mjs', '/app/node_modules/next/dist/bin/next', undefined])
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

t.test('the newer lines of Node do the same', async (t) => {
  const folder = process.env['POCKETMESH_NODES'] ?? ''
  for (const line of ['24', '26']) {
    const node = join(folder, line, 'bin', 'node')
    if (folder === '' || !existsSync(node)) {
      const why = `no Node ${line}: POCKETMESH_NODES names no folder that has it`
      if (process.env['POCKETMESH_REQUIRE_TOOLS'] === '1') t.fail(why)
      else t.pass(why, { skip: 'needs another Node' })
      continue
    }
    for (const [name, code, expected, type] of CLIENTS) {
      const { stdout, stderr, seen } = await run(code, { type: type ?? 'mjs', node })
      t.equal(stdout, 'mesh', `${line} ${name} ${stderr}`)
      t.same(seen, expected, `${line} ${name}`)
    }
  }
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
