import { homeLayout } from '../../src/lib/home.ts'
import t from 'tap'

t.test('a deep home keeps its sockets in a short folder outside', async (t) => {
  const home = homeLayout(`/tmp/${'deep/'.repeat(30)}`)
  t.ok(Buffer.byteLength(home.controlSocket) < 104)
  t.notOk(home.controlSocket.startsWith(home.dir))
})

t.test('an ordinary home keeps them inside', async (t) => {
  const home = homeLayout('/tmp/mesh')
  t.equal(home.controlSocket, '/tmp/mesh/run/control.sock')
})
