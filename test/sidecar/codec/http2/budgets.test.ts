/** What a peer may cost us, by whom it is, and with time. */
import t from 'tap'
import { MESH_PEER_BUDGETS } from '../../../../src/sidecar/codec/http2/abuse.ts'
import { CANCEL } from '../../../../src/sidecar/codec/http2/errors.ts'
import { GET } from './cases.ts'
import { headers, PREFACE, reset, settings } from './frames.ts'
import { newPeer, type Peer, pump, Recorder, sendRequest } from './harness.ts'

function feed({ session }: Peer, ...pieces: Buffer[]): void {
  const bytes = Buffer.concat(pieces)
  session.receive(bytes, 0, bytes.length)
}

t.test('budgets', async (t) => {
  t.test('5,000 cancelled calls pass over one link of the mesh', async (t) => {
    const client = newPeer('client', {}, MESH_PEER_BUDGETS)
    const server = newPeer('server', {}, MESH_PEER_BUDGETS)
    for (let i = 0; i < 5000; i += 50) {
      const streams = Array.from({ length: 50 }, () => {
        const stream = client.session.open(new Recorder())!
        sendRequest(stream, 'POST', '/grpc', false)
        return stream
      })
      if (i % 100 === 0) pump(client, server)
      for (const stream of streams) stream.reset(CANCEL)
      pump(client, server)
    }
    t.equal(server.events.requests.length, 5000)
    t.equal(server.events.fatal, null)
    t.equal(client.events.fatal, null)
    t.equal(server.session.numStreams, 0)
  })

  t.test('a server may reset what its client resets at the same time, as after a deadline of both', async (t) => {
    const client = newPeer('client')
    const server = newPeer('server', {}, MESH_PEER_BUDGETS)
    for (let i = 0; i < 1500; i++) {
      const stream = client.session.open(new Recorder())!
      sendRequest(stream, 'POST', '/grpc', false)
      pump(client, server)
      const { id } = stream
      stream.reset(CANCEL)
      feed(client, reset(id))
      pump(client, server)
    }
    t.equal(client.events.fatal, null)
    for (let i = 0; i < 1001; i++) feed(client, reset(1)) // once each
    t.equal(client.events.fatal?.code, 11)
  })

  t.test('streams that come and are reset in one read are taken in turns, all of them', async (t) => {
    const peer = newPeer('server')
    feed(peer, PREFACE, settings())
    const flood = Array.from({ length: 100 }, (_, i) => [headers(2 * i + 1, GET), reset(2 * i + 1)]).flat()
    const bytes = Buffer.concat([...flood, headers(201, GET)])
    const counts: number[] = []
    for (let at = 0; at < bytes.length; counts.push(peer.events.requests.length))
      at = peer.session.receiveSome(bytes, at, bytes.length)
    t.same(counts, [33, 66, 99, 101])
    t.same(
      peer.events.requests.map(({ message }) => message.reset?.code),
      [...Array(100).fill(CANCEL), undefined],
    )
  })

  t.test('those who open a hundred streams and reset none have one turn', async (t) => {
    const peer = newPeer('server')
    const bytes = Buffer.concat([
      PREFACE,
      settings(),
      ...Array.from({ length: 100 }, (_, i) => headers(2 * i + 1, GET)),
    ])
    t.equal(peer.session.receiveSome(bytes, 0, bytes.length), bytes.length)
    t.equal(peer.events.requests.length, 100)
  })

  t.test('a budget fills up again with time', async (t) => {
    let nowMs = 0
    const peer = newPeer('server', {}, undefined, () => nowMs)
    feed(peer, PREFACE, settings())
    let id = 1
    const cancel = (n: number): void => {
      for (let i = 0; i < n; i++, id += 2) feed(peer, headers(id, GET), reset(id))
    }
    cancel(1000)
    t.equal(peer.events.fatal, null)
    nowMs += 1000
    cancel(33)
    t.equal(peer.events.fatal, null)
    cancel(1)
    t.equal(peer.events.fatal?.code, 11)
  })
})
