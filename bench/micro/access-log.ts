/** Access log: a line of a request as bytes, its share of the writing included; it goes to /dev/null. */
import { Exchange } from '../../src/sidecar/exchange.ts'
import { AccessLog } from '../../src/sidecar/telemetry/access-log.ts'
import type { Case } from './case.ts'

const log = new AccessLog('/dev/null')
const exchange = Object.assign(new Exchange(), {
  startEpochMs: Date.now(),
  method: 'GET',
  path: '/version?x=1',
  httpVersion: 'HTTP/1.1',
  responseCode: 200,
  responseCodeDetails: 'via_upstream',
  bytesSent: 1024,
  durationMs: 12.9,
  upstreamServiceMs: 11.2,
  forwardedFor: '10.0.0.1',
  userAgent: 'curl/8.5.0',
  requestId: '5b1b2a0e-0000-4000-9000-000000000000',
  authority: 'checkout-service:8080',
  upstreamHost: '127.0.0.1:21001',
  clusterName: 'outbound|8080|v1|checkout-service.default.svc.cluster.local',
  upstreamLocalAddress: '127.0.0.1:40000',
  downstreamLocalAddress: '240.240.0.5:8080',
  downstreamRemoteAddress: '127.0.0.1:40001',
  routeName: 'default',
})

export const cases: Case[] = [
  {
    name: 'access log: a line',
    run: () => {
      exchange.startEpochMs++
      log.write(exchange)
    },
  },
]
