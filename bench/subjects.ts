/** Everything that can stand between load and application, by a short name; rows pick from it. Started when first asked for. */
import { DIRECT, BARE_HOP, BARE_PAIR, EVERYTHING_ON, HTTP1_PAIR } from './names.ts'
import { caddyMtls, caddyPlain } from './peers/caddy.ts'
import { envoyMtls, envoyPlain } from './peers/envoy.ts'
import { haproxyMtls, haproxyPlain } from './peers/haproxy.ts'
import { nginxMtls, nginxPlain } from './peers/nginx.ts'
import { bareTls } from './peers/node.ts'
import { BARE, EVERYTHING } from './sidecar/features.ts'
import type { Features } from './sidecar/features.ts'
import { oneHop, pair } from './sidecar/sidecars.ts'
import type { Missing, Setting } from './subject.ts'
import { Subject } from './subject.ts'

type Starter = (setting: Setting) => Promise<Subject | Missing>

const mtls =
  (name: string, features: Features, toGrpc = false): Starter =>
  (setting) =>
    pair(setting, { name, link: 'mtls-http2', features, toGrpc })

const STARTERS = {
  direct: (setting) => {
    const { http, http2, echo } = setting.app.ports
    return Promise.resolve(new Subject({ name: DIRECT, ports: { http, http2, tcp: echo }, children: [] }))
  },
  // Pocketmesh
  'one-bare': (setting) => oneHop(setting, { name: BARE_HOP, features: BARE }),
  'two-plain': (setting) => pair(setting, { name: 'Pocketmesh, two, no TLS', link: 'plain', features: BARE }),
  bare: mtls(BARE_PAIR, BARE),
  all: mtls(EVERYTHING_ON, EVERYTHING),
  'with-log': mtls('Pocketmesh, access log', { ...BARE, accessLog: true }),
  'with-tracing': mtls('Pocketmesh, ids and tracing', { ...BARE, tracing: true }),
  'with-policy': mtls('Pocketmesh, policy', { ...BARE, policy: true }),
  'with-routes': mtls('Pocketmesh, many routes', { ...BARE, routes: true }),
  'bare-http1': (setting) => pair(setting, { name: HTTP1_PAIR, link: 'mtls-http1', features: BARE }),
  'bare-grpc': mtls(`${BARE_PAIR}, gRPC`, BARE, true),
  'all-grpc': mtls(`${EVERYTHING_ON}, gRPC`, EVERYTHING, true),
  // peers
  'haproxy-h2': (setting) => haproxyMtls(setting, 'h2'),
  'haproxy-h1': (setting) => haproxyMtls(setting, 'http/1.1'),
  'haproxy-grpc': (setting) => haproxyMtls(setting, 'h2', true),
  'haproxy-plain': haproxyPlain,
  nginx: nginxMtls,
  'nginx-plain': nginxPlain,
  caddy: caddyMtls,
  'caddy-plain': caddyPlain,
  'bare-tls': bareTls,
  envoy: envoyMtls,
  'envoy-plain': envoyPlain,
} satisfies Record<string, Starter>

export type SubjectName = keyof typeof STARTERS

export function startSubject(name: SubjectName, setting: Setting): Promise<Subject | Missing> {
  return STARTERS[name](setting)
}
