/**
 * For tests of the hook: its bundle, a table of names, a stand-in for the capture listener, and a way to run programs as
 * a pod of mode `env` does. In: text of a program. Out: what it printed, and where its connections meant to go.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { TLSSocket } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { makeCertificate } from './certificate.ts'

/** A folder with a blank in its name, which NODE_OPTIONS would split at. */
export const dir = mkdtempSync(join(tmpdir(), 'hook test '))
t.teardown(() => rmSync(dir, { recursive: true }))
export const hookFile = join(dir, 'hook.js')
await build({
  entryPoints: ['src/supervisor/hook.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile: hookFile,
})

export const VIP4 = '240.240.0.5'
export const VIP6 = '2001:2::5'
export const namesFile = join(dir, 'names.json')
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
export const capturePort = (capture.address() as { port: number }).port

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
export async function run(
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

/** This Node and, where POCKETMESH_NODES names a folder that has them, the newer lines. */
export async function eachNode(t: Test, test: (t: Test, node: string) => Promise<void>): Promise<void> {
  await t.test(process.version, (t) => test(t, process.execPath))
  const folder = process.env['POCKETMESH_NODES'] ?? ''
  for (const line of ['24', '26']) {
    const node = join(folder, line, 'bin', 'node')
    if (folder !== '' && existsSync(node)) {
      await t.test(`Node ${line}`, (t) => test(t, node))
      continue
    }
    const why = `no Node ${line}: POCKETMESH_NODES names no folder that has it`
    if (process.env['POCKETMESH_REQUIRE_TOOLS'] === '1') t.fail(why)
    else t.pass(why, { skip: 'needs another Node' })
  }
}
