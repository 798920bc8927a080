/** Routing: the host by name among many, then a dozen prefixes that do not match before the one that does. */
import { Clusters } from '../../src/sidecar/cluster/clusters.ts'
import { HeadReader } from '../../src/sidecar/codec/http1/head.ts'
import { Exchange } from '../../src/sidecar/exchange.ts'
import { compileRoutes } from '../../src/sidecar/route/compile.ts'
import { findRoute } from '../../src/sidecar/route/table.ts'
import type { Case } from './case.ts'

const HOSTS = 30
const PREFIXES = Array.from({ length: 12 }, (_, i) => `/api/v1/section-${i}/`)

const table = compileRoutes(
  {
    name: 'bench',
    virtualHosts: Array.from({ length: HOSTS }, (_, i) => ({
      name: `host-${i}`,
      domains: [`service-${i}`, `service-${i}:8080`, `service-${i}.default.svc.cluster.local`],
      routes: [...PREFIXES, '/'].map((prefix) => ({ match: { prefix }, route: { cluster: `cluster-${i}` } })),
    })),
  },
  new Clusters(),
)

const reader = new HeadReader('request')
const bytes = Buffer.from('GET /items?x=1 HTTP/1.1\r\nhost: service-17:8080\r\n\r\n')
reader.read(bytes, 0, bytes.length)
const exchange = Object.assign(new Exchange(), { method: 'GET', path: '/items?x=1', authority: 'service-17:8080' })

export const cases: Case[] = [
  { name: `route: host among ${HOSTS * 3} names`, run: () => void table.virtualHost(exchange.authority) },
  {
    name: 'route: host, then the 13th of 13 prefixes',
    run: () => {
      const host = table.virtualHost(exchange.authority)
      if (host === undefined || findRoute(host, exchange, reader.head) === undefined) throw new Error('no route')
    },
  },
]
