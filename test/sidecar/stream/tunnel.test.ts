/** Opaque TCP whose two ways have ended. */
import net from 'node:net'
import t from 'tap'
import { EXTENSION, pack } from '../../../src/xds/type-urls.ts'
import { createPlane, listen, NO_CREDENTIALS, staticCluster, tcpListener } from '../../helpers/data-plane.ts'
import { ManualClock } from '../../helpers/manual-clock.ts'
import { eventually, settled, Wire } from '../listener/front.ts'

t.test('what a client does not take after both ends has its time, and then goes', async (t) => {
  for (const [takesIt, idleTimeout] of [
    [true, { seconds: 3600 }],
    [false, { seconds: 3600 }],
    [false, { seconds: 0 }],
  ] as const) {
    const sockets: net.Socket[] = []
    const app = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on('error', () => {}).resume())
    })
    const clock = new ManualClock()
    const { plane, port, records } = createPlane('client', NO_CREDENTIALS, { clock })
    plane.setClusters([staticCluster('db', await listen(app))])
    const proxy = { name: 'tcp', typedConfig: pack(EXTENSION.tcpProxy, { cluster: 'db', idleTimeout }) }
    const filterChains = [{ filters: [proxy] }]
    t.same(await plane.setListeners([{ ...tcpListener('db', 'db'), filterChains }]), [])
    t.teardown(async () => {
      await plane.drain(0)
      app.close()
    })
    const wire = new Wire(t, port('db'))
    wire.socket.pause()
    await eventually(() => sockets.length === 1)
    const server = sockets[0]!
    let bytes = 0
    while (plane.bufferedBytes() === 0) {
      server.write(Buffer.alloc(16_384))
      bytes += 16_384
      await settled(() => server.writableLength + plane.bufferedBytes())
    }
    server.end()
    wire.socket.end()
    await settled(() => plane.bufferedBytes())
    const open = (): number => plane.listenerStats()[0]!.connections
    t.equal(open(), 1)
    if (takesIt) {
      wire.socket.resume()
      await wire.end()
      t.equal(wire.text.length, bytes)
    } else for (let i = 0; i < 11; i++) clock.advance(60_000)
    t.match(await records.at(0), { connectionTerminationDetails: takesIt ? '' : 'idle_timeout', responseFlags: '' })
    await eventually(() => open() === 0)
  }
})
