/** One data plane in front of an application, with the settings that a test is about, and a clock that it moves. */
import http from 'node:http'
import net from 'node:net'
import type { Test } from 'tap'
import type { envoy } from '../../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import {
  createPlane,
  forward,
  httpListener,
  listen,
  NO_CREDENTIALS,
  type Plane,
  routes,
  staticCluster,
  type XdsCluster,
  type XdsRoute,
} from '../../helpers/data-plane.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'

export interface FrontInit {
  manager?: envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
  action?: envoy.config.route.v3.RouteAction
  routes?: XdsRoute[]
  cluster?: XdsCluster
  /** For callers from outside. */
  inbound?: boolean
  /** Of upstream connections. */
  upstream?: envoy.extensions.upstreams.http.v3.HttpProtocolOptions
}

export interface Front extends Plane {
  clock: ManualClock
  /** Connections and requests that the application has seen. */
  seen: { connections: number; requests: number }
  /** Of the listener. */
  http: number
  appPort: number
}

/** `app`: a handler, or a server that is told of each connection. */
export async function front(t: Test, app: http.RequestListener | net.Server, init: FrontInit = {}): Promise<Front> {
  const server = app instanceof net.Server ? app : http.createServer(app)
  const appPort = await listen(server)
  const seen = { connections: 0, requests: 0 }
  server.on('connection', () => seen.connections++)
  server.on('request', () => seen.requests++)
  const clock = new ManualClock()
  const plane = createPlane('client', NO_CREDENTIALS, { clock })
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const options = init.upstream
    ? { typedExtensionProtocolOptions: { [name]: pack(EXTENSION.upstreamHttpOptions, init.upstream) } }
    : {}
  plane.plane.setClusters([{ ...staticCluster('app', appPort), ...init.cluster, ...options }])
  plane.plane.setRoutes([routes('all', ...(init.routes ?? [forward('app', {}, init.action)]))])
  const { inbound = false } = init
  const manager = init.manager === undefined ? {} : { manager: init.manager }
  t.same(await plane.plane.setListeners([httpListener('http', { rds: 'all', inbound, ...manager })]), [])
  t.teardown(async () => {
    await plane.plane.drain(0)
    if (server instanceof http.Server) server.closeAllConnections()
    server.close()
  })
  return { ...plane, clock, seen, http: plane.port('http'), appPort }
}

/** A client's socket that keeps what it reads. */
export class Wire {
  text = ''
  ended = false
  readonly socket: net.Socket
  #wake: (() => void)[] = []

  constructor(t: Test, port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    t.teardown(() => void this.socket.destroy())
    this.socket.on('data', (chunk: Buffer) => this.#changed((this.text += chunk.toString('latin1'))))
    const over = (): void => this.#changed((this.ended = true))
    this.socket.on('end', over).on('close', over).on('error', over)
  }

  send(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Until this holds. */
  async until(holds: () => boolean): Promise<string> {
    while (!holds()) await new Promise<void>((resolve) => this.#wake.push(resolve))
    return this.text
  }

  sees(pattern: RegExp): Promise<string> {
    return this.until(() => pattern.test(this.text))
  }

  end(): Promise<string> {
    return this.until(() => this.ended)
  }

  #changed(_done?: unknown): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** Turns of the event loop, until this holds: for what shows only in another process's state. */
export async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

/** Until this has not moved for many turns: everything that can be full is. */
export async function settled(value: () => number): Promise<void> {
  let before = NaN
  for (let same = 0; same < 300;) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = value()
    same = now === before ? same + 1 : 0
    before = now
  }
}

export const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n${fields}\r\n`
