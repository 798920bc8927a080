/** Limits of a client towards a service (Istio API: ConnectionPoolSettings). */
import { anything, bool, duration, enumOf, ignored, int, object, supported, withRule } from '../schema.ts'
import { uint32 } from './common.ts'

const tcpKeepalive = () =>
  object({
    probes: supported(uint32(), 'Probes before a connection counts as dead.', { default: '9' }),
    time: supported(duration(), 'Idle time before the first probe.', { default: '7200s' }),
    interval: supported(duration(), 'Time between probes.', { default: '75s' }),
  })

const tcpPool = () =>
  object({
    maxConnections: supported(int(0), 'Most connections to the service.', { default: 'no limit' }),
    connectTimeout: supported(duration(), 'Time to connect.', { default: '10s' }),
    tcpKeepalive: ignored(tcpKeepalive(), 'Keepalive probes.', "the system's settings hold"),
    maxConnectionDuration: ignored(
      duration(),
      'Longest life of a connection.',
      'connections live as long as they are used',
    ),
    idleTimeout: supported(duration({ zero: true }), 'Longest silence on a connection; 0s: no limit.', {
      default: '1h',
    }),
  })

const httpPool = () =>
  withRule(
    object({
      http1MaxPendingRequests: supported(int(0), 'Most requests that wait for a connection.', { default: 'no limit' }),
      http2MaxRequests: supported(int(0), 'Most requests under way.', { default: 'no limit' }),
      maxRequestsPerConnection: supported(int(0), 'Requests before a connection is closed; 1: no keep-alive.', {
        default: '0, no limit',
      }),
      maxRetries: supported(int(0), 'Most retries under way.', { default: 'no limit' }),
      idleTimeout: supported(duration(), 'How long an unused connection is kept.', { default: '1h' }),
      h2UpgradePolicy: supported(
        enumOf({
          DEFAULT: 'HTTP/2 between sidecars, HTTP/1.1 to others.',
          DO_NOT_UPGRADE: 'HTTP/1.1 to all.',
          UPGRADE: 'HTTP/2 to all.',
        }),
        'Whether HTTP/1.1 becomes HTTP/2 on the way, on ports named http. The program gets what its port is named for.',
        { default: 'DEFAULT' },
      ),
      useClientProtocol: supported(bool(), "Keep the client's protocol, on ports for HTTP.", { default: 'false' }),
      maxConcurrentStreams: supported(int(0), 'Most streams on an HTTP/2 connection to the service.', {
        default: '0, what the service allows',
      }),
      http2KeepAlive: ignored(anything(), 'PING frames on HTTP/2 connections.', 'no PING is sent'),
    }),
    ['h2UpgradePolicy', 'useClientProtocol'],
    (pool, report) => {
      if (pool.h2UpgradePolicy === 'UPGRADE' && pool.useClientProtocol)
        report('PM0170', ['useClientProtocol'], 'useClientProtocol and h2UpgradePolicy UPGRADE exclude each other')
    },
  )

export const connectionPool = () =>
  withRule(
    object({
      tcp: supported(tcpPool(), 'Limits for connections.'),
      http: supported(httpPool(), 'Limits for requests.'),
    }),
    ['tcp', 'http'],
    (pool, report) => {
      if (pool.tcp === undefined && pool.http === undefined) report('PM0162', [], 'a connection pool needs tcp or http')
    },
  )
