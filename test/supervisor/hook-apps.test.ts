/** Node programs of a pod as people build and start them: bundles, TypeScript, preloads, options of their own. */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import t from 'tap'
import { capturePort, dir, eachNode, hookFile, namesFile, run, VIP4, VIP6 } from './hook-programs.ts'

const HOOK = `--import=${pathToFileURL(hookFile).href}`
const TSX = `--import=${pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href}`
const V4 = `${VIP4}:8080`
const V6 = '2001:0002:0000:0000:0000:0000:0000:0005:8080'

const folder = join(dir, 'preloads of a user')
mkdirSync(folder)
const at = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const FETCH = `const answer: Response = await fetch('http://checkout:8080/'); console.log(await answer.text())`
const FETCH_JS = FETCH.replace(': Response', '')

/** Undici and an HTTP client in one file, minified, as a program is shipped. */
async function bundle(format: 'esm' | 'cjs'): Promise<string> {
  const contents = `
    import { request } from 'undici'
    import { get } from 'node:http'
    import { connect } from 'net'
    import * as dns from 'dns'
    const ask = async () => {
      const one = await (await request('http://checkout:8080/')).body.text()
      const two = await new Promise((done) => get('http://checkout:8080/', (r) => r.setEncoding('utf8').once('data', done)))
      const three = await new Promise((done) => connect(5432, 'checkout').setEncoding('utf8').once('data', done).end('echo'))
      const four = await dns.promises.resolve4('checkout')
      console.log(one, two, three, ...four)
      process.exit()
    }
    ask()`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format,
    banner:
      format === 'esm'
        ? { js: `import { createRequire as c } from 'module'; const require = c(import.meta.url);` }
        : {},
  })
  return outputFiles[0]?.text ?? ''
}

t.test('bundled programs', async (t) => {
  const files = { mjs: await bundle('esm'), cjs: await bundle('cjs') }
  await eachNode(t, async (t, node) => {
    for (const type of ['mjs', 'cjs'] as const) {
      const { stdout, stderr, seen } = await run(files[type], { type, node })
      t.equal(stdout, `mesh mesh echo ${VIP4}`, `${type} ${stderr}`)
      t.same(seen, [V4, V4, `${VIP4}:5432`], type)
    }
  })
})

const EARLY = at(
  'early "preload".cjs',
  `const net = require('net'), dns = require('dns'); globalThis.early = { connect: net.connect, lookup: dns.lookup }`,
)
const LOADER = at(
  'loader.mjs',
  `import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent('export const load = (url, context, next) => next(url, context)'))`,
)
const quoted = (path: string): string => `"${path.replaceAll(/["\\]/g, String.raw`\$&`)}"`

/** What starts a program, and in which file it is. */
const STARTS: [string, string, string, string][] = [
  ['a loader of TypeScript before the hook', 'app.mts', FETCH, `${TSX} ${HOOK}`],
  ['a loader of TypeScript after the hook', 'app.mts', FETCH, `${HOOK} ${TSX}`],
  [
    'a loader of CommonJS TypeScript',
    'app.cts',
    `fetch('http://checkout:8080/').then((r: Response) => r.text()).then(console.log)`,
    `${TSX} ${HOOK}`,
  ],
  ['module hooks of the user', 'hooks.mjs', FETCH_JS, `${HOOK} --import=${pathToFileURL(LOADER).href}`],
  [
    'options with quotes and blanks',
    'quotes.mjs',
    FETCH_JS,
    `  --require ${quoted(EARLY)}   --title="a \\"b\\" c" ${HOOK}`,
  ],
  [
    'functions taken by a preload before the hook',
    'early.mjs',
    `const s = early.connect({ port: 8080, host: 'checkout', lookup: early.lookup }, () => s.write('GET / HTTP/1.1\\r\\n\\r\\n')); s.on('data', (d) => console.log(String(d).slice(-4)))`,
    `--require ${quoted(EARLY)} ${HOOK}`,
  ],
  [
    'a child with options of its own, quoted',
    'quoted-child.mjs',
    `import { execFileSync } from 'node:child_process'
    const env = { NODE_OPTIONS: '--title="a b"' }
    process.stdout.write(execFileSync(process.execPath, ['-e', "fetch('http://checkout:8080/').then((r) => r.text()).then((x) => console.log(process.title === 'a b' && x))"], { env }))`,
    HOOK,
  ],
]

t.test('programs beside loaders, preloads and options of the user', (t) =>
  eachNode(t, async (t, node) => {
    for (const [name, file, code, options] of STARTS) {
      const { stdout, stderr, seen } = await run(code, {
        file: `${name}/${file}`,
        node,
        env: { NODE_OPTIONS: options },
      })
      t.equal(stdout, 'mesh', `${name} ${stderr}`)
      t.same(seen, [V4], name)
    }
  }),
)

const ONLY6 = `import net from 'node:net'; import dns from 'node:dns'; import { promisify } from 'node:util'
  const fails = (work) => work.then((found) => JSON.stringify(found), (e) => [e.code, e.syscall, e.hostname].join(' '))
  const connected = (options) => new Promise((done) => net.connect({ port: 5432, host: 'localhost', ...options }, () => done('connected')).on('error', (e) => done(e.code)))
  console.log([
    await (await fetch('http://localhost:8080/')).text(),
    await fails(promisify(dns.lookup)('localhost')),
    await fails(promisify(dns.lookup)('localhost', 4)),
    await fails(dns.promises.lookup('localhost', { family: 4 })),
    await fails(dns.promises.lookup('localhost', { family: 4, all: true })),
    await connected({ family: 4 }),
  ].join('\\n'))
  process.exit()`

/** A name that this machine has an IPv4 address for: it must not be asked. */
t.test('a name with an IPv6 address alone', async (t) => {
  const names = join(dir, 'localhost.json')
  writeFileSync(names, JSON.stringify({ names: { localhost: [VIP6] } }))
  await eachNode(t, async (t, node) => {
    const { stdout, stderr, seen } = await run(ONLY6, { node, env: { POCKETMESH_NAMES: names } })
    const missing = 'ENOTFOUND getaddrinfo localhost'
    const found = `{"address":"${VIP6}","family":6}`
    t.equal(stdout, ['mesh', found, missing, missing, missing, 'ENOTFOUND'].join('\n'), stderr)
    t.same(seen, [V6])
  })
})

/** Further forms of clients: what is asked, what the listener saw. */
const FORMS: [string, string, string[]][] = [
  [
    'a subclass of net.Socket',
    `import net from 'node:net'
    class Own extends net.Socket { connect(...args) { this.count = args.length; return super.connect(...args) } }
    const s = new Own(); s.connect(5432, 'checkout'); s.end('mesh'); s.pipe(process.stdout)`,
    [`${VIP4}:5432`],
  ],
  [
    'http2',
    `import http2 from 'node:http2'
    const s = http2.connect('http://checkout:7000/'); s.on('error', () => process.stdout.write('mesh', () => process.exit()))`,
    [`${VIP4}:7000`],
  ],
  [
    'an http.Agent with createConnection of its own',
    `import http from 'node:http'; import net from 'node:net'
    class Own extends http.Agent { createConnection(options, done) { return net.createConnection(options, done) } }
    http.get({ host: 'checkout', port: 8080, agent: new Own() }, (r) => r.pipe(process.stdout))`,
    [V4],
  ],
  [
    'both families, raced by an agent',
    `import http from 'node:http'
    http.get({ host: 'checkout', port: 8080, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 10, family: 0 }, (r) => r.pipe(process.stdout))`,
    [V4],
  ],
  [
    'family 6 of an agent',
    `import http from 'node:http'
    http.get({ host: 'checkout', port: 8080, family: 6 }, (r) => r.pipe(process.stdout))`,
    [V6],
  ],
  [
    'IPv6 first, as the program chose',
    `import dns from 'node:dns'; dns.setDefaultResultOrder('ipv6first')
    const { address } = await dns.promises.lookup('checkout')
    process.stdout.write(address === '${VIP6}' ? 'mesh' : address)`,
    [],
  ],
]

t.test('further forms of clients', (t) =>
  eachNode(t, async (t, node) => {
    for (const [name, code, expected] of FORMS) {
      const { stdout, stderr, seen } = await run(code, { node })
      t.equal(stdout, 'mesh', `${name} ${stderr}`)
      t.same(seen, expected, name)
    }
  }),
)

t.test('sockets with a path are left alone, whatever host they name', async (t) => {
  const path = join(dir, 'own.sock')
  const server = createServer((s) => s.once('data', () => s.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npath')))
  await new Promise<void>((done) => server.listen(path, done))
  t.teardown(() => server.close())
  const code = `import net from 'node:net'; import http from 'node:http'
  const path = ${JSON.stringify(path)}
  const last = (s) => new Promise((done) => { s.write('x'); s.on('data', (d) => done(String(d).slice(-4))) })
  console.log(
    await last(net.connect(path)), await last(net.connect({ path, host: 'checkout', port: 8080 })),
    await last(net.createConnection(path, () => undefined)), await last(new net.Socket().connect(path)),
    await new Promise((done) => http.get({ socketPath: path, host: 'checkout', port: 8080 }, (r) => r.once('data', (d) => done(String(d))))))
  process.exit()`
  await eachNode(t, async (t, node) => {
    const { stdout, stderr, seen } = await run(code, { node })
    t.equal(stdout, 'path path path path path', stderr)
    t.same(seen, [])
  })
})

t.test('npx and tsx have no hook, what they start has it', async (t) => {
  const project = join(dir, 'project')
  mkdirSync(join(project, 'node_modules', '.bin'), { recursive: true })
  writeFileSync(join(project, 'package.json'), '{}')
  const says = `console.log(Symbol.for('pocketmesh.hook') in globalThis)`
  writeFileSync(join(project, 'app.ts'), `const text: string = 'x'; ${says}`)
  writeFileSync(join(project, 'node_modules', '.bin', 'own-tool'), `#!/usr/bin/env node\n${says}`, { mode: 0o755 })
  const env = {
    PATH: process.env['PATH'],
    HOME: dir,
    NODE_OPTIONS: HOOK,
    POCKETMESH_CAPTURE: `127.0.0.1:${capturePort}`,
    POCKETMESH_NAMES: namesFile,
  }
  const rows: [string, string, string[]][] = [
    ['npx, a command of the project', 'npx', ['--no-install', 'own-tool']],
    ['tsx', process.execPath, [resolve('node_modules/tsx/dist/cli.mjs'), 'app.ts']],
  ]
  for (const [name, command, args] of rows) {
    const out = await new Promise<string>((done) => {
      execFile(command, args, { cwd: project, env }, (error, stdout) => done(error?.message ?? stdout.trim()))
    })
    t.equal(out, 'true', name)
  }
})
