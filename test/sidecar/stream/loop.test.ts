/** A proxy whose routes lead back to itself. */
import net from 'node:net'
import t from 'tap'
import { createPlane, exchangeBytes, speaking, staticCluster, tcpListener } from '../../helpers/data-plane.ts'
import { eventually, front, get } from '../listener/front.ts'

t.test('a request that goes round is answered 508 after ten proxies, over either version of HTTP', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    const { http: port, plane, records } = await front(t, (_req, res) => void res.end('not me'))
    plane.setClusters([speaking(version, staticCluster('app', port))])
    const text = await exchangeBytes(port, get('/', 'Connection: close\r\n'))
    t.match(text, /^HTTP\/1\.1 508 Loop Detected\r\n[^]*loop detected$/)
    await records.at(10)
    t.same(
      records.ended.map((x) => x.responseCode),
      Array(11).fill(508),
    )
    t.match(records.ended[0], { responseCodeDetails: 'loop_detected', hops: 11 })
    const [cluster] = plane.clusterStats()
    t.equal(cluster!.endpoints[0]!.activeRequests, 0)
  }
})

t.test('bytes that go round are cut at the limit of connections, all of them', async (t) => {
  const { plane, port, records } = createPlane()
  t.same(await plane.setListeners([tcpListener('tcp', 'self')]), [])
  t.teardown(() => plane.drain(0))
  const limit = { thresholds: [{ maxConnections: { value: 20 } }] }
  plane.setClusters([{ ...staticCluster('self', port('tcp')), circuitBreakers: limit }])
  const socket = net.connect(port('tcp'), '127.0.0.1').on('error', () => {})
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write('round and round')
  await closed
  await eventually(() => records.ended.length === 21 && plane.listenerStats()[0]!.connections === 0)
  t.match(
    records.ended.map((x) => x.responseFlags),
    ['UO', ...Array<string>(20).fill('UC')],
  )
})
