/**
 * The protocol of a Service's port, from its `appProtocol` or the prefix of its name.
 * Source: Istio 1.30, pkg/config/kube/conversion.go (ConvertProtocol). gRPC-Web and WebSocket are HTTP to a proxy: nobody
 * translates gRPC-Web here. PostgreSQL has a name of its own here, where Istio looks at the first bytes and finds TCP.
 */
import type { Protocol } from '../../client/contract.ts'

const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: 'http',
  'grpc-web': 'http',
  http2: 'http2',
  grpc: 'grpc',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  redis: 'tcp',
  mysql: 'tcp',
  postgres: 'tcp',
  postgresql: 'tcp',
}

const BY_APP_PROTOCOL: Readonly<Record<string, Protocol>> = {
  ...BY_NAME,
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
}

/** SMTP, DNS, MySQL, MongoDB: the server speaks first, so there is nothing to look at. */
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017])

/** `auto` where nothing is said: the first bytes decide. */
export function portProtocol(name: string, appProtocol: string | undefined, port: number): Protocol {
  const byApp = appProtocol === undefined ? undefined : BY_APP_PROTOCOL[appProtocol.toLowerCase()]
  return byApp ?? byPortName(name.toLowerCase()) ?? (SERVER_FIRST_PORTS.has(port) ? 'tcp' : 'auto')
}

function byPortName(name: string): Protocol | undefined {
  if (name === 'grpc-web' || name.startsWith('grpc-web-')) return 'http'
  return BY_NAME[name.split('-', 1)[0] ?? '']
}
