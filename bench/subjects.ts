/** Everything that can stand between load and application, by a short name; rows pick from it. Started when first asked for. */
import { caddyMtls, caddyPlain } from './peers/caddy.ts'
import { envoyMtls, envoyPlain } from './peers/envoy.ts'
import { haproxyMtls, haproxyPlain } from './peers/haproxy.ts'
import { nginxMtls, nginxPlain } from './peers/nginx.ts'
import { BARE, EVERYTHING } from './sidecar/features.ts'
import type { Features } from './sidecar/features.ts'
import { oneHop, pair } from './sidecar/sidecars.ts'
import type { Missing, Setting } from './subject.ts'
import { Subject } from './subject.ts'

type Starter = (setting: Setting) => Promise<Subject | Missing>

const mtls =
  (name: string, features: Features): Starter =>
  (setting) =>
    pair(setting, { name, link: 'mtls-http2', features })

/** With trace headers where this build has them; the name says so if not. */
const everything = async (setting: Setting): Promise<Subject | Missing> => {
  const all = { name: 'Pocketmesh, everything on', link: 'mtls-http2', features: EVERYTHING } as const
  try {
    return await pair(setting, all)
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('tracing: not supported'))) throw error
    return pair(setting, { ...all, name: `${all.name} but tracing`, features: { ...EVERYTHING, tracing: false } })
  }
}

const STARTERS = {
  direct: (setting) => {
    const { http, http2, echo } = setting.app.ports
    return Promise.resolve(new Subject({ name: 'direct', ports: { http, http2, tcp: echo }, children: [] }))
  },
  // Pocketmesh
  'one-bare': (setting) => oneHop(setting, { name: 'Pocketmesh, one hop', features: BARE }),
  'two-plain': (setting) => pair(setting, { name: 'Pocketmesh, two, no TLS', link: 'plain', features: BARE }),
  bare: mtls('Pocketmesh, bare', BARE),
  all: everything,
  'with-log': mtls('Pocketmesh, access log', { ...BARE, accessLog: true }),
  'with-tracing': mtls('Pocketmesh, ids and tracing', { ...BARE, tracing: true }),
  'with-policy': mtls('Pocketmesh, policy', { ...BARE, policy: true }),
  'with-routes': mtls('Pocketmesh, many routes', { ...BARE, routes: true }),
  'bare-http1': (setting) => pair(setting, { name: 'Pocketmesh, HTTP/1.1 link', link: 'mtls-http1', features: BARE }),
  'all-grpc': (setting) =>
    pair(setting, { name: 'Pocketmesh, everything on (gRPC)', link: 'mtls-http2', features: EVERYTHING, toGrpc: true }),
  // peers
  'haproxy-h2': (setting) => haproxyMtls(setting, 'h2'),
  'haproxy-h1': (setting) => haproxyMtls(setting, 'http/1.1'),
  'haproxy-plain': haproxyPlain,
  nginx: nginxMtls,
  'nginx-plain': nginxPlain,
  caddy: caddyMtls,
  'caddy-plain': caddyPlain,
  envoy: envoyMtls,
  'envoy-plain': envoyPlain,
} satisfies Record<string, Starter>

export type SubjectName = keyof typeof STARTERS

export function startSubject(name: SubjectName, setting: Setting): Promise<Subject | Missing> {
  return STARTERS[name](setting)
}
