/**
 * Sequences of HTTP/2 frames to try a peer with, and what the application behind it does meanwhile. In: fast-check's
 * randomness. Out: plain values that shrink, and `frameBytes`, which makes bytes of a step.
 * Most steps are a sound part of a conversation, so that the unsound ones meet every state.
 */
import * as fc from 'fast-check'
import * as wire from '../helpers/h2-wire.ts'

/** What the peer sends, or (`app`) what the side under test is told to do. `a`, `b`, `c` choose the details. */
export interface Step {
  op: (typeof SOUND)[number] | (typeof UNSOUND)[number] | (typeof APP)[number]
  a: number
  b: number
  c: number
}

export interface Sequence {
  role: 'server' | 'client'
  steps: Step[]
  /** Without them a peer starts wrongly. */
  preface: boolean
  settings: boolean
}

const SOUND = [
  'head',
  'head',
  'head',
  'head',
  'data',
  'data',
  'data',
  'end',
  'trailers',
  'reset',
  'window',
  'window',
  'settings',
  'ping',
  'priority',
  'continued',
  'padded',
  'interim',
] as const
const UNSOUND = ['badHead', 'badHead', 'badHead', 'badHead', 'goaway', 'raw', 'rawHead', 'flip', 'text', 'ack'] as const
const APP = [
  'answer',
  'answer',
  'body',
  'body',
  'finish',
  'appReset',
  'pause',
  'resume',
  'block',
  'drain',
  'take',
  'shutdown',
  'finishShutdown',
  'ping2',
] as const

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...SOUND) },
    { weight: 2, arbitrary: fc.constantFrom(...UNSOUND) },
    { weight: 14, arbitrary: fc.constantFrom(...APP) },
  ),
  a: fc.nat(0xffff),
  b: fc.nat(0xffff),
  c: fc.nat(0xffff),
})

export const sequence: fc.Arbitrary<Sequence> = fc.record({
  role: fc.constantFrom('server', 'server', 'client'),
  steps: fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
  preface: fc.nat(49).map((n) => n !== 7),
  settings: fc.nat(29).map((n) => n !== 7),
})

/** Fields that no head may have, or that make two readers disagree. */
const BAD_FIELDS: readonly (readonly [string, string][])[] = [
  [['transfer-encoding', 'chunked']],
  [['connection', 'close']],
  [['te', 'gzip']],
  [['Upper', 'case']],
  [['x', 'a\r\nhost: other']],
  [['x', 'a\0b']],
  [['x', ' a']],
  [['x y', 'a']],
  [['', 'a']],
  [['x:y', 'a']],
  [[':path', '/again']],
  [[':unknown', 'a']],
  [[':status', '200']],
  [['content-length', '5'], ['content-length', '6']],
  [['content-length', '-1']],
  [['content-length', '1000000000000000000000']],
  [['host', 'other']],
  [['cookie', 'a=1'], ['cookie', 'b=2']],
  [['x', 'v'.repeat(40_000)]],
  Array.from({ length: 200 }, (_, i): [string, string] => [`x-${i}`, '']),
  [[':protocol', 'websocket']],
] // prettier-ignore

const BAD_TARGETS = [
  '',
  'x',
  '*',
  '/a b',
  '/\x00',
  '/a#b',
  'http://other/',
  '/a\r\nhost: x',
  '//',
  '/smuggled HTTP/1.1\r\n\r\n',
]

function head(role: Sequence['role'], { a, b }: Step, mark: string): [string, string][] {
  if (role === 'client')
    return [
      [':status', String([200, 204, 304, 404, 500][a % 5])],
      ['x-a', String(b % 7)],
    ]
  const method = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'][a % 6]!
  return wire.requestFields(
    method,
    `/h2?${mark}`,
    ['x-a', String(b % 7)],
    ...(b % 5 === 0 ? [['content-length', String(a % 40)] as [string, string]] : []),
  )
}

/** Client: odd ids, rising; server: answers to those that were opened. Now and then any id. */
export class Ids {
  #next = 1
  readonly open: number[] = []

  fresh(): number {
    const id = this.#next
    this.#next += 2
    this.open.push(id)
    return id
  }

  some(pick: number): number {
    if (pick % 211 === 0) return pick % 64
    return this.open[pick % Math.max(1, this.open.length)] ?? 1
  }
}

const NEED_STREAM: ReadonlySet<string> = new Set(['data', 'end', 'trailers', 'reset', 'window', 'padded', 'interim'])

/** Bytes of a peer's step; undefined where it is the application's. */
export function frameBytes(role: Sequence['role'], step: Step, ids: Ids, mark: string): Buffer | undefined {
  const { a, b, c } = step
  const { FRAME, FLAG } = wire
  const opens = (): number => (role === 'server' && c % 31 !== 0 ? ids.fresh() : ids.some(c))
  if (ids.open.length === 0 && c % 61 !== 0) {
    // most frames would end a connection that has no stream yet
    if (role === 'client') return APP.includes(step.op as (typeof APP)[number]) ? undefined : wire.settings()
    if (NEED_STREAM.has(step.op)) return wire.headers(opens(), wire.block(head(role, step, mark)), false)
  }
  const end = a % 2 === 0
  const op: string = step.op
  switch (op) {
    case 'head':
      return wire.headers(opens(), wire.block(head(role, step, mark), b % 3 === 0), end)
    case 'interim':
      if (role === 'server' && a % 41 !== 0) return wire.headers(ids.fresh(), wire.block(head(role, step, mark)), false)
      return wire.headers(ids.some(c), wire.block([[':status', '103']]), a % 41 === 0)
    case 'data':
      return wire.data(ids.some(c), Buffer.alloc(b % 7 === 0 ? a % 20_000 : a % 40, 'd'), b % 4 === 0)
    case 'end':
      return wire.data(ids.some(c), '', true)
    case 'trailers':
      return wire.headers(ids.some(c), wire.block([['x-t', String(a)]]), b % 9 !== 0)
    case 'reset':
      return wire.reset(ids.some(c), a % 16)
    case 'window':
      return wire.windowUpdate(
        b % 2 === 0 && a % 67 !== 0 ? 0 : ids.some(c),
        a % 67 === 0 ? [0, 0x7fffffff, 0x80000000][c % 3]! : a * 16 + 1,
      )
    case 'settings':
      if (a % 31 === 0) return wire.settings([1 + (a % 10), c % 5 === 0 ? b * 65_536 : b])
      return wire.settings(([[1, b], [3, b % 300], [4, b * 16], [5, 16_384 + b], [6, b]] as [number, number][])[c % 5]!) // prettier-ignore
    case 'ack':
      return wire.settingsAck()
    case 'ping':
      return wire.frame(FRAME.PING, a % 2, 0, Buffer.alloc(b % 97 === 0 ? 7 : 8))
    case 'priority':
      return wire.frame(FRAME.PRIORITY, 0, ids.some(c), Buffer.alloc(a % 9 === 0 ? 4 : 5, b & 1))
    case 'continued': {
      const block = wire.block(head(role, step, mark), b % 3 === 0)
      const cut = a % block.length
      const id = opens()
      const pieces = [wire.frame(FRAME.HEADERS, end ? FLAG.END_STREAM : 0, id, block.subarray(0, cut))]
      for (let i = 0; i < (b % 13 === 0 ? b % 12 : b % 3); i++) pieces.push(wire.frame(FRAME.CONTINUATION, 0, id))
      pieces.push(
        wire.frame(
          FRAME.CONTINUATION,
          c % 97 === 0 ? 0 : FLAG.END_HEADERS,
          c % 91 === 0 ? id + 2 : id,
          block.subarray(cut),
        ),
      )
      return Buffer.concat(pieces)
    }
    case 'padded': {
      const pad = a % 30
      const payload = Buffer.concat([Buffer.of(b % 67 === 0 ? 255 : pad), Buffer.alloc(b % 50, 'p'), Buffer.alloc(pad)])
      return wire.frame(FRAME.DATA, FLAG.PADDED | (c % 2), ids.some(c), payload)
    }
    case 'badHead': {
      const bad = BAD_FIELDS[a % BAD_FIELDS.length]!
      const fields = head(role, step, mark)
      if (b % 3 === 0 && role === 'server') fields[2] = [':path', BAD_TARGETS[a % BAD_TARGETS.length]!]
      if (b % 3 === 1) fields.splice(c % 4, 1)
      if (b % 3 === 2) fields.push(...bad)
      return wire.headers(opens(), wire.block(fields, b % 2 === 0), end)
    }
    case 'goaway':
      return wire.frame(FRAME.GOAWAY, 0, 0, Buffer.concat([Buffer.alloc(7), Buffer.of(a % 14)]))
    case 'raw':
      return wire.frame(a % 14, b & 255, ids.some(c), Buffer.alloc((a * 7) % 50, b))
    case 'rawHead': {
      const noise = Buffer.from(Array.from({ length: a % 40 }, (_, i) => (b * (i + 3) + c * i * i) & 255))
      return wire.headers(
        opens(),
        b % 2 === 0 ? noise : Buffer.concat([wire.block(head(role, step, mark)), noise]),
        end,
      )
    }
    case 'flip': {
      const bytes = wire.headers(opens(), wire.block(head(role, step, mark)), end)
      bytes[a % bytes.length] = b & 255
      return bytes
    }
    case 'text':
      return Buffer.from(['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\0'][a % 3]!)
    default:
      return undefined
  }
}
