import t from 'tap'
import { Head } from '../../../../src/sidecar/codec/head.ts'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import { CONNECT_REQUEST, HEAD_REQUEST } from '../../../../src/sidecar/codec/http2/stream.ts'
import { CONFORMANCE, type ConformanceCase, type Expectation } from './conformance.ts'
import { ACK, END_STREAM, frame, type Frame, parseFrames, PREFACE, settings, T } from './frames.ts'
import { drainOutput, newPeer, type Peer, Recorder, sendRequest, sendResponse } from './harness.ts'

/** Closes the question whether a connection still lives. */
const LAST_PING = 'arethere'

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

/** What is wrong with `frames`, or null. */
function judge(frames: Frame[], expect: Expectation): string | null {
  const goaway = frames.find(({ type }) => type === T.GOAWAY)
  const goawayCode = goaway?.payload.readUInt32BE(4)
  const resets = frames.filter(({ type }) => type === T.RST_STREAM)
  const resetOf = (id: number): number | undefined => resets.find((f) => f.id === id)?.payload.readUInt32BE(0)
  const alive = frames.some(
    ({ type, flags, payload }) => type === T.PING && flags === ACK && payload.toString() === LAST_PING,
  )
  if (expect.kind === 'connection') {
    if (expect.orReset !== undefined && expect.codes.includes(resetOf(expect.orReset) ?? -1)) return null
    if (goawayCode === undefined) return 'no GOAWAY'
    return expect.codes.includes(goawayCode) ? null : `GOAWAY ${goawayCode}`
  }
  if (goawayCode !== undefined) return `GOAWAY ${goawayCode} ${goaway!.payload.toString('latin1', 8)}`
  if (!alive) return 'no answer to the last PING'
  if (expect.kind === 'stream') {
    const code = resetOf(expect.id)
    if (code === undefined) return 'no RST_STREAM'
    return expect.codes.includes(code) ? null : `RST_STREAM ${code}`
  }
  if (expect.kind === 'answered') {
    const status = statusOf(frames, expect.id)
    return status === expect.status ? null : `answered ${status}, reset ${resetOf(expect.id)}`
  }
  if (resets.length > 0) return `RST_STREAM ${resetOf(resets[0]!.id)} on ${resets[0]!.id}`
  if (expect.kind === 'bytes') {
    const all = frames.filter(({ type, id }) => type === T.DATA && id === expect.id)
    const bytes = all.reduce((sum, { payload }) => sum + payload.length, 0)
    const ends = all.some(({ flags }) => (flags & END_STREAM) !== 0)
    return bytes === expect.bytes && ends === expect.ends ? null : `${bytes} bytes, end ${ends}`
  }
  if (expect.kind === 'pong') {
    const found = frames.some(
      ({ type, flags, payload }) => type === T.PING && flags === ACK && payload.toString('latin1') === expect.payload,
    )
    return found ? null : 'PING was not answered'
  }
  return null
}

function statusOf(frames: Frame[], id: number): number {
  const decoder = new HpackDecoder(65_536)
  const head = new Head()
  let status = 0
  for (const { type, id: at, payload } of frames) {
    if (type !== T.HEADERS) continue
    decoder.decode(payload, 0, payload.length, head, 'response', 65_536)
    if (at === id) status = head.status
  }
  return status
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
