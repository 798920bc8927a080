import t from 'tap'
import { GET, POST } from './cases.ts'
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  PADDED,
  PREFACE,
  reset,
  settings,
  T,
  u32,
  windowUpdate,
} from './frames.ts'
import { drainOutput, newPeer, Recorder, sendRequest, sendResponse, type SessionRecorder } from './harness.ts'

const SERVER_STREAMS: Record<string, Buffer[]> = {
  'requests with bodies, padding and trailers': [
    PREFACE,
    settings(1, 4096, 4, 70_000),
    headers(1, GET),
    headers(3, [...POST, ['content-length', '6']], END_HEADERS),
    data(3, 'abc'),
    frame(T.PING, 0, 0, '01234567'),
    data(3, '\x02def\0\0', PADDED),
    headers(3, [['x-sum', '9']], END_STREAM),
    frame(T.CONTINUATION, END_HEADERS, 3, Buffer.from([0, 1, 0x7a, 1, 0x7a])),
    windowUpdate(0, 1000),
  ],
  'faults of streams and an unknown frame': [
    PREFACE,
    settings(),
    headers(1, [...GET, ['Upper', 'x']]),
    frame(0xee, 0xff, 1, 'whatever this is'),
    headers(3, POST, END_HEADERS),
    data(3, 'xyz'),
    reset(3, 8),
    headers(5, [...POST, ['content-length', '1']], END_HEADERS),
    data(5, 'too much', END_STREAM),
    headers(7, GET),
  ],
  'a fault of the connection': [PREFACE, settings(), headers(1, GET), windowUpdate(0, 0), headers(3, GET)],
}

const CLIENT_STREAMS: Record<string, Buffer[]> = {
  'responses with interims, bodies and trailers': [
    settings(3, 7),
    headers(
      1,
      [
        [':status', '103'],
        ['link', '</x>'],
      ],
      END_HEADERS,
    ),
    headers(
      1,
      [
        [':status', '200'],
        ['content-length', '5'],
      ],
      END_HEADERS,
    ),
    data(1, 'he'),
    headers(3, [[':status', '404']]),
    data(1, 'llo'),
    headers(1, [['grpc-status', '0']]),
    frame(T.GOAWAY, 0, 0, Buffer.concat([u32(3, 0), Buffer.from('so long')])),
  ],
}

/** All that a session told and sent, with the body's pieces joined. */
function playServer(pieces: Buffer[]): unknown {
  const peer = newPeer('server')
  peer.events.onRequestStream = (recorder, stream) => {
    recorder.onMessageEnd = () => {
      sendResponse(stream, 200, false, [['x-test', 'y']])
      stream.sendData(Buffer.from('body'), 0, 4)
      stream.sendEnd()
    }
  }
  const output = feed(peer, pieces)
  return {
    output,
    events: eventsOf(peer.events),
  }
}

function playClient(pieces: Buffer[]): unknown {
  const peer = newPeer('client')
  const answers = [new Recorder(), new Recorder()]
  for (const answer of answers) sendRequest(peer.session.open(answer)!, 'GET', '/', true)
  const output = feed(peer, pieces)
  return { output, answers: answers.map((r) => r.message), events: eventsOf(peer.events) }
}

function eventsOf({ ready, goaways, fatal, closed, requests }: SessionRecorder): unknown {
  return { ready, goaways, fatal, closed, requests: requests.map((r) => r.message) }
}

function feed(peer: ReturnType<typeof newPeer>, pieces: Buffer[]): string {
  for (const piece of pieces) {
    const copy = Buffer.from(piece)
    peer.session.receive(copy, 0, copy.length)
    copy.fill(0xee)
  }
  return drainOutput(peer.session).toString('hex')
}

function allSplits(streams: Record<string, Buffer[]>, play: (pieces: Buffer[]) => unknown): void {
  for (const [name, parts] of Object.entries(streams)) {
    t.test(`${name}: the same events for every split`, async (t) => {
      const bytes = Buffer.concat(parts)
      const whole = play([bytes])
      for (let at = 1; at < bytes.length; at++)
        t.same(play([bytes.subarray(0, at), bytes.subarray(at)]), whole, `at ${at}`)
      t.same(play([...bytes].map((byte) => Buffer.from([byte]))), whole, 'byte by byte')
    })
  }
}

allSplits(SERVER_STREAMS, playServer)
allSplits(CLIENT_STREAMS, playClient)
