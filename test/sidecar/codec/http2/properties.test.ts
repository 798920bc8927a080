/** What holds for all inputs: nothing throws or hangs, memory stays bounded, two sessions carry whatever is asked. */
import * as fc from 'fast-check'
import t from 'tap'
import { STRANGER_BUDGETS } from '../../../../src/sidecar/codec/http2/abuse.ts'
import { block, frame, PREFACE, settings, u32 } from './frames.ts'
import { drainOutput, newPeer, pump, Recorder, sendRequest, sendResponse, sendTrailers } from './harness.ts'

const SEED = { seed: 20_261 }

const requestBlock = block([':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'])
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(requestBlock),
  fc.constant(block([':status', '200'])),
  fc.constant(block(['x', 'y'])),
  fc.constant(Buffer.alloc(0)),
  fc.constantFrom(0, 1, 5, 0x7f_ff_ff_ff).map((n) => u32(n)),
  fc.constant(Buffer.alloc(8, 'p')),
  fc.tuple(fc.nat(9), fc.nat({ max: 70_000 })).map(([id, value]) => {
    const entry = Buffer.alloc(6)
    entry.writeUInt16BE(id, 0)
    entry.writeUInt32BE(value, 2)
    return entry
  }),
)
const anyFrame = fc
  .tuple(
    fc.nat(11),
    fc.constantFrom(0, 1, 4, 5, 8, 9, 13, 0x20, 0x25, 0xff),
    fc.constantFrom(0, 1, 1, 3, 3, 5, 2, 7),
    payload,
  )
  .map(([type, flags, id, bytes]) => frame(type, flags, id, bytes))

t.test('random frames never throw, and what waits stays bounded', async (t) => {
  for (const role of ['server', 'client'] as const) {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 60 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(3),
        (list, piece, mood) => {
          const peer = newPeer(role)
          peer.events.onRequestStream = (recorder, stream) => {
            if (mood === 0) stream.pause()
            recorder.onMessageEnd = () => {
              sendResponse(stream, 200, mood === 1)
              if (mood !== 1) {
                stream.sendData(Buffer.alloc(10_000), 0, 10_000)
                sendTrailers(stream, [['x', 'y']])
              }
            }
          }
          if (role === 'client')
            for (let i = 0; i < 3; i++) sendRequest(peer.session.open(new Recorder())!, 'POST', '/', i === 0)
          const bytes = Buffer.concat([...(role === 'server' ? [PREFACE] : []), settings(), ...list])
          for (let at = 0; at < bytes.length; at += piece)
            peer.session.receive(bytes.subarray(at, at + piece), 0, Math.min(piece, bytes.length - at))
          if (drainOutput(peer.session).length > 2_000_000) throw new Error('too much output')
          if (peer.session.numStreams < 0) throw new Error('streams below zero')
          peer.session.destroy(0)
          if (peer.session.numStreams !== 0) throw new Error(`${peer.session.numStreams} streams after the end`)
        },
      ),
      { ...SEED, numRuns: 800 },
    )
  }
  t.pass()
})

t.test('random bytes after the preface never throw', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), (pieces) => {
      const peer = newPeer('server')
      const start = Buffer.concat([PREFACE, settings()])
      peer.session.receive(start, 0, start.length)
      for (const piece of pieces) peer.session.receive(Buffer.from(piece), 0, piece.length)
    }),
    { ...SEED, numRuns: 1000 },
  )
  t.pass()
})

interface Plan {
  up: number
  down: number
  cut: number
  trailers: boolean
  reset: 'none' | 'client' | 'server'
  pauseUp: boolean
  pauseDown: boolean
}

const plan: fc.Arbitrary<Plan> = fc.record({
  up: fc.oneof(fc.nat(100), fc.nat(400_000)),
  down: fc.oneof(fc.nat(100), fc.nat(400_000)),
  cut: fc.integer({ min: 100, max: 70_000 }),
  trailers: fc.boolean(),
  reset: fc.constantFrom('none', 'none', 'none', 'client', 'server'),
  pauseUp: fc.boolean(),
  pauseDown: fc.boolean(),
})

function pattern(bytes: number, seed: number): Buffer {
  const buf = Buffer.allocUnsafe(bytes)
  for (let i = 0; i < bytes; i++) buf[i] = (i * 7 + seed * 31 + (i >> 8)) & 0xff
  return buf
}

t.test('two sessions carry bodies, trailers and resets faithfully', async (t) => {
  fc.assert(
    fc.property(
      fc.array(plan, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }),
      (plans, cuts) => {
        const client = newPeer('client')
        const server = newPeer('server')
        const answers = plans.map(() => new Recorder())
        server.events.onRequestStream = (recorder, stream) => {
          recorder.onHeadSeen = ({ message }) => {
            const plan = plans[Number(message.path.slice(1))]!
            if (plan.pauseUp) stream.pause()
            if (plan.reset === 'server') return stream.reset(2)
            sendResponse(stream, 200, false)
            const body = pattern(plan.down, 2)
            for (let at = 0; at < body.length; at += plan.cut)
              stream.sendData(body, at, Math.min(body.length, at + plan.cut))
            if (plan.trailers) return sendTrailers(stream, [['x-down', String(plan.down)]])
            return stream.sendEnd()
          }
        }
        const streams = plans.map((plan, i) => {
          const stream = client.session.open(answers[i]!)!
          if (plan.pauseDown) stream.pause()
          sendRequest(stream, 'POST', `/${i}`, false, [['content-length', String(plan.up)]])
          const body = pattern(plan.up, 1)
          for (let at = 0; at < body.length; at += plan.cut)
            stream.sendData(body, at, Math.min(body.length, at + plan.cut))
          if (plan.trailers) sendTrailers(stream, [['x-up', String(plan.up)]])
          else stream.sendEnd()
          return stream
        })
        let turn = 0
        const cut = (): number => cuts[turn++ % cuts.length]!
        pump(client, server, cut)
        for (let round = 0; round < 50; round++) {
          for (const [i, plan] of plans.entries()) {
            const request = server.events.requests.find((r) => r.message.path === `/${i}`)
            if (plan.reset === 'client' && round === 0 && !answers[i]!.message.ended && streams[i]!.id === 2 * i + 1)
              streams[i]!.reset(8)
            if (request?.stream && request.generation === request.stream.generation) request.stream.resume()
            if (streams[i]!.id === 2 * i + 1) streams[i]!.resume()
          }
          pump(client, server, cut)
        }
        for (const [i, plan] of plans.entries()) {
          const answer = answers[i]!.message
          const request = server.events.requests.find((r) => r.message.path === `/${i}`)!.message
          if (plan.reset === 'server') {
            if (answer.reset?.code !== 2 || !answer.reset.remote) throw new Error(`no reset of ${i}`)
          } else if (plan.reset === 'none') {
            if (!answer.body.equals(pattern(plan.down, 2)) || !answer.ended) throw new Error(`answer ${i} differs`)
            if (!request.body.equals(pattern(plan.up, 1)) || !request.ended) throw new Error(`request ${i} differs`)
            if (plan.trailers !== (answer.trailers !== null)) throw new Error(`trailers of ${i}`)
            if (plan.trailers && answer.trailers![0]![1] !== String(plan.down)) throw new Error(`trailers of ${i}`)
            if (plan.trailers && request.trailers![0]![1] !== String(plan.up)) throw new Error(`trailers of ${i}`)
          }
        }
        if (client.session.numStreams + server.session.numStreams !== 0) throw new Error('streams stay')
        if (client.events.fatal ?? server.events.fatal) throw new Error('fatal')
        // the windows are whole again: as much as ever fits through
        const last = new Recorder()
        plans.push({
          up: 0,
          down: 4_000_000,
          cut: 65_536,
          trailers: false,
          reset: 'none',
          pauseUp: false,
          pauseDown: false,
        })
        sendRequest(client.session.open(last)!, 'GET', `/${plans.length - 1}`, true)
        pump(client, server)
        plans.pop()
        if (last.message.body.length !== 4_000_000) throw new Error('windows leaked')
      },
    ),
    { ...SEED, numRuns: 40 },
  )
  t.pass()
})

t.test('a peer that never reads has no more than its windows and 1,000 control frames kept for it', async (t) => {
  const peer = newPeer('server', {}, { ...STRANGER_BUDGETS, pings: { burst: 1e9, perSecond: 0 } })
  peer.events.onRequestStream = (recorder, stream) => {
    recorder.onMessageEnd = () => {
      sendResponse(stream, 200, false)
      stream.sendData(Buffer.alloc(1_000_000), 0, 1_000_000)
      stream.sendEnd()
    }
  }
  const start = Buffer.concat([PREFACE, settings(4, 0x7f_ff_ff_ff), frame(8, 0, 0, u32(0x7f_00_00_00))])
  peer.session.receive(start, 0, start.length)
  peer.session.output.take(() => false)
  let sent = 0
  for (let i = 0; i < 5000 && peer.events.fatal === null; i++) {
    const bytes = Buffer.concat([
      i < 90 ? frame(1, 5, 2 * i + 1, requestBlock) : Buffer.alloc(0),
      frame(6, 0, 0, 'abcdefgh'),
    ])
    peer.session.receive(bytes, 0, bytes.length)
    peer.session.output.take((buf) => {
      sent += buf.length
      return false
    })
  }
  t.equal(peer.events.fatal?.code, 11)
  t.ok(sent < 60_000, `${sent} bytes given to the transport`)
})
