/**
 * The sidecar's admin interface: HTTP/1.1 on a UNIX socket (0600), or on TCP where a proxy stands alone; paths and formats as Envoy's where it has them.
 * In: requests of this user's tools. Out: what the parts report. Off the proxy path, so node:http is good enough.
 * GET changes nothing; what ends or drains is POST.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { IpAddress } from '../pool/address.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { AppProbe } from '../../xds/bootstrap.ts'
import type { AdsStatus } from '../xds-client/ads.ts'
import type { Held } from '../xds-client/snapshot.ts'
import { doubleColonLines, statLines } from './text.ts'

/** What the admin interface asks of the rest of the sidecar. */
export interface AdminSource {
  nodeId: string
  startedAtEpochMs: number
  /** What is still missing before it serves; empty: LIVE. */
  missing(): string[]
  draining(): boolean
  held(type: XdsType): Iterable<Held>
  /** Each with a `name`. */
  clusterStats(): readonly object[]
  listenerStats(): readonly object[]
  /** Bytes that wait in its connections. */
  bufferedBytes(): number
  certificates(): unknown
  prometheus(): Promise<string>
  ads(): AdsStatus | undefined
  /** Paths `/app-health/NAME/readyz`, with what they ask. */
  appProbes: Readonly<Record<string, AppProbe>>
  drain(): void
  quit(): void
}

type Handler = (source: AdminSource, query: URLSearchParams, response: ServerResponse) => void | Promise<void>

const ROUTES: Record<string, { method: 'GET' | 'POST'; handle: Handler }> = {
  '/ready': { method: 'GET', handle: ready },
  '/config_dump': { method: 'GET', handle: dump },
  '/clusters': { method: 'GET', handle: clusters },
  '/listeners': { method: 'GET', handle: listeners },
  '/certs': { method: 'GET', handle: (s, _q, r) => json(r, s.certificates()) },
  '/stats': { method: 'GET', handle: stats },
  '/stats/prometheus': { method: 'GET', handle: async (s, _q, r) => text(r, 200, await s.prometheus(), PROMETHEUS) },
  '/server_info': { method: 'GET', handle: serverInfo },
  '/drain_listeners': { method: 'POST', handle: (s, _q, r) => (s.drain(), text(r, 200, 'OK\n')) },
  '/quitquitquit': { method: 'POST', handle: (s, _q, r) => (text(r, 200, 'OK\n'), s.quit()) },
}

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'

export class AdminServer {
  readonly #address: string | IpAddress
  readonly #server: Server

  /** `address`: a socket's path, or a host and port. */
  constructor(address: string | IpAddress, source: AdminSource) {
    this.#address = address
    this.#server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000 }, (request, response) => {
      request.resume()
      if (typeof address !== 'string' && isFromPage(request)) return text(response, 403, 'not for web pages\n')
      const url = new URL(request.url ?? '/', 'http://admin')
      const probe = Object.hasOwn(source.appProbes, url.pathname) ? source.appProbes[url.pathname] : undefined
      const route = probe === undefined ? ROUTES[url.pathname] : { method: 'GET', handle: appHealth(probe) }
      if (route === undefined) return text(response, 404, `unknown path; there are:\n${list()}`)
      const method = request.method === 'HEAD' ? 'GET' : request.method
      if (method !== route.method) {
        response.setHeader('allow', route.method)
        return text(response, 405, `${url.pathname} takes ${route.method}\n`)
      }
      Promise.resolve()
        .then(() => route.handle(source, url.searchParams, response))
        .catch((error: unknown) => text(response, 500, `${String(error)}\n`))
    })
  }

  /** Binds the socket; one left behind by a dead process is replaced. */
  async start(): Promise<void> {
    const address = this.#address
    if (typeof address === 'string') rmSync(address, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(typeof address === 'string' ? { path: address } : address, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    if (typeof address === 'string') chmodSync(address, 0o600)
  }

  /** The port really bound, where 0 was asked for. */
  get port(): number {
    const bound = this.#server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : 0
  }

  /** Answers no more, and removes the socket. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}

/** A browser's page may reach a loopback port, by its name too: it always says where it comes from, or whom it asks for. */
function isFromPage({ headers }: IncomingMessage): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  const isPlain = host === '' || host === 'localhost' || isIP(host.replace(/^\[|\]$/g, '')) !== 0
  return (
    !isPlain || headers.origin !== undefined || !['none', 'same-origin'].includes(headers['sec-fetch-site'] ?? 'none')
  )
}

function list(): string {
  return Object.entries(ROUTES)
    .map(([path, { method }]) => `  ${method.padEnd(5)}${path}\n`)
    .join('')
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  if (response.headersSent) return void response.end()
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
}

function json(response: ServerResponse, value: unknown): void {
  text(response, 200, `${JSON.stringify(value, null, 1)}\n`, 'application/json')
}

/** Istio's: what the kubelet would ask the program. */
function appHealth(probe: AppProbe): Handler {
  return async (_source, _query, response) => {
    const { askApp } = await import('./app-health.ts')
    const fault = await askApp(probe)
    text(response, fault === '' ? 200 : 503, fault === '' ? 'OK\n' : `${fault}\n`)
  }
}

function ready(source: AdminSource, _query: URLSearchParams, response: ServerResponse): void {
  if (source.draining()) return text(response, 503, 'DRAINING\n')
  const missing = source.missing()
  if (missing.length === 0) text(response, 200, 'LIVE\n')
  else text(response, 503, `PRE_INITIALIZING: waiting for ${missing.join(', ')}\n`)
}

async function dump(source: AdminSource, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const { configDump, DUMP_SECTIONS } = await import('./config-dump.ts')
  const wanted = query.get('resource')
  const sections = DUMP_SECTIONS.filter((s) => wanted === null || s === wanted)
  if (sections.length === 0) return text(response, 400, `resource is one of ${DUMP_SECTIONS.join(', ')}\n`)
  json(
    response,
    configDump((type) => source.held(type), sections),
  )
}

function clusters(source: AdminSource, query: URLSearchParams, response: ServerResponse): void {
  const stats = source.clusterStats()
  if (query.get('format') === 'json') return json(response, { clusterStatuses: stats })
  text(
    response,
    200,
    stats
      .flatMap((s) => doubleColonLines((s as { name: string }).name, s))
      .join('\n')
      .concat('\n'),
  )
}

function listeners(source: AdminSource, query: URLSearchParams, response: ServerResponse): void {
  const stats = source.listenerStats()
  if (query.get('format') === 'json') return json(response, { listenerStatuses: stats })
  const lines = stats.map((s) => {
    const { name, address } = s as { name: string; address?: string }
    return `${name}::${address ?? ''}\n`
  })
  text(response, 200, lines.join(''))
}

async function stats(source: AdminSource, _query: URLSearchParams, response: ServerResponse): Promise<void> {
  const askedMs = performance.now()
  await new Promise((resolve) => setImmediate(resolve))
  const memory = process.memoryUsage()
  const lines = [
    ...statLines('server', {
      live: source.missing().length === 0 ? 1 : 0,
      uptime: Math.floor((Date.now() - source.startedAtEpochMs) / 1000),
      memory_allocated: memory.heapUsed,
      memory_heap_size: memory.heapTotal,
      memory_physical_size: memory.rss,
      buffered_bytes: source.bufferedBytes(),
      event_loop_utilization: performance.eventLoopUtilization().utilization,
      event_loop_turn_ms: performance.now() - askedMs,
    }),
    ...statLines('control_plane', { ...source.ads(), connected_state: source.ads()?.connected === true ? 1 : 0 }),
    ...source.listenerStats().flatMap((s) => statLines(`listener.${(s as { name: string }).name}`, s)),
    ...source.clusterStats().flatMap((s) => statLines(`cluster.${(s as { name: string }).name}`, s)),
  ]
  text(response, 200, `${lines.toSorted().join('\n')}\n`)
}

function serverInfo(source: AdminSource, _query: URLSearchParams, response: ServerResponse): void {
  const live = source.missing().length === 0
  json(response, {
    version: 'pocketmesh',
    state: source.draining() ? 'DRAINING' : live ? 'LIVE' : 'PRE_INITIALIZING',
    missing: source.missing(),
    uptimeSeconds: Math.floor((Date.now() - source.startedAtEpochMs) / 1000),
    pid: process.pid,
    nodeVersion: process.version,
    node: { id: source.nodeId },
    controlPlane: source.ads() ?? null,
  })
}
