import t from 'tap'
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE } from '../../../../src/sidecar/codec/body.ts'
import { STRANGER_BUDGETS } from '../../../../src/sidecar/codec/http2/abuse.ts'
import { NO_ERROR } from '../../../../src/sidecar/codec/http2/errors.ts'
import { newPeer, pump, Recorder, sendRequest, sendResponse, sendTrailers } from './harness.ts'

t.test('a request and its answer, with body and trailers', async (t) => {
  const client = newPeer('client')
  const server = newPeer('server')
  const answer = new Recorder()
  server.events.onRequestStream = (recorder) => {
    recorder.onMessageEnd = ({ stream }) => {
      sendResponse(stream!, 200, false, [['content-type', 'text/plain']])
      stream!.sendData(Buffer.from('hello'), 0, 5)
      sendTrailers(stream!, [['grpc-status', '0']])
    }
  }
  const stream = client.session.open(answer)!
  sendRequest(stream, 'POST', '/cart', false, [['content-length', '3']])
  t.equal(stream.sendData(Buffer.from('abc'), 0, 3), true)
  stream.sendEnd()
  pump(client, server)
  const request = server.events.requests[0]!.message
  t.equal(request.method, 'POST')
  t.equal(request.path, '/cart')
  t.equal(request.authority, 'shop.test')
  t.same(request.framing, { kind: BODY_LENGTH, lengthBytes: 3 })
  t.equal(String(request.body), 'abc')
  t.equal(answer.message.status, 200)
  t.equal(answer.message.framing.kind, BODY_CHUNKED)
  t.equal(String(answer.message.body), 'hello')
  t.same(answer.message.trailers, [['grpc-status', '0']])
  t.equal(answer.message.ended, true)
  t.equal(client.session.numStreams, 0)
  t.equal(server.session.numStreams, 0)
  t.equal(client.events.closed, 1)
  t.equal(client.events.ready, 1)
  t.equal(client.events.fatal, null)
  t.equal(server.events.fatal, null)
})

t.test('a head alone ends both ways', async (t) => {
  const client = newPeer('client')
  const server = newPeer('server')
  server.events.onRequestStream = (recorder) => {
    recorder.onMessageEnd = ({ stream }) => sendResponse(stream!, 204, true)
  }
  for (let i = 0; i < 300; i++) {
    const answer = new Recorder()
    sendRequest(client.session.open(answer)!, 'GET', '/', true)
    pump(client, server)
    t.equal(answer.message.status, 204)
    t.equal(answer.message.framing.kind, BODY_NONE)
  }
})

t.test('a large body passes the windows, both ways at once', async (t) => {
  const client = newPeer('client')
  const server = newPeer('server')
  const body = Buffer.alloc(5_000_000, 'abcdefghijk')
  server.events.onRequestStream = (recorder, stream) => {
    recorder.onHeadSeen = () => {
      sendResponse(stream, 200, false)
      stream.sendData(body, 0, body.length)
      stream.sendEnd()
    }
  }
  const answers = [new Recorder(), new Recorder(), new Recorder()]
  for (const answer of answers) {
    const stream = client.session.open(answer)!
    sendRequest(stream, 'POST', '/', false)
    stream.sendData(body, 0, body.length)
    stream.sendEnd()
  }
  pump(client, server)
  for (const answer of answers) t.ok(answer.message.body.equals(body))
  for (const request of server.events.requests) t.ok(request.message.body.equals(body))
})

t.test(
  'RST_STREAM with NO_ERROR ends an answer, unless its length says that it is cut; held bytes come first',
  async (t) => {
    const client = newPeer('client', {}, { ...STRANGER_BUDGETS, peerResets: { burst: 5, perSecond: 0 } })
    const server = newPeer('server')
    const ask = (paused: boolean, ...fields: [string, string][]): Recorder => {
      const answer = new Recorder()
      answer.onHeadSeen = ({ stream }) => (paused ? stream!.pause() : undefined)
      sendRequest(client.session.open(answer)!, 'GET', '/', true)
      server.events.onRequestStream = (recorder) => {
        recorder.onMessageEnd = ({ stream }) => {
          sendResponse(stream!, 200, false, fields)
          stream!.sendData(Buffer.from('hello'), 0, 5)
          stream!.reset(NO_ERROR)
        }
      }
      pump(client, server)
      return answer
    }
    // more of them than a client might send: a server's resets are of what was asked for
    for (let i = 0; i < 20; i++) {
      const { message } = ask(false)
      t.match(message, { ended: true })
      t.equal(String(message.body), 'hello')
    }
    t.match(ask(false, ['content-length', '5']).message, { ended: true })
    t.match(ask(false, ['content-length', '6']).message, { ended: false, reset: { code: NO_ERROR, remote: true } })
    const held = ask(true)
    t.match(held.message, { ended: false })
    held.stream!.resume()
    t.match(held.message, { ended: true })
    t.equal(String(held.message.body), 'hello')
    t.equal(client.session.numStreams, 0)
    t.equal(client.events.fatal, null)
  },
)
