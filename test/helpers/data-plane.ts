/**
 * A DataPlane out of few words, for tests: xDS resources from plain values, a recording sink, free ports.
 * What the tests say is what a control plane would push.
 */
import net from 'node:net'
import { systemClock } from '../../src/lib/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { DataPlane, type DataPlaneOptions } from '../../src/sidecar/data-plane.ts'
import { Exchange } from '../../src/sidecar/exchange.ts'
import type { Credential, CredentialSource, TelemetrySink } from '../../src/sidecar/ports.ts'
import type { Workload } from '../../src/sidecar/workload.ts'
import type { envoy } from '../../src/xds/generated/xds.js'
import { EXTENSION, pack } from '../../src/xds/type-urls.ts'

export type XdsListener = envoy.config.listener.v3.Listener
export type XdsChain = envoy.config.listener.v3.FilterChain
export type XdsCluster = envoy.config.cluster.v3.Cluster
export type XdsRoutes = envoy.config.route.v3.RouteConfiguration
export type XdsRoute = envoy.config.route.v3.Route
export type XdsAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment

export const NO_CREDENTIALS: CredentialSource = { current: () => undefined, onChange: () => () => {} }

/** A credential source whose generation a test can raise. */
export class TestCredentials implements CredentialSource {
  #credential: Credential
  readonly #listeners = new Set<(credential: Credential) => void>()
  constructor(credential: Credential) {
    this.#credential = credential
  }
  current(): Credential {
    return this.#credential
  }
  onChange(listener: (credential: Credential) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  rotate(credential: Credential): void {
    this.#credential = credential
    for (const listener of this.#listeners) listener(credential)
  }
}

export function workload(name: string): Workload {
  return {
    workload: name,
    namespace: 'default',
    app: name,
    version: 'v1',
    canonicalService: name,
    canonicalRevision: 'v1',
    cluster: 'Kubernetes',
  }
}

/** Keeps a copy of each record. */
export class Records implements TelemetrySink {
  readonly ended: Exchange[] = []
  readonly opened: Exchange[] = []
  #waiters: (() => void)[] = []
  onEnd(x: Exchange): void {
    this.ended.push(Object.assign(new Exchange(), x))
    for (const wake of this.#waiters.splice(0)) wake()
  }
  onTcpOpen(x: Exchange): void {
    this.opened.push(Object.assign(new Exchange(), x))
  }
  /** The record at `index`, waiting for it. */
  async at(index: number): Promise<Exchange> {
    while (this.ended.length <= index) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    return this.ended[index]!
  }
  get last(): Exchange {
    return this.ended[this.ended.length - 1]!
  }
}

export interface Plane {
  plane: DataPlane
  records: Records
  /** Port of the listener with this name. */
  port: (listener: string) => number
}

export function createPlane(
  name = 'client',
  credentials: CredentialSource = NO_CREDENTIALS,
  more: Partial<DataPlaneOptions> = {},
): Plane {
  const records = new Records()
  const plane = new DataPlane({
    credentials,
    telemetry: records,
    self: workload(name),
    nodeId: `sidecar~127.0.0.1~${name}-0.default~default.svc.cluster.local`,
    clock: systemClock,
    log: createLog('test'),
    ...more,
  })
  const port = (listener: string): number => {
    const stat = plane.listenerStats().find((l) => l.name === listener)
    if (stat === undefined) throw new Error(`no listener ${listener}`)
    return Number(stat.address.slice(stat.address.lastIndexOf(':') + 1))
  }
  return { plane, records, port }
}

export function address(port: number, host = '127.0.0.1'): envoy.config.core.v3.Address {
  return { socketAddress: { address: host, portValue: port } }
}

export interface EndpointInit {
  port: number
  host?: string
  mesh?: boolean
  workload?: string
  weight?: number
}

export function assignment(name: string, endpoints: (number | EndpointInit)[]): XdsAssignment {
  return {
    clusterName: name,
    endpoints: [
      {
        lbEndpoints: endpoints.map((e) => {
          const init = typeof e === 'number' ? { port: e } : e
          return {
            endpoint: { address: address(init.port, init.host) },
            ...(init.weight === undefined ? {} : { loadBalancingWeight: { value: init.weight } }),
            metadata: {
              filterMetadata: {
                ...(init.mesh === true
                  ? { 'envoy.transport_socket_match': { fields: { tlsMode: { stringValue: 'istio' } } } }
                  : {}),
                ...(init.workload === undefined
                  ? {}
                  : {
                      istio: {
                        fields: {
                          workload: { stringValue: `${init.workload};default;${init.workload};v1;Kubernetes` },
                        },
                      },
                    }),
              },
            },
          }
        }),
      },
    ],
  }
}

export function staticCluster(name: string, ...endpoints: (number | EndpointInit)[]): XdsCluster {
  return { name, type: 0, lbPolicy: 1, loadAssignment: assignment(name, endpoints) }
}

export function edsCluster(name: string): XdsCluster {
  return { name, type: 3, lbPolicy: 1, edsClusterConfig: { serviceName: name } }
}

export const originalDstCluster: XdsCluster = { name: 'PassthroughCluster', type: 4, lbPolicy: 6 }

/** A cluster whose mesh endpoints want mutual TLS from `ids`. */
export function meshCluster(name: string, ids: string[], base: XdsCluster): XdsCluster {
  return {
    ...base,
    name,
    transportSocketMatches: [
      {
        name: 'tlsMode-istio',
        match: { fields: { tlsMode: { stringValue: 'istio' } } },
        transportSocket: {
          name: 'envoy.transport_sockets.tls',
          typedConfig: pack(EXTENSION.upstreamTls, {
            sni: 'outbound_.8080_._.server.default.svc.cluster.local',
            commonTlsContext: {
              alpnProtocols: base.typedExtensionProtocolOptions ? ['istio-h2', 'istio-http/1.1'] : ['istio-http/1.1'],
              combinedValidationContext: {
                defaultValidationContext: {
                  matchTypedSubjectAltNames: ids.map((exact) => ({ sanType: 3 as const, matcher: { exact } })),
                },
              },
            },
          }),
        },
      },
      { name: 'raw', match: {}, transportSocket: { typedConfig: pack(EXTENSION.rawBuffer, {}) } },
    ],
  }
}

type HttpOptions = envoy.extensions.upstreams.http.v3.HttpProtocolOptions

/** A cluster that says which HTTP it speaks. */
export function speaking(version: 'http1' | 'http2' | 'auto' | 'client', cluster: XdsCluster): XdsCluster {
  const both = { httpProtocolOptions: {}, http2ProtocolOptions: { allowConnect: true } }
  const options: HttpOptions =
    version === 'auto'
      ? { autoConfig: both }
      : version === 'client'
        ? { useDownstreamProtocolConfig: both }
        : {
            explicitHttpConfig:
              version === 'http1' ? { httpProtocolOptions: {} } : { http2ProtocolOptions: both.http2ProtocolOptions },
          }
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  return { ...cluster, typedExtensionProtocolOptions: { [name]: pack(EXTENSION.upstreamHttpOptions, options) } }
}

export function forward(cluster: string, more: Partial<XdsRoute> = {}, action: object = {}): XdsRoute {
  return { name: 'default', match: { prefix: '/' }, route: { cluster, timeout: { seconds: 0 }, ...action }, ...more }
}

export function weighted(...clusters: [string, number][]): XdsRoute {
  const list = clusters.map(([name, value]) => ({ name, weight: { value } }))
  return {
    name: 'default',
    match: { prefix: '/' },
    route: { weightedClusters: { clusters: list }, timeout: { seconds: 0 } },
  }
}

export function routes(name: string, ...list: XdsRoute[]): XdsRoutes {
  return { name, virtualHosts: [{ name: 'all', domains: ['*'], routes: list, includeRequestAttemptCount: true }] }
}

export interface ManagerInit {
  rds?: string
  routeConfig?: XdsRoutes
  inbound?: boolean
  /** Of the HTTP connection manager. */
  manager?: envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
}

export function httpChain(init: ManagerInit, more: Partial<XdsChain> = {}): XdsChain {
  const typedConfig = pack(EXTENSION.httpConnectionManager, {
    ...(init.rds === undefined ? { routeConfig: init.routeConfig ?? {} } : { rds: { routeConfigName: init.rds } }),
    serverName: init.inbound === true ? 'istio-envoy' : 'envoy',
    forwardClientCertDetails: init.inbound === true ? 2 : 0,
    httpProtocolOptions: { acceptHttp_10: true },
    http2ProtocolOptions: { allowConnect: true },
    ...init.manager,
  })
  return { filters: [{ name: 'envoy.filters.network.http_connection_manager', typedConfig }], ...more }
}

export function tcpChain(cluster: string, more: Partial<XdsChain> = {}): XdsChain {
  return {
    filters: [{ name: 'envoy.filters.network.tcp_proxy', typedConfig: pack(EXTENSION.tcpProxy, { cluster }) }],
    ...more,
  }
}

export function httpListener(name: string, init: ManagerInit): XdsListener {
  return {
    name,
    address: address(0),
    trafficDirection: init.inbound === true ? 1 : 2,
    filterChains: [httpChain(init)],
  }
}

export function tcpListener(name: string, cluster: string): XdsListener {
  return { name, address: address(0), filterChains: [tcpChain(cluster)] }
}

export const captureListener: XdsListener = {
  name: 'virtualOutbound',
  address: address(0),
  useOriginalDst: { value: true },
  listenerFilters: [
    { name: 'proxy', typedConfig: pack(EXTENSION.proxyProtocol, {}) },
    { name: 'original_dst', typedConfig: pack(EXTENSION.originalDst, {}) },
  ],
  defaultFilterChain: tcpChain('PassthroughCluster'),
}

export function destinationListener(host: string, port: number, chain: XdsChain): XdsListener {
  return { name: `${host}_${port}`, address: address(port, host), bindToPort: { value: false }, filterChains: [chain] }
}

/** Inbound as a PERMISSIVE port has it. */
export function inboundListener(name: string, cluster: string, mode: 'PERMISSIVE' | 'STRICT' | 'DISABLE'): XdsListener {
  const mesh = ['istio-h2', 'istio-http/1.1', 'istio-http/1.0', 'istio', 'istio-peer-exchange']
  const config = { routeConfig: routes(cluster, forward(cluster)), inbound: true }
  const chains: XdsChain[] = []
  if (mode !== 'DISABLE')
    chains.push(
      httpChain(config, {
        filterChainMatch: { transportProtocol: 'tls', applicationProtocols: mesh },
        transportSocket: {
          name: 'envoy.transport_sockets.tls',
          typedConfig: pack(EXTENSION.downstreamTls, {
            requireClientCertificate: { value: true },
            commonTlsContext: { alpnProtocols: mesh },
          }),
        },
      }),
    )
  if (mode !== 'STRICT') {
    chains.push(httpChain(config, { filterChainMatch: { transportProtocol: 'raw_buffer' } }))
    chains.push(tcpChain(cluster, { filterChainMatch: { transportProtocol: 'tls' } }))
  }
  return {
    name,
    address: address(0),
    trafficDirection: 1,
    listenerFilters: [{ name: 'tls', typedConfig: pack(EXTENSION.tlsInspector, {}) }],
    filterChains: chains,
  }
}

/** Port of a server that listens on an ephemeral one. */
export async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

/** Writes `bytes`, half-closes if asked, and resolves to all that comes back until the other side ends. */
export function exchangeBytes(port: number, bytes: string | Buffer, half = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('end', () => {
      socket.end()
      resolve(text)
    })
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
    socket.write(bytes, 'latin1')
    if (half) socket.end()
  })
}
