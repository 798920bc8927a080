/** What RFC 9113 leaves to us: writes, turns, windows, holding back, ends that cross. */
import t from 'tap'
import { MESH_PEER_BUDGETS, STRANGER_BUDGETS } from '../../../../src/sidecar/codec/http2/abuse.ts'
import {
  CANCEL,
  FLOW_CONTROL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
} from '../../../../src/sidecar/codec/http2/errors.ts'
import { CONNECT_REQUEST } from '../../../../src/sidecar/codec/http2/stream.ts'
import { GET } from './cases.ts'
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  parseFrames,
  PREFACE,
  reset,
  settings,
  T,
  u32,
  windowUpdate,
} from './frames.ts'
import { drainOutput, newPeer, type Peer, pump, Recorder, sendRequest, sendResponse, sendTrailers } from './harness.ts'

function feed({ session }: Peer, ...pieces: Buffer[]): void {
  const bytes = Buffer.concat(pieces)
  session.receive(bytes, 0, bytes.length)
}

function serverWith(...pieces: Buffer[]): Peer {
  const peer = newPeer('server')
  feed(peer, PREFACE, settings(), ...pieces)
  return peer
}

function writes({ session }: Peer): Buffer[] {
  const list: Buffer[] = []
  session.output.take((buf) => list.push(buf) > 0)
  return list
}

t.test('writes', async (t) => {
  t.test('a small response is one buffer: HEADERS, and DATA with END_STREAM', async (t) => {
    const peer = serverWith(headers(1, GET))
    writes(peer)
    const { stream } = peer.events.requests[0]!
    sendResponse(stream!, 200, false, [['content-length', '5']])
    stream!.sendData(Buffer.from('hello'), 0, 5)
    stream!.sendEnd()
    const list = writes(peer)
    t.equal(list.length, 1)
    t.same(
      parseFrames(list[0]!).map(({ type, flags }) => [type, flags]),
      [
        [T.HEADERS, END_HEADERS],
        [T.DATA, END_STREAM],
      ],
    )
    t.equal(peer.session.numStreams, 0)
  })

  t.test('an end right after the head goes with the head', async (t) => {
    const peer = serverWith(headers(1, GET))
    writes(peer)
    const { stream } = peer.events.requests[0]!
    sendResponse(stream!, 200, false)
    stream!.sendEnd()
    t.same(
      parseFrames(Buffer.concat(writes(peer))).map(({ type, flags }) => [type, flags]),
      [[T.HEADERS, END_HEADERS | END_STREAM]],
    )
  })

  t.test('an end after its DATA has left is a frame of its own', async (t) => {
    const peer = serverWith(headers(1, GET))
    const { stream } = peer.events.requests[0]!
    sendResponse(stream!, 200, false)
    stream!.sendData(Buffer.from('x'), 0, 1)
    writes(peer)
    stream!.sendEnd()
    const [last] = parseFrames(Buffer.concat(writes(peer)))
    t.same([last!.type, last!.flags, last!.payload.length], [T.DATA, END_STREAM, 0])
  })

  t.test('large DATA is copied: whoever gave it may use its buffer again', async (t) => {
    const peer = serverWith(windowUpdate(0, 1 << 20), settings(4, 1 << 20), headers(1, GET))
    writes(peer)
    const { stream } = peer.events.requests[0]!
    sendResponse(stream!, 200, false)
    const body = Buffer.alloc(64 * 1024, 'r')
    stream!.sendData(body, 0, body.length)
    body.fill('x')
    const list = writes(peer)
    t.equal(list.length, 1, 'in one piece')
    const sent = parseFrames(list[0]!).filter(({ type }) => type === T.DATA)
    t.ok(Buffer.concat(sent.map(({ payload }) => payload)).equals(Buffer.alloc(64 * 1024, 'r')), 'as it was')
  })

  t.test('END_STREAM is not lost where frames that wait move to a larger slab', async (t) => {
    const peer = serverWith(windowUpdate(0, 1 << 20), settings(4, 1 << 20), headers(1, GET), headers(3, GET))
    writes(peer)
    const [first, second] = peer.events.requests.map(({ stream }) => stream!)
    for (const stream of [first!, second!]) sendResponse(stream, 200, false)
    const body = Buffer.alloc(15 * 1024, 'r')
    first!.sendData(body, 0, body.length)
    second!.sendData(body, 0, body.length) // the first one's frame stands elsewhere now
    first!.sendEnd()
    second!.sendEnd()
    const frames = parseFrames(Buffer.concat(writes(peer)))
    for (const id of [1, 3]) {
      const own = frames.filter((f) => f.id === id)
      t.equal(own.filter((f) => (f.flags & END_STREAM) !== 0).length, 1, `stream ${id}`)
      t.equal(own.at(-1)!.flags & END_STREAM, END_STREAM)
    }
  })

  t.test('onOutput is told once per turn', async (t) => {
    const peer = serverWith(headers(1, GET), headers(3, GET))
    writes(peer)
    const before = peer.events.outputs
    for (const { stream } of peer.events.requests) sendResponse(stream!, 200, true)
    t.equal(peer.events.outputs, before + 1)
    writes(peer)
    feed(peer, frame(T.PING, 0, 0, '12345678'))
    t.equal(peer.events.outputs, before + 2)
  })

  t.test('a head over the frame size is cut into CONTINUATION', async (t) => {
    const client = newPeer('client')
    const server = newPeer('server')
    sendRequest(client.session.open(new Recorder())!, 'GET', '/', true, [
      ['x-a', 'a'.repeat(12_000)],
      ['x-b', 'b'.repeat(12_000)],
    ])
    pump(client, server)
    const [request] = server.events.requests
    t.equal(request!.message.ended, true)
    t.same(
      request!.message.fields.map(([name, value]) => [name, value.length]),
      [
        ['x-a', 12_000],
        ['x-b', 12_000],
      ],
    )
  })
})

t.test('turns', async (t) => {
  t.test('waiting streams send 16 KiB each in turn', async (t) => {
    const peer = serverWith(settings(4, 1 << 20), headers(1, GET), headers(3, GET), headers(5, GET))
    writes(peer)
    for (const { stream } of peer.events.requests) {
      sendResponse(stream!, 200, false)
      stream!.sendData(Buffer.alloc(100_000), 0, 100_000)
      stream!.sendEnd()
    }
    writes(peer)
    feed(peer, windowUpdate(0, 1 << 20))
    const order = parseFrames(Buffer.concat(writes(peer)))
      .filter(({ type }) => type === T.DATA)
      .map(({ id, payload }) => [id, payload.length])
    for (const [, bytes] of order) t.ok(bytes! <= 16_384)
    t.same(
      order.slice(1, 7).map(([id]) => id),
      [3, 5, 1, 3, 5, 1],
    )
  })

  t.test('a blocked output keeps DATA, not PING; a drain lets it go', async (t) => {
    const peer = serverWith(headers(1, GET))
    writes(peer)
    peer.session.output.blocked = true
    const request = peer.events.requests[0]!
    sendResponse(request.stream!, 200, false)
    t.equal(request.stream!.sendData(Buffer.from('later'), 0, 5), false)
    t.equal(request.stream!.queuedBytes, 5)
    feed(peer, frame(T.PING, 0, 0, '12345678'))
    t.same(
      parseFrames(drainOutput(peer.session)).map(({ type }) => type),
      [T.HEADERS, T.PING],
    )
    t.equal(request.message.drains, 0)
    peer.session.onSocketDrain()
    t.same(
      parseFrames(drainOutput(peer.session)).map(({ type }) => type),
      [T.DATA],
    )
    t.equal(request.message.drains, 1)
    t.equal(request.stream!.queuedBytes, 0)
  })

  t.test('trailers wait for the DATA before them, and keep the tables in step', async (t) => {
    const peer = serverWith(settings(4, 3), headers(1, GET), headers(3, GET))
    writes(peer)
    const [first, second] = peer.events.requests
    sendResponse(first!.stream!, 200, false, [['x-a', 'b']])
    first!.stream!.sendData(Buffer.from('abcdef'), 0, 6)
    sendTrailers(first!.stream!, [
      ['grpc-status', '0'],
      ['x-long', 'l'.repeat(300)],
    ])
    sendResponse(second!.stream!, 200, true, [['x-a', 'b']])
    const client = newPeer('client')
    const answers = [new Recorder(), new Recorder()]
    for (const answer of answers) sendRequest(client.session.open(answer)!, 'GET', '/', true)
    feed(client, settings(), drainOutput(peer.session))
    t.equal(answers[0]!.message.ended, false)
    t.equal(answers[1]!.message.ended, true)
    feed(peer, windowUpdate(1, 3))
    feed(client, drainOutput(peer.session))
    t.equal(String(answers[0]!.message.body), 'abcdef')
    t.same(answers[0]!.message.trailers, [
      ['grpc-status', '0'],
      ['x-long', 'l'.repeat(300)],
    ])
    t.same(answers[1]!.message.fields, [['x-a', 'b']])
  })
})

t.test('windows', async (t) => {
  t.test('are credited at half, grow while they are used, and stop growing', async (t) => {
    const peer = serverWith(headers(1, [[':method', 'POST'], ...GET.slice(1)], END_HEADERS))
    drainOutput(peer.session)
    let largest = 0
    let updates = 0
    for (let i = 0; i < 1000; i++) {
      feed(peer, data(1, Buffer.alloc(16_384)))
      for (const { type, id, payload } of parseFrames(drainOutput(peer.session)))
        if (type === T.WINDOW_UPDATE && id === 1) {
          updates++
          largest = Math.max(largest, payload.readUInt32BE(0))
        }
    }
    t.equal(peer.events.fatal, null)
    t.ok(updates < 60, `${updates} updates for 16 MB`)
    t.ok(largest >= 512 * 1024 && largest <= 1024 * 1024, `largest ${largest}`)
  })

  const POST: [string, string][] = [[':method', 'POST'], ...GET.slice(1)]
  const updates = (peer: Peer, id: number): number =>
    parseFrames(drainOutput(peer.session))
      .filter((f) => f.type === T.WINDOW_UPDATE && f.id === id)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)

  t.test('of streams are not credited for what is held back, and all of it comes at resume', async (t) => {
    const peer = newPeer('server')
    peer.events.onRequestStream = (_recorder, stream) => stream.pause()
    feed(peer, PREFACE, settings(), headers(1, POST, END_HEADERS))
    drainOutput(peer.session)
    for (let i = 0; i < 4; i++) feed(peer, data(1, Buffer.alloc(16_384, i), i === 3 ? END_STREAM : 0))
    t.equal(updates(peer, 1), 0)
    const request = peer.events.requests[0]!
    t.equal(request.bodyPieces.length, 0)
    t.equal(peer.session.bufferedBytes, 4 * 16_384, 'what is held is counted')
    request.stream!.resume()
    t.equal(peer.session.bufferedBytes, peer.session.output.pending)
    t.equal(request.message.ended, true)
    t.same(request.message.body, Buffer.concat(Array.from({ length: 4 }, (_, i) => Buffer.alloc(16_384, i))))
  })

  t.test('of the connection are: a hundred slow readers stop nobody else', async (t) => {
    const peer = newPeer('server', {}, MESH_PEER_BUDGETS)
    peer.events.onRequestStream = (_recorder, stream) => stream.id < 199 && stream.pause()
    feed(peer, PREFACE, settings())
    let left = 1024 * 1024
    const send = (id: number, bytes: number): void => {
      left -= bytes
      t.ok(left >= 0, 'within the window of the connection')
      feed(peer, data(id, Buffer.alloc(bytes)))
      left += updates(peer, 0)
    }
    for (let i = 0; i < 100; i++) feed(peer, headers(2 * i + 1, POST, END_HEADERS))
    for (let round = 0; round < 4; round++) for (let i = 0; i < 99; i++) send(2 * i + 1, 16_384)
    for (let i = 0; i < 100; i++) send(199, 16_384)
    t.equal(peer.events.fatal, null)
    t.equal(peer.events.requests[99]!.bodyPieces.length, 100)
  })

  t.test('of the connection are not credited over the bound, until what is held goes', async (t) => {
    const peer = newPeer('server', {}, { ...STRANGER_BUDGETS, maxHeldBytes: 64 * 1024 })
    peer.events.onRequestStream = (_recorder, stream) => stream.pause()
    feed(peer, PREFACE, settings(), ...[1, 3, 5].map((id) => headers(id, POST, END_HEADERS)))
    drainOutput(peer.session)
    for (const id of [1, 3, 5]) feed(peer, data(id, Buffer.alloc(16_384)), data(id, Buffer.alloc(16_384)))
    t.equal(peer.session.numStreams, 3)
    for (const { stream } of peer.events.requests) stream!.resume()
    for (const id of [1, 3, 5]) for (let i = 0; i < 50; i++) feed(peer, data(id, Buffer.alloc(16_384)))
    t.equal(peer.events.fatal, null)
  })

  t.test('of the connection may not be exceeded', async (t) => {
    const peer = newPeer('server', { connectionWindowBytes: 65_535 }, { ...STRANGER_BUDGETS, maxHeldBytes: 0 })
    peer.events.onRequestStream = (_recorder, stream) => stream.pause()
    feed(peer, PREFACE, settings(), ...[1, 3].map((id) => headers(id, POST, END_HEADERS)))
    for (const id of [1, 3]) for (let i = 0; i < 3; i++) feed(peer, data(id, Buffer.alloc(16_384)))
    t.equal(peer.events.fatal?.code, FLOW_CONTROL_ERROR)
  })

  t.test('that have grown shrink for a reader that is slower than its peer', async (t) => {
    const peer = serverWith(headers(1, POST, END_HEADERS))
    const { stream } = peer.events.requests[0]!
    drainOutput(peer.session)
    let left = 64 * 1024
    const fill = (most: number): number => {
      let sent = 0
      for (; left > 0 && sent < most; left += updates(peer, 1)) {
        const bytes = Math.min(left, 16_384)
        sent += bytes
        left -= bytes
        feed(peer, data(1, Buffer.alloc(bytes)))
      }
      return sent
    }
    fill(8 * 1024 * 1024)
    stream!.pause()
    t.ok(fill(Infinity) > 512 * 1024, 'it had grown')
    for (let i = 0; i < 5; i++) {
      stream!.resume()
      left += updates(peer, 1)
      stream!.pause()
      fill(Infinity)
    }
    stream!.resume()
    left += updates(peer, 1)
    stream!.pause()
    t.ok(fill(Infinity) <= 64 * 1024, 'it is as small as at first')
  })

  t.test('of many streams do not grow beyond what may be held together', async (t) => {
    const peer = newPeer('server', {}, MESH_PEER_BUDGETS)
    feed(peer, PREFACE, settings())
    const ids = Array.from({ length: 90 }, (_, i) => 2 * i + 1)
    for (const id of ids) feed(peer, headers(id, POST, END_HEADERS))
    drainOutput(peer.session)
    let granted = ids.length * 64 * 1024
    for (let round = 0; round < 200; round++)
      for (const id of ids) {
        feed(peer, data(id, Buffer.alloc(16_384)))
        granted += updates(peer, id) - 16_384
      }
    t.ok(granted > 10 * 1024 * 1024 && granted <= MESH_PEER_BUDGETS.maxHeldBytes, `${granted} bytes`)
  })

  t.test('a client with many slow readers asks for another connection, until they have read', async (t) => {
    const client = newPeer('client', {}, { ...STRANGER_BUDGETS, maxHeldBytes: 100_000 })
    const stream = client.session.open(new Recorder())!
    sendRequest(stream, 'GET', '/', true)
    stream.pause()
    feed(client, settings(), headers(1, [[':status', '200']], END_HEADERS))
    for (let i = 0; i < 4; i++) feed(client, data(1, Buffer.alloc(16_384)))
    t.equal(client.session.canOpen, false)
    t.equal(client.events.closed, 0)
    stream.resume()
    t.equal(client.session.canOpen, true)
    t.equal(client.events.closed, 1, 'and says so')
  })

  t.test('one-byte frames that are held cost no more than their bytes', async (t) => {
    const peer = newPeer('server')
    peer.events.onRequestStream = (_recorder, stream) => stream.pause()
    feed(peer, PREFACE, settings(), headers(1, [[':method', 'POST'], ...GET.slice(1)], END_HEADERS))
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => data(1, 'x')))
    for (let i = 0; i < 60; i++) feed(peer, flood)
    const request = peer.events.requests[0]!
    request.stream!.resume()
    t.ok(request.bodyPieces.length < 30, `${request.bodyPieces.length} pieces`)
    t.equal(
      request.bodyPieces.reduce((sum, { length }) => sum + length, 0),
      60_000,
    )
  })

  t.test('a pause in the middle loses nothing', async (t) => {
    const client = newPeer('client')
    const server = newPeer('server')
    const body = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 31) & 0xff))
    let seen = 0
    server.events.onRequestStream = (recorder, stream) => {
      const onData = recorder.onData.bind(recorder)
      recorder.onData = (...args) => {
        onData(...args)
        if (++seen % 3 === 0) stream.pause()
      }
    }
    const stream = client.session.open(new Recorder())!
    sendRequest(stream, 'POST', '/', false)
    stream.sendData(body, 0, body.length)
    stream.sendEnd()
    for (let i = 0; i < 200; i++) {
      pump(client, server, () => 5000)
      const [request] = server.events.requests
      if (!request!.message.ended) request!.stream!.resume()
    }
    t.ok(server.events.requests[0]!.message.body.equals(body))
  })
})

t.test('ends', async (t) => {
  t.test('an answer that came whole outlives the RST_STREAM(NO_ERROR) after it', async (t) => {
    const client = newPeer('client')
    const answer = new Recorder()
    const stream = client.session.open(answer)!
    sendRequest(stream, 'POST', '/', false)
    stream.pause()
    feed(
      client,
      settings(),
      headers(1, [[':status', '413']], END_HEADERS),
      data(1, 'too long', END_STREAM),
      reset(1, NO_ERROR),
    )
    t.equal(answer.message.ended, false)
    t.equal(client.session.numStreams, 0)
    stream.resume()
    t.equal(String(answer.message.body), 'too long')
    t.same(answer.message.reset, { code: NO_ERROR, remote: true })
  })

  t.test('a RST_STREAM that ended an answer is not answered by another one', async (t) => {
    const client = newPeer('client')
    const answer = new Recorder()
    const stream = client.session.open(answer)!
    answer.onMessageEnd = () => stream.reset(NO_ERROR)
    sendRequest(stream, 'POST', '/', false)
    drainOutput(client.session)
    feed(client, settings(), headers(1, [[':status', '413']], END_HEADERS), data(1, 'too long'), reset(1, NO_ERROR))
    t.equal(String(answer.message.body), 'too long')
    t.notOk(parseFrames(drainOutput(client.session)).some(({ type }) => type === T.RST_STREAM))
    t.equal(client.session.numStreams, 0)
  })

  t.test('an extended CONNECT that is refused has a plain answer, of the length it says', async (t) => {
    for (const [length, trailers] of [
      [9, false],
      [3, true],
    ] as const) {
      const client = newPeer('client')
      const answer = new Recorder()
      const stream = client.session.open(answer)!
      stream.requestKind = CONNECT_REQUEST
      sendRequest(stream, 'CONNECT', '/', false)
      const head = headers(
        1,
        [
          [':status', '403'],
          ['content-length', String(length)],
        ],
        END_HEADERS,
      )
      const end = trailers ? headers(1, [['x-sum', '1']]) : data(1, '', END_STREAM)
      feed(client, settings(), head, data(1, 'no!'), end)
      t.same(answer.message.reset, trailers ? null : { code: PROTOCOL_ERROR, remote: false })
      t.equal(answer.message.ended, trailers)
    }
  })

  t.test('GOAWAY refuses the streams above its last one, and no other is opened', async (t) => {
    const client = newPeer('client')
    const answers = [new Recorder(), new Recorder(), new Recorder()]
    for (const answer of answers) sendRequest(client.session.open(answer)!, 'GET', '/', true)
    const late = new Recorder()
    const unsent = client.session.open(late)!
    feed(client, settings(), frame(T.GOAWAY, 0, 0, u32(3, 0)))
    t.same(answers[2]!.message.reset, { code: REFUSED_STREAM, remote: true })
    t.equal(client.session.canOpen, false)
    t.equal(client.session.isDraining, true)
    t.equal(client.session.open(new Recorder()), null)
    sendRequest(unsent, 'GET', '/', true)
    t.same(late.message.reset, { code: REFUSED_STREAM, remote: true })
    feed(client, headers(1, [[':status', '200']]), headers(3, [[':status', '200']]))
    t.equal(answers[0]!.message.status, 200)
    t.equal(answers[1]!.message.status, 200)
    t.equal(client.session.numStreams, 0)
    t.same(client.events.goaways, [{ last: 3, code: 0 }])
  })

  t.test('a graceful shutdown takes what is on its way, and then no more', async (t) => {
    const peer = serverWith(headers(1, GET))
    drainOutput(peer.session)
    peer.session.shutdown()
    feed(peer, headers(3, GET))
    peer.session.finishShutdown()
    feed(peer, headers(5, GET))
    t.equal(peer.events.requests.length, 2)
    const frames = parseFrames(drainOutput(peer.session))
    t.same(
      frames.filter(({ type }) => type === T.GOAWAY).map(({ payload }) => payload.readUInt32BE(0)),
      [0x7f_ff_ff_ff, 3],
    )
    t.same(
      frames.filter(({ type }) => type === T.RST_STREAM).map(({ id, payload }) => [id, payload.readUInt32BE(0)]),
      [[5, REFUSED_STREAM]],
    )
    for (const { stream } of peer.events.requests) sendResponse(stream!, 200, true)
    t.equal(peer.session.numStreams, 0)
  })

  t.test('destroy ends all streams with its code', async (t) => {
    const peer = serverWith(headers(1, GET), headers(3, GET))
    peer.session.destroy(2)
    for (const { message } of peer.events.requests) t.same(message.reset, { code: 2, remote: false })
    t.equal(peer.session.numStreams, 0)
    feed(peer, headers(5, GET))
    t.equal(peer.events.requests.length, 2)
    t.equal(peer.events.fatal, null)
  })

  t.test('our own reset tells the peer, and nothing comes after it', async (t) => {
    const client = newPeer('client')
    const server = newPeer('server')
    const answer = new Recorder()
    const stream = client.session.open(answer)!
    sendRequest(stream, 'POST', '/', false)
    pump(client, server)
    const request = server.events.requests[0]!
    sendResponse(request.stream!, 200, false)
    request.stream!.sendData(Buffer.alloc(9000), 0, 9000)
    stream.reset(CANCEL)
    stream.reset(CANCEL)
    stream.sendEnd()
    pump(client, server)
    t.same(request.message.reset, { code: CANCEL, remote: true })
    t.same([answer.message.reset, answer.message.ended, answer.message.status], [null, false, 0])
    t.equal(client.session.numStreams + server.session.numStreams, 0)
    const next = new Recorder()
    server.events.onRequestStream = (recorder, stream) =>
      (recorder.onMessageEnd = () => sendResponse(stream, 204, true))
    sendRequest(client.session.open(next)!, 'GET', '/', true)
    pump(client, server)
    t.equal(next.message.status, 204)
  })

  t.test('PING of ours', async (t) => {
    const client = newPeer('client')
    const server = newPeer('server')
    client.session.ping()
    t.equal(client.session.isPingPending, true)
    pump(client, server)
    t.equal(client.session.isPingPending, false)
  })
})
