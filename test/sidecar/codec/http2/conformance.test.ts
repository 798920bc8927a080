import t from 'tap'
import { CONNECT_REQUEST, HEAD_REQUEST } from '../../../../src/sidecar/codec/http2/stream.ts'
import type { ConformanceCase } from './cases.ts'
import { CONFORMANCE } from './conformance.ts'
import { frame, parseFrames, PREFACE, settings, T } from './frames.ts'
import { judge, LAST_PING } from './judge.ts'
import { drainOutput, newPeer, type Peer, Recorder, sendRequest, sendResponse } from './harness.ts'

/** The application of the table's first comment. */
function serve({ events }: Peer): void {
  events.onRequestStream = (recorder, stream) => {
    recorder.onHeadSeen = ({ message }) => {
      if (message.path === '/hold') stream.pause()
    }
    recorder.onMessageEnd = ({ message }) => {
      const bytes = /^\/bytes\/(\d+)$/.exec(message.path)?.[1]
      if (message.path === '/never') return
      sendResponse(stream, 200, bytes === undefined)
      if (bytes === undefined) return
      if (Number(bytes) > 0) stream.sendData(Buffer.alloc(Number(bytes), 'x'), 0, Number(bytes))
      stream.sendEnd()
    }
  }
}

/** Plays one case; `pieceBytes`: how the input is cut. Returns what the session under test sent. */
function play(c: ConformanceCase, pieceBytes: number): Buffer {
  const peer = newPeer(c.role, { enableConnectProtocol: c.connectProtocol === true })
  const output: Buffer[] = []
  if (c.role === 'server') serve(peer)
  else {
    for (const method of c.opens ?? ['GET']) {
      const stream = peer.session.open(new Recorder())!
      stream.requestKind = method === 'HEAD' ? HEAD_REQUEST : method === 'CONNECT' ? CONNECT_REQUEST : 0
      sendRequest(stream, method, '/', true)
    }
  }
  output.push(drainOutput(peer.session))
  const before = c.raw ? [] : c.role === 'server' ? [PREFACE, settings()] : [settings()]
  const input = Buffer.concat([...before, ...c.input, frame(T.PING, 0, 0, LAST_PING)])
  for (let at = 0; at < input.length; at += pieceBytes) {
    const piece = Buffer.from(input.subarray(at, at + pieceBytes))
    peer.session.receive(piece, 0, piece.length)
    piece.fill(0xee)
    output.push(drainOutput(peer.session))
  }
  return Buffer.concat(output)
}

const withoutPreface = (c: ConformanceCase, output: Buffer): Buffer =>
  c.role === 'client' ? output.subarray(PREFACE.length) : output

t.test('there are enough cases, and each has a name of its own', async (t) => {
  t.ok(CONFORMANCE.length >= 150, `${CONFORMANCE.length} cases`)
  const names = CONFORMANCE.map((c) => `${c.role} ${c.section} ${c.title}`)
  t.same(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  )
})

for (const c of CONFORMANCE) {
  t.test(`${c.section} (${c.role}) ${c.title}`, async (t) => {
    const whole = play(c, 1 << 30)
    t.equal(judge(parseFrames(withoutPreface(c, whole)), c.expect), null)
    const size = c.input.reduce((sum, { length }) => sum + length, 0)
    const pieces = size < 3000 ? [1, 2, 3, 5, 7, 8, 9, 10, 13, 64] : [size < 100_000 ? 7 : 1013]
    for (const piece of pieces)
      t.equal(judge(parseFrames(withoutPreface(c, play(c, piece))), c.expect), null, `in pieces of ${piece}`)
  })
}
