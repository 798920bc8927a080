/** Real proxies from bootstrap files, certificates by openssl, and programs behind them, for the tests of this folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { entryCommand } from '../../../src/lib/entry.ts'

const url = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`
export const TYPE = {
  manager: url('filters.network.http_connection_manager.v3.HttpConnectionManager'),
  router: url('filters.http.router.v3.Router'),
  connectionLimit: url('filters.network.connection_limit.v3.ConnectionLimit'),
  tcpProxy: url('filters.network.tcp_proxy.v3.TcpProxy'),
  tlsInspector: url('filters.listener.tls_inspector.v3.TlsInspector'),
  fileLog: url('access_loggers.file.v3.FileAccessLog'),
  downstreamTls: url('transport_sockets.tls.v3.DownstreamTlsContext'),
  upstreamTls: url('transport_sockets.tls.v3.UpstreamTlsContext'),
} as const

type Json = Record<string, unknown>

export const at = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } })

/** A listener on a port of the system's choice, with an HTTP connection manager to one cluster. */
export function httpListener(name: string, cluster: string, chain: Json = {}, manager: Json = {}): Json {
  const typed = {
    '@type': TYPE.manager,
    stat_prefix: name,
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] }],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': TYPE.router } }],
    ...manager,
  }
  return { name, address: at(0), filter_chains: [{ ...chain, filters: [{ name: 'http', typed_config: typed }] }] }
}

export function cluster(name: string, port: number, more: Json = {}): Json {
  const endpoint = { endpoint: { address: at(port) } }
  const assignment = { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] }
  return { name, connect_timeout: '2s', load_assignment: assignment, ...more }
}

export function tlsSocket(type: 'downstreamTls' | 'upstreamTls', context: Json): Json {
  return { transport_socket: { name: 'tls', typed_config: { '@type': TYPE[type], ...context } } }
}

export function bootstrap(listeners: Json[], clusters: Json[]): Json {
  return { admin: { address: at(0) }, static_resources: { listeners, clusters } }
}

export interface RunningProxy {
  child: ChildProcess
  /** Port by name of the listener; `admin` too. */
  ports: ReadonlyMap<string, number>
  stdout: string[]
  stderr: () => string
}

/** Resolves when it says that it is ready. */
export async function startProxy(t: Test, config: Json | string, flags: string[] = []): Promise<RunningProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'proxy.json')
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config))
  const { command, args } = entryCommand('sidecar')
  const child = spawn(command, [...args, '-c', file, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  const ports = new Map<string, number>()
  const stdout: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${stderr}`)))
    createInterface(child.stdout).on('line', (line) => {
      const [, name = '', port] = /^(?:listener )?(\S+) .*:(\d+)$/.exec(line) ?? []
      if (port !== undefined) ports.set(name, Number(port))
      if (line === 'ready') resolve()
      else stdout.push(line)
    })
  })
  return { child, ports, stdout, stderr: () => stderr }
}

export function runFlags(flags: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { command, args } = entryCommand('sidecar')
  const child = spawn(command, [...args, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

export async function startApp(t: Test, handle: RequestListener): Promise<number> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export async function get(port: number, path = '/'): Promise<{ status: number; body: string }> {
  const r = request({ host: '127.0.0.1', port, path, agent: false }).end()
  const [response] = (await once(r, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode ?? 0, body }
}

/** The script that examples/standalone has for it. */
export function makeCertificates(folder: string): string {
  execFileSync('/bin/sh', ['examples/standalone/certificates.sh', folder])
  return folder
}

/** curl's exit code and output. */
export function curl(args: string[]): Promise<{ code: number | null; body: string }> {
  const child = spawn('curl', ['-s', '-m', '20', ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  let body = ''
  child.stdout.on('data', (chunk) => (body += String(chunk)))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, body })))
}
