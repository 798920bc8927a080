/**
 * Sidecars as processes of their own between peers that nobody here wrote. In: applications by name. Out: ports: each
 * application behind one sidecar and behind two with mutual TLS between them, each of them over plain sockets and TLS.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import {
  bootstrap,
  cluster,
  get,
  httpListener,
  makeCertificates,
  type RunningProxy,
  startProxy,
  tlsSocket,
  TYPE,
} from '../standalone/rig.ts'

export const LINK = ['one sidecar', 'two sidecars'] as const
export type Hops = (typeof LINK)[number]

/** How the last sidecar speaks to an application: HTTP/2 where it is not the default, `tls` by ALPN. */
export type Speaks = 'http1' | 'http2' | 'tls' | 'tcp'

export interface App {
  name: string
  port: number
  speaks: Speaks
  /** More fields of its cluster. */
  cluster?: Json
}

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
type Json = Record<string, unknown>

/** Fields of a cluster. */
export function speaking(config: 'http2' | 'auto', http2: Json = {}): Json {
  const options = { http2_protocol_options: http2 }
  const chosen = config === 'http2' ? { explicit_http_config: options } : { auto_config: options }
  return {
    typed_extension_protocol_options: {
      [OPTIONS]: { '@type': `type.googleapis.com/${OPTIONS}`, ...chosen },
    },
  }
}

function commonTls(folder: string, side: string, peer: string | null, alpn: string[]): Json {
  const own = {
    certificate_chain: { filename: join(folder, `${side}.pem`) },
    private_key: { filename: join(folder, `${side}.key`) },
  }
  const names = [{ san_type: 'URI', matcher: { exact: `spiffe://example.com/${peer}` } }]
  const trusted = { trusted_ca: { filename: join(folder, 'ca.pem') }, match_typed_subject_alt_names: names }
  return {
    common_tls_context: {
      tls_certificates: [own],
      ...(peer === null ? {} : { validation_context: trusted }),
      ...(alpn.length === 0 ? {} : { alpn_protocols: alpn }),
    },
  }
}

export function tcpListener(name: string, to: string, chain: Json = {}): Json {
  const filter = { name: 'tcp', typed_config: { '@type': TYPE.tcpProxy, stat_prefix: name, cluster: to } }
  return { ...httpListener(name, to), filter_chains: [{ ...chain, filters: [filter] }] }
}

/** Requests to `to` may take as long as they like: a large body is slow on purpose. */
function patient(to: string): Json {
  const route = { match: { prefix: '/' }, route: { cluster: to, timeout: '0s' } }
  return { route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] } }
}

export interface Site {
  folder: string
  /** The one that applications' clients talk to. */
  near: RunningProxy
  /** The one behind the link. */
  far: RunningProxy
  port(app: string, hops: Hops, tls?: boolean): number
}

export interface SiteOptions {
  /** More fields of each connection manager. */
  manager?: Json
  folder?: string
}

/** Both processes are ended with the test. */
export async function startSite(t: Test, apps: readonly App[], options: SiteOptions = {}): Promise<Site> {
  const folder = options.folder ?? makeCertificates(join(t.testdir({}), 'certs'))
  const { manager = {} } = options
  const toServer = tlsSocket('upstreamTls', { sni: 'server.example.com', ...commonTls(folder, 'client', 'server', []) })
  const fromClient = (alpn: string[]): Json =>
    tlsSocket('downstreamTls', { require_client_certificate: true, ...commonTls(folder, 'server', 'client', alpn) })
  const anyone = tlsSocket('downstreamTls', commonTls(folder, 'server', null, ['h2', 'http/1.1']))

  const clusters = apps.map(({ name, port, speaks, cluster: more = {} }) =>
    cluster(name, port, {
      ...(speaks === 'http2' ? speaking('http2') : speaks === 'tls' ? { ...speaking('auto'), ...toServer } : {}),
      ...more,
    }),
  )
  const inbound = apps.map(({ name, speaks }) => ({
    ...(speaks === 'tcp'
      ? tcpListener(`in-${name}`, name, fromClient([]))
      : httpListener(`in-${name}`, name, fromClient(['h2', 'http/1.1']), { ...patient(name), ...manager })),
    traffic_direction: 'INBOUND',
  }))
  const far = await startProxy(t, bootstrap(inbound, clusters))
  const links = apps.map(({ name, speaks }) =>
    cluster(`link-${name}`, far.ports.get(`in-${name}`) ?? 0, {
      ...(speaks === 'tcp' ? {} : speaking('auto')),
      ...toServer,
    }),
  )
  const listeners = apps.flatMap(({ name, speaks }) =>
    [name, `link-${name}`].flatMap((to) =>
      speaks === 'tcp'
        ? [tcpListener(to, to), tcpListener(`tls-${to}`, to, anyone)]
        : [{}, anyone].map((chain) =>
            httpListener(chain === anyone ? `tls-${to}` : to, to, chain, { ...patient(to), ...manager }),
          ),
    ),
  )
  const near = await startProxy(t, bootstrap(listeners, [...clusters, ...links]))
  return {
    folder,
    near,
    far,
    port: (app, hops, tls = false) =>
      near.ports.get(`${tls ? 'tls-' : ''}${hops === 'one sidecar' ? '' : 'link-'}${app}`) ?? 0,
  }
}

/** What the certificates of `makeCertificates` say of the server's side. */
export function tlsFiles(folder: string): { key: Buffer; cert: Buffer } {
  return { key: readFileSync(join(folder, 'server.key')), cert: readFileSync(join(folder, 'server.pem')) }
}

/** A number that the admin interface shows. */
export async function stat(proxy: RunningProxy, name: string): Promise<number> {
  const { body } = await get(proxy.ports.get('admin') ?? 0, '/stats')
  const line = body.split('\n').find((one) => one.startsWith(`${name}: `))
  return line === undefined ? NaN : Number(line.slice(name.length + 2))
}
