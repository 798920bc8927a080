import { statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { AdminServer, type AdminSource } from '../../../src/sidecar/admin/server.ts'
import { world } from '../../control/xds-server/rig.ts'

const all = world()
const state = { missing: ['a certificate'], drained: 0, quits: 0 }
const source: AdminSource = {
  nodeId: 'sidecar~127.0.0.1~a.default~default.svc.cluster.local',
  startedAtEpochMs: Date.now() - 5000,
  missing: () => state.missing,
  draining: () => state.drained > 0,
  held: (type) => all[type].values(),
  clusterStats: () => [
    {
      name: 'outbound|80||a',
      lbPolicy: 'ROUND_ROBIN',
      endpoints: [{ address: '127.0.0.1:2000', activeConnections: 1, healthy: true }],
    },
  ],
  listenerStats: () => [{ name: 'inbound', address: '127.0.0.1:1', connections: 3 }],
  bufferedBytes: () => 77,
  certificates: () => ({ certificates: [{ serial: '1f' }] }),
  prometheus: async () => '# HELP x\n',
  ads: () => ({ connected: true, streams: 1, responses: 2, nacks: 0, lastError: '' }),
  drain: () => void state.drained++,
  appProbes: {},
  quit: () => void state.quits++,
}

t.test('paths of the admin interface', async (t) => {
  const socket = join(t.testdir(), 'admin.sock')
  writeFileSync(socket, 'left behind')
  const admin = new AdminServer(socket, source)
  await admin.start()
  t.teardown(() => admin.close())
  t.equal(statSync(socket).mode & 0o777, 0o600)
  const call = (path: string, method = 'GET') =>
    new Promise<[number, string]>((resolve, reject) => {
      const r = request({ socketPath: socket, path, method }, (response) => {
        let body = ''
        response.on('data', (chunk) => (body += String(chunk)))
        response.on('end', () => resolve([response.statusCode ?? 0, body]))
      })
      r.on('error', reject).end()
    })
  const rows: [string, string, number, RegExp][] = [
    ['GET', '/ready', 503, /^PRE_INITIALIZING: waiting for a certificate\n$/],
    ['GET', '/nothing', 404, /\/config_dump/],
    ['POST', '/ready', 405, /takes GET/],
    ['GET', '/quitquitquit', 405, /takes POST/],
    [
      'GET',
      '/config_dump',
      200,
      /ClustersConfigDump[^]*"name": "c1"[^]*EndpointsConfigDump[^]*ListenersConfigDump[^]*RoutesConfigDump/,
    ],
    [
      'GET',
      '/config_dump?resource=routes',
      200,
      /^{\n "configs": \[\n {2}{\n {3}"@type": "type.googleapis.com\/envoy.admin.v3.RoutesConfigDump"/,
    ],
    ['GET', '/config_dump?resource=x', 400, /one of clusters/],
    [
      'GET',
      '/clusters',
      200,
      /^outbound\|80\|\|a::lbPolicy::ROUND_ROBIN\noutbound\|80\|\|a::127.0.0.1:2000::activeConnections::1\n/,
    ],
    ['GET', '/clusters?format=json', 200, /"clusterStatuses"/],
    ['GET', '/listeners', 200, /^inbound::127.0.0.1:1\n$/],
    ['GET', '/certs', 200, /"1f"/],
    [
      'GET',
      '/stats',
      200,
      /^cluster.outbound\|80\|\|a.endpoints.127.0.0.1:2000.activeConnections: 1\n[^]*server.live: 0\n[^]*server.uptime: \d/,
    ],
    ['GET', '/stats/prometheus', 200, /^# HELP x/],
    ['GET', '/server_info', 200, /"state": "PRE_INITIALIZING"/],
  ]
  for (const [method, path, status, body] of rows) {
    const [gotStatus, gotBody] = await call(path, method)
    t.equal(gotStatus, status, `${method} ${path}`)
    t.match(gotBody, body, `${method} ${path}`)
  }
  state.missing = []
  t.same(await call('/ready'), [200, 'LIVE\n'])
  t.same(await call('/drain_listeners', 'POST'), [200, 'OK\n'])
  t.same(await call('/ready'), [503, 'DRAINING\n'])
  await call('/quitquitquit', 'POST')
  t.same([state.drained, state.quits], [1, 1])
})
