/** Clients in Node programs of a pod: each kind of connection, in threads and in child processes too. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { dir, eachNode, run, VIP4, VIP6 } from './hook-programs.ts'

const V4 = `${VIP4}:8080`
const V8443 = `${VIP4}:8443`
const V5432 = `${VIP4}:5432`
const TLS_GET = `s.write('GET / HTTP/1.1\\r\\n\\r\\n'); s.on('data', (d) => console.log(String(d).slice(-4)))`

const FETCH = `console.log(await (await fetch('http://checkout:8080/')).text())`
writeFileSync(join(dir, 'worker.mjs'), FETCH)
writeFileSync(join(dir, 'child.cjs'), `require('http').get('http://checkout:8080/', (r) => r.pipe(process.stdout))`)
/** `CHILD`: a program, `QUIET`: an environment that lacks all of the pod's. */
const CHILD_PROGRAMS = `
  import { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } from 'node:child_process'
  const CHILD = ${JSON.stringify(join(dir, 'worker.mjs'))}, QUIET = { PATH: process.env.PATH }, stdio = 'inherit';`

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
    [V8443],
  ],
  [
    'tls.connect(port, host)',
    `import { connect } from 'node:tls'; const s = connect(8443, 'checkout', { rejectUnauthorized: false, servername: 'checkout' }, () => s.write('GET / HTTP/1.1\\r\\n\\r\\n')); s.on('data', (d) => console.log(String(d).slice(-4)))`,
    [V8443],
  ],
  [
    'net, writing before it is connected',
    `import { connect } from 'node:net'; const s = connect(5432, 'checkout'); s.write('me'); s.end('sh'); s.pipe(process.stdout)`,
    [V5432],
  ],
  [
    'net, with a listener older than the connection',
    `import net from 'node:net'; const s = new net.Socket(); s.on('connect', () => s.end('mesh')); s.connect({ host: 'checkout', port: '5432' }); s.pipe(process.stdout)`,
    [V5432],
  ],
  [
    'net, family 6',
    `import net from 'node:net'; net.connect({ host: 'checkout', port: 5432, family: 6 }).end('mesh').pipe(process.stdout)`,
    ['2001:0002:0000:0000:0000:0000:0000:0005:5432'],
  ],
  [
    'net, both families raced',
    `import net from 'node:net'; net.connect({ host: 'checkout', port: 5432, autoSelectFamily: true, lookup: () => { throw new Error('not asked') } }).end('mesh').pipe(process.stdout)`,
    [V5432],
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
    'net.connect(port, host)',
    `require('net').connect(5432, 'checkout').end('mesh').pipe(process.stdout)`,
    [V5432],
    'cjs',
  ],
  [
    'net.createConnection(port as text, host, callback)',
    `import { createConnection } from 'node:net'; const s = createConnection('5432', 'checkout', () => s.end('mesh')); s.pipe(process.stdout)`,
    [V5432],
  ],
  [
    'net.connect of a socket made before, which is used again',
    `import net from 'node:net'; const s = new net.Socket(); const once = (text) => { s.connect(5432, 'checkout', () => s.end(text)) }; s.on('data', (d) => process.stdout.write(d)); s.once('close', () => once('sh')); once('me')`,
    [V5432, V5432],
  ],
  [
    'net.connect, half open, with a buffer of its own',
    `import net from 'node:net'; net.connect({ host: 'checkout', port: 5432, allowHalfOpen: true, onread: { buffer: Buffer.alloc(100), callback: (n, b) => { process.stdout.write(b.subarray(0, n)); return true } } }).end('mesh')`,
    [V5432],
  ],
  [
    'tls.connect(options)',
    `import tls from 'node:tls'; const s = tls.connect({ port: 8443, host: 'checkout', rejectUnauthorized: false }); ${TLS_GET}`,
    [V8443],
  ],
  [
    'tls.connect(port, options)',
    `import tls from 'node:tls'; const s = tls.connect(8443, { host: 'checkout', rejectUnauthorized: false }); ${TLS_GET}`,
    [V8443],
  ],
  [
    'tls.connect over a socket of its own',
    `const s = require('tls').connect({ socket: require('net').connect(8443, 'checkout'), rejectUnauthorized: false }); ${TLS_GET}`,
    [V8443],
    'cjs',
  ],
  [
    'fetch over TLS',
    `process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; console.log(await (await fetch('https://checkout:8443/')).text())`,
    [V8443],
  ],
  [
    'undici over TLS, with an Agent of its own',
    `const { Agent, request } = await import(process.env.UNDICI); const dispatcher = new Agent({ connect: { rejectUnauthorized: false }, autoSelectFamily: true }); console.log(await (await request('https://checkout:8443/', { dispatcher })).body.text())`,
    [V8443],
  ],
  [
    'http with an Agent of its own and a lookup of its own',
    `import http from 'node:http'; import dns from 'node:dns'; const agent = new http.Agent({ keepAlive: true }); http.get('http://checkout:8080/', { agent, lookup: dns.lookup }, (r) => { r.pipe(process.stdout); r.on('end', () => agent.destroy()) })`,
    [V4],
  ],
  [
    'a connection to an address that dns.resolve4 found',
    `import http from 'node:http'; import { resolve4 } from 'node:dns/promises'; const [host] = await resolve4('checkout'); http.get({ host, port: 8080 }, (r) => r.pipe(process.stdout))`,
    [V4],
  ],
  [
    'a child process',
    `import { execFileSync } from 'node:child_process'; process.stdout.write(execFileSync(process.execPath, ['-e', "fetch('http://checkout:8080/').then((r) => r.text()).then((x) => console.log(x))"]))`,
    [V4],
  ],
  ['spawn', `${CHILD_PROGRAMS} spawn(process.execPath, [CHILD], { stdio })`, [V4]],
  ['spawn with an env of its own', `${CHILD_PROGRAMS} spawn(process.execPath, [CHILD], { stdio, env: QUIET })`, [V4]],
  ['fork', `${CHILD_PROGRAMS} fork(CHILD)`, [V4]],
  ['fork with an env of its own', `${CHILD_PROGRAMS} fork(CHILD, [], { env: QUIET, execArgv: [] })`, [V4]],
  [
    'fork of CommonJS',
    `const { fork } = require('child_process'); fork(require('path').join(__dirname, '../child.cjs'), { env: {} })`,
    [V4],
    'cjs',
  ],
  [
    'exec with an env of its own',
    `${CHILD_PROGRAMS} exec(JSON.stringify(process.execPath) + ' "' + CHILD + '"', { env: QUIET }, (e, out) => console.log(out.trim()))`,
    [V4],
  ],
  [
    'execFile with an env of its own',
    `${CHILD_PROGRAMS} execFile(process.execPath, [CHILD], { env: QUIET }, (e, out) => console.log(out.trim()))`,
    [V4],
  ],
  [
    'spawnSync with an env of its own',
    `${CHILD_PROGRAMS} spawnSync(process.execPath, [CHILD], { stdio, env: QUIET })`,
    [V4],
  ],
  [
    'execFileSync with an env of its own',
    `${CHILD_PROGRAMS} execFileSync(process.execPath, [CHILD], { stdio, env: { ...QUIET, NODE_OPTIONS: '--no-warnings' } })`,
    [V4],
  ],
  [
    'execSync with an env of its own',
    `${CHILD_PROGRAMS} execSync(JSON.stringify(process.execPath) + ' "' + CHILD + '"', { stdio, env: QUIET })`,
    [V4],
  ],
  [
    'a worker of a child process with an env of its own',
    `${CHILD_PROGRAMS} spawn(process.execPath, ['-e', 'new (require("worker_threads").Worker)(process.argv[1])', CHILD], { stdio, env: QUIET })`,
    [V4],
  ],
  [
    'cluster',
    `import cluster from 'node:cluster'; if (cluster.isPrimary) cluster.fork({ A: 'b' }); else { const r = await fetch('http://checkout:8080/'); process.stdout.write(await r.text(), () => process.exit()) }`,
    [V4],
  ],
]

t.test('a client reaches the capture listener, with its destination before its own bytes', (t) =>
  eachNode(t, async (t, node) => {
    for (const [name, code, expected, type] of CLIENTS) {
      const { stdout, stderr, seen } = await run(code, { type: type ?? 'mjs', node })
      t.equal(stdout, 'mesh', `${name}: the answer arrives ${stderr}`)
      t.same(seen, expected, `${name}: the destination`)
    }
  }),
)
