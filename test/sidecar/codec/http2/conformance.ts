/**
 * What RFC 9113 asks of an endpoint, frame by frame, section by section; also what of RFC 7541, RFC 8441 and of known
 * attacks shows on the wire. Data only: the same table is played against a session and over a socket.
 *
 * The other side of a case: `server`: an application behind it that answers a request, when that is whole, with 200 and
 * no body; `/bytes/N` with N bytes; it does not read the body of a request for `/hold`. `client`: the one under test has
 * sent a request on each of `opens` (methods, default one GET, streams 1, 3, ...), all without a body.
 */
import {
  ACK,
  block,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  headers,
  indexedBlock,
  PADDED,
  PREFACE,
  PRIORITY,
  reset,
  settings,
  T,
  u32,
  windowUpdate,
} from './frames.ts'

export type Expectation =
  /** GOAWAY with one of these codes; `orReset`: or RST_STREAM on that stream. */
  | { kind: 'connection'; codes: number[]; orReset?: number }
  /** RST_STREAM on a stream with one of these codes, and the connection lives. */
  | { kind: 'stream'; id: number; codes: number[] }
  /** The connection lives, and no stream is reset. */
  | { kind: 'accepted' }
  /** As accepted, and a response comes. */
  | { kind: 'answered'; id: number; status: number }
  /** As accepted, and exactly so many bytes of DATA come. */
  | { kind: 'bytes'; id: number; bytes: number; ends: boolean }
  /** As accepted, and a PING with these bytes is answered. */
  | { kind: 'pong'; payload: string }

export interface ConformanceCase {
  section: string
  title: string
  role: 'server' | 'client'
  input: Buffer[]
  expect: Expectation
  /** `input` is all of it: no preface and SETTINGS before it. */
  raw?: true
  opens?: string[]
  /** Needs limits or an application that only a test of the codec arranges. */
  codecOnly?: true
  connectProtocol?: true
}

const NO = 0
const PROTOCOL = 1
const FLOW = 3
const CLOSED = 5
const SIZE = 6
const REFUSED = 7
const COMPRESSION = 9
const CALM = 11

const EH = END_HEADERS
const ES = END_STREAM
const MAX = 0x7f_ff_ff_ff

const GET: Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'shop.test'],
]
const POST: Field[] = [[':method', 'POST'], ...GET.slice(1)]
const OK: Field[] = [[':status', '200']]
const without = (name: string): Field[] => GET.filter(([n]) => n !== name)
const replaced = (name: string, value: string): Field[] => GET.map(([n, v]) => [n, n === name ? value : v])
const path = (p: string): Field[] => replaced(':path', p)

const accepted: Expectation = { kind: 'accepted' }
const goaway = (...codes: number[]): Expectation => ({ kind: 'connection', codes })
const rst = (id: number, ...codes: number[]): Expectation => ({ kind: 'stream', id, codes })
const either = (id: number, ...codes: number[]): Expectation => ({ kind: 'connection', codes, orReset: id })
const answered = (id: number, status = 200): Expectation => ({ kind: 'answered', id, status })
const bytes = (id: number, n: number, ends = false): Expectation => ({ kind: 'bytes', id, bytes: n, ends })

const get = (id: number, fields: Field[] = GET): Buffer => headers(id, fields)
const post = (id: number, ...more: Field[]): Buffer => headers(id, [...POST, ...more], EH)
const ok = (id: number, ...more: Field[]): Buffer => headers(id, [...OK, ...more], EH)
const ping = frame(T.PING, 0, 0, 'abcdefgh')
const raw = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const many = <X = Buffer>(n: number, of: (i: number) => X): X[] => Array.from({ length: n }, (_, i) => of(i))
const unknown = (id: number): Buffer => frame(0xfa, 0xff, id, 'whatever')

type Row = [title: string, input: Buffer[], expect: Expectation, more?: Partial<ConformanceCase>]

function section(name: string, role: 'server' | 'client', rows: Row[]): ConformanceCase[] {
  return rows.map(([title, input, expect, more]) => ({ section: name, title, role, input, expect, ...more }))
}

const RAW = { raw: true } as const
const badName = (name: string): Buffer => get(1, [...GET, [name, 'x']])
const badValue = (value: string): Buffer => get(1, [...GET, ['x-test', value]])

const framing: ConformanceCase[] = [
  ...section('3.4', 'server', [
    ['the preface and SETTINGS', [PREFACE, settings(), get(1)], answered(1), RAW],
    ['SETTINGS with values', [PREFACE, settings(3, 50, 4, 1000), get(1)], answered(1), RAW],
    ['a wrong preface', [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')], goaway(PROTOCOL), RAW],
    ['HTTP/1.1 instead of a preface', [Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')], goaway(PROTOCOL), RAW],
    ['PING before SETTINGS', [PREFACE, ping], goaway(PROTOCOL), RAW],
    ['HEADERS before SETTINGS', [PREFACE, get(1)], goaway(PROTOCOL), RAW],
    ['an ACK of SETTINGS before SETTINGS', [PREFACE, frame(T.SETTINGS, ACK, 0)], goaway(PROTOCOL), RAW],
    ['an unknown frame before SETTINGS', [PREFACE, unknown(0)], goaway(PROTOCOL), RAW],
  ]),
  ...section('3.4', 'client', [
    ['SETTINGS, then a response', [settings(), headers(1, OK)], accepted, RAW],
    ['a response before SETTINGS', [headers(1, OK)], goaway(PROTOCOL), RAW],
    ['GOAWAY before SETTINGS', [frame(T.GOAWAY, 0, 0, u32(0, 0))], goaway(PROTOCOL), RAW],
    ['HTTP/1.1 instead of SETTINGS', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], goaway(PROTOCOL, SIZE), RAW],
  ]),
  ...section('4.1', 'server', [
    ['an unknown type on the connection', [unknown(0), get(1)], answered(1)],
    ['an unknown type on an open stream', [post(1), unknown(1), data(1, '', ES)], answered(1)],
    ['an unknown type on an idle stream', [unknown(9), get(1)], answered(1)],
    ['an unknown type without payload', [frame(0x10, 0, 0)], accepted],
    [
      'the reserved bit of a stream id',
      [frame(T.PING, 0, 0x80_00_00_00, '12345678')],
      { kind: 'pong', payload: '12345678' },
    ],
    ['the reserved bit on HEADERS', [frame(T.HEADERS, EH | ES, 0x80_00_00_01, block(...GET))], answered(1)],
    ['flags that DATA does not have', [post(1), data(1, 'abc', 0x46 | ES)], answered(1)],
    ['flags that HEADERS does not have', [frame(T.HEADERS, EH | ES | 0xc2, 1, block(...GET))], answered(1)],
    ['flags that PING does not have', [frame(T.PING, 0xfe, 0, 'abcdefgh')], { kind: 'pong', payload: 'abcdefgh' }],
    ['flags that SETTINGS does not have', [frame(T.SETTINGS, 0xfe, 0)], accepted],
  ]),
  ...section('4.2', 'server', [
    ['DATA of the largest size', [post(1), data(1, Buffer.alloc(16_384), ES)], answered(1)],
    ['DATA over the largest size', [post(1), data(1, Buffer.alloc(16_385), ES)], either(1, SIZE)],
    ['HEADERS over the largest size', [headers(1, Buffer.alloc(16_385))], goaway(SIZE)],
    ['SETTINGS over the largest size', [frame(T.SETTINGS, 0, 0, Buffer.alloc(16_386))], goaway(SIZE)],
    ['an unknown type over the largest size', [frame(0xfa, 0, 0, Buffer.alloc(16_385))], goaway(SIZE)],
    [
      'CONTINUATION over the largest size',
      [headers(1, GET, 0), frame(T.CONTINUATION, EH, 1, Buffer.alloc(16_385))],
      goaway(SIZE),
    ],
  ]),
  ...section('5.5', 'server', [
    ['an unknown type within a header block', [headers(1, GET, ES), unknown(1)], goaway(PROTOCOL)],
    ['an unknown setting', [settings(0x99, 7), get(1)], answered(1)],
  ]),
]

const hpack: ConformanceCase[] = [
  ...section('4.3', 'server', [
    [
      'a table is kept in step across a refused request',
      [
        headers(1, Buffer.concat([block(...GET, ['Bad', '1']), indexedBlock(['x-a', 'b'])])),
        headers(3, Buffer.concat([block(...GET), raw('be')])),
      ],
      rst(1, PROTOCOL),
    ],
    [
      'a table is kept in step across late trailers',
      [
        get(1, [...GET, ['Bad', '1']]),
        post(3, ['connection', 'x']),
        headers(3, indexedBlock(['x-a', 'b'])),
        headers(5, Buffer.concat([block(...GET), raw('be')])),
      ],
      answered(5),
      { codecOnly: true },
    ],
  ]),
  ...section('7541 2.3.3', 'server', [
    ['index 0', [headers(1, raw('80'))], goaway(COMPRESSION)],
    ['an index over both tables', [headers(1, raw('c6'))], goaway(COMPRESSION)],
    ['a name index over both tables', [headers(1, raw('7f 00 01 61'))], goaway(COMPRESSION)],
  ]),
  ...section('7541 4.2', 'server', [
    ['a table size over the announced one', [headers(1, raw('3f ff ff ff 07'))], goaway(COMPRESSION)],
    ['a table size after a field', [headers(1, Buffer.concat([block(...GET), raw('20')]))], goaway(COMPRESSION)],
    ['a table size of 0 first', [headers(1, Buffer.concat([raw('20'), block(...GET)]))], answered(1)],
    ['two table sizes first', [headers(1, Buffer.concat([raw('20 3f e1 1f'), block(...GET)]))], answered(1)],
  ]),
  ...section('7541 5', 'server', [
    ['a block that ends within a field', [headers(1, raw('00 03 61 62'))], goaway(COMPRESSION)],
    ['a block that ends within an integer', [headers(1, raw('ff'))], goaway(COMPRESSION)],
    ['an integer without end', [headers(1, raw('ff ff ff ff ff ff ff ff ff ff 7f'))], goaway(COMPRESSION)],
    ['a string longer than its block', [headers(1, raw('00 7f ff ff 03 61'))], goaway(COMPRESSION)],
    ['Huffman: EOS in a string', [headers(1, raw('00 85 f2 b2 4a 84 ff 84 49 50 9f ff'))], goaway(COMPRESSION)],
    [
      'Huffman: padding over 7 bits',
      [headers(1, raw('00 86 f2 b2 4a 84 ff 83 fe 84 49 50 9f ff ff'))],
      goaway(COMPRESSION),
    ],
    ['Huffman: padding of zeros', [headers(1, raw('00 82 49 50 81 00'))], goaway(COMPRESSION)],
    [
      'Huffman and static indexes',
      [headers(1, raw('82 86 84 41 8c f1 e3 c2 e5 f2 3a 6b a0 ab 90 f4 ff'))],
      answered(1),
    ],
  ]),
]

const states: ConformanceCase[] = [
  ...section('5.1 idle', 'server', [
    ['DATA', [data(1, 'x')], goaway(PROTOCOL)],
    ['RST_STREAM', [reset(1)], goaway(PROTOCOL)],
    ['WINDOW_UPDATE', [windowUpdate(1, 1)], goaway(PROTOCOL)],
    ['CONTINUATION', [frame(T.CONTINUATION, EH, 1, block(...GET))], goaway(PROTOCOL)],
    ['PRIORITY', [frame(T.PRIORITY, 0, 7, raw('00000000 10')), get(1)], answered(1)],
    ['DATA on a stream that a server would open', [data(2, 'x')], goaway(PROTOCOL)],
    ['WINDOW_UPDATE on a stream that a server would open', [windowUpdate(2, 1)], goaway(PROTOCOL)],
  ]),
  ...section('5.1 idle', 'client', [
    ['DATA on a stream not opened', [data(9, 'x')], goaway(PROTOCOL)],
    ['HEADERS on a stream not opened', [headers(9, OK)], goaway(PROTOCOL)],
    ['RST_STREAM on a stream not opened', [reset(9)], goaway(PROTOCOL)],
    ['WINDOW_UPDATE on a stream not opened', [windowUpdate(9, 1)], goaway(PROTOCOL)],
    ['HEADERS on a stream of the server', [headers(2, OK)], goaway(PROTOCOL)],
  ]),
  ...section('5.1 half-closed', 'server', [
    ['DATA after END_STREAM', [get(1, path('/never')), data(1, 'x')], either(1, CLOSED), { codecOnly: true }],
    [
      'HEADERS after END_STREAM',
      [get(1, path('/never')), headers(1, [['x', 'y']])],
      either(1, CLOSED),
      { codecOnly: true },
    ],
    ['WINDOW_UPDATE after END_STREAM', [get(1, path('/never')), windowUpdate(1, 9)], accepted, { codecOnly: true }],
    [
      'PRIORITY after END_STREAM',
      [get(1, path('/never')), frame(T.PRIORITY, 0, 1, raw('00000000 10'))],
      accepted,
      { codecOnly: true },
    ],
    ['RST_STREAM after END_STREAM', [get(1, path('/never')), reset(1)], accepted, { codecOnly: true }],
    [
      'CONTINUATION after END_STREAM',
      [get(1, path('/never')), frame(T.CONTINUATION, EH, 1)],
      goaway(PROTOCOL, CLOSED),
      { codecOnly: true },
    ],
  ]),
  ...section('5.1 closed', 'server', [
    ['DATA after both ends', [get(1), data(1, 'x')], either(1, CLOSED)],
    ['HEADERS after both ends', [get(1), headers(1, [['x', 'y']])], either(1, CLOSED)],
    ['WINDOW_UPDATE after both ends', [get(1), windowUpdate(1, 10), get(3)], answered(3)],
    ['RST_STREAM after both ends', [get(1), reset(1), get(3)], answered(3)],
    ['PRIORITY after both ends', [get(1), frame(T.PRIORITY, 0, 1, raw('00000000 10')), get(3)], answered(3)],
    ['DATA after RST_STREAM', [post(1), reset(1), data(1, 'x')], either(1, CLOSED)],
    ['HEADERS after RST_STREAM', [post(1), reset(1), headers(1, [['x', 'y']])], either(1, CLOSED)],
    ['WINDOW_UPDATE after RST_STREAM', [post(1), reset(1), windowUpdate(1, 9), get(3)], answered(3)],
    [
      'DATA that was under way when we reset',
      [headers(1, [...POST, ['connection', 'x']], EH), data(1, 'x', ES), get(3)],
      rst(1, PROTOCOL),
    ],
    [
      'trailers that were under way when we reset',
      [headers(1, [...POST, ['connection', 'x']], EH), headers(1, [['x', 'y']]), get(3)],
      rst(1, PROTOCOL),
    ],
  ]),
  ...section('5.1 closed', 'client', [
    ['DATA after the response', [headers(1, OK), data(1, 'x')], either(1, CLOSED)],
    ['HEADERS after the response', [headers(1, OK), headers(1, OK)], either(1, CLOSED)],
    ['RST_STREAM after the response', [headers(1, OK), reset(1, NO)], accepted],
    ['WINDOW_UPDATE after the response', [headers(1, OK), windowUpdate(1, 5)], accepted],
  ]),
  ...section('5.1.1', 'server', [
    ['ids may be skipped', [get(1), get(7), get(9)], answered(9)],
    ['a lower id', [get(5), get(3)], goaway(PROTOCOL)],
    ['an even id', [get(2)], goaway(PROTOCOL)],
    ['stream 0', [get(0)], goaway(PROTOCOL)],
    ['the highest id', [get(MAX)], answered(MAX)],
  ]),
  ...section('5.1.2', 'server', [
    ['the stream over the limit is refused', many(101, (i) => post(2 * i + 1)), rst(201, REFUSED)],
    ['a stream within the limit is not', many(100, (i) => post(2 * i + 1)), accepted],
    ['an end makes room', [...many(100, (i) => post(2 * i + 1)), reset(1), get(201)], answered(201)],
    [
      'a refused stream stays refused',
      [...many(101, (i) => post(2 * i + 1)), data(201, 'x'), reset(1), get(203)],
      rst(201, REFUSED),
    ],
  ]),
]

const frames: ConformanceCase[] = [
  ...section('6.1', 'server', [
    ['DATA on stream 0', [data(0, 'x')], goaway(PROTOCOL)],
    ['a body in two frames', [post(1), data(1, 'ab'), data(1, 'c', ES)], answered(1)],
    ['padding', [post(1), data(1, raw('02 61 0000'), PADDED | ES)], answered(1)],
    ['nothing but padding', [post(1), data(1, raw('02 0000'), PADDED | ES)], answered(1)],
    ['a pad length of 0', [post(1), data(1, raw('00'), PADDED | ES)], answered(1)],
    ['padding as long as the payload', [post(1), data(1, raw('03 0000'), PADDED | ES)], goaway(PROTOCOL)],
    ['padding over the payload', [post(1), data(1, raw('ff 0000'), PADDED | ES)], goaway(PROTOCOL)],
    ['no room for the pad length', [post(1), data(1, '', PADDED | ES)], goaway(SIZE, PROTOCOL)],
    ['an empty frame that ends', [post(1), data(1, '', ES)], answered(1)],
    ['an empty frame', [post(1), data(1, ''), data(1, 'x', ES)], answered(1)],
  ]),
  ...section('6.2', 'server', [
    ['padding', [headers(1, Buffer.concat([raw('03'), block(...GET), raw('000000')]), EH | ES | PADDED)], answered(1)],
    [
      'padding over the payload',
      [headers(1, Buffer.concat([raw('ff'), block(...GET)]), EH | ES | PADDED)],
      goaway(PROTOCOL),
    ],
    ['no room for the pad length', [headers(1, Buffer.alloc(0), EH | ES | PADDED)], goaway(SIZE, PROTOCOL)],
    ['a priority', [headers(1, Buffer.concat([raw('00000000 10'), block(...GET)]), EH | ES | PRIORITY)], answered(1)],
    [
      'a priority and padding',
      [headers(1, Buffer.concat([raw('01 00000000 10'), block(...GET), raw('00')]), EH | ES | PRIORITY | PADDED)],
      answered(1),
    ],
    ['no room for the priority', [headers(1, raw('0000'), EH | ES | PRIORITY)], goaway(SIZE, PROTOCOL)],
    [
      'padding that reaches into the priority',
      [headers(1, raw('03 00000000 10'), EH | ES | PRIORITY | PADDED)],
      goaway(PROTOCOL),
    ],
    [
      'a stream that depends on itself',
      [headers(1, Buffer.concat([raw('00000001 10'), block(...GET)]), EH | ES | PRIORITY)],
      answered(1),
    ],
  ]),
  ...section('6.3', 'server', [
    [
      'PRIORITY on an open stream',
      [post(1), frame(T.PRIORITY, 0, 1, raw('00000000 10')), data(1, '', ES)],
      answered(1),
    ],
    ['PRIORITY on stream 0', [frame(T.PRIORITY, 0, 0, raw('00000000 10'))], goaway(PROTOCOL)],
    ['PRIORITY of 4 bytes', [post(1), frame(T.PRIORITY, 0, 1, raw('00000000'))], either(1, SIZE)],
    ['PRIORITY of 6 bytes', [post(1), frame(T.PRIORITY, 0, 1, raw('00000000 1000'))], either(1, SIZE)],
    ['PRIORITY that depends on itself', [frame(T.PRIORITY, 0, 1, raw('00000001 10')), get(1)], answered(1)],
  ]),
  ...section('6.4', 'server', [
    ['RST_STREAM on stream 0', [reset(0)], goaway(PROTOCOL)],
    ['RST_STREAM on an idle stream', [reset(3)], goaway(PROTOCOL)],
    ['RST_STREAM of 3 bytes', [post(1), frame(T.RST_STREAM, 0, 1, raw('000000'))], goaway(SIZE)],
    ['RST_STREAM of 5 bytes', [post(1), frame(T.RST_STREAM, 0, 1, raw('0000000000'))], goaway(SIZE)],
    ['an unknown code', [post(1), reset(1, 0xdead), get(3)], answered(3)],
    ['a cancelled request', [post(1), data(1, 'abc'), reset(1, 8), get(3)], answered(3)],
  ]),
  ...section('6.5', 'server', [
    ['an ACK', [frame(T.SETTINGS, ACK, 0), get(1)], answered(1)],
    ['an ACK with a payload', [frame(T.SETTINGS, ACK, 0, raw('0003 00000001'))], goaway(SIZE)],
    ['an ACK that nobody asked for', [frame(T.SETTINGS, ACK, 0), frame(T.SETTINGS, ACK, 0)], goaway(PROTOCOL)],
    ['SETTINGS on a stream', [frame(T.SETTINGS, 0, 1)], goaway(PROTOCOL)],
    ['SETTINGS of 5 bytes', [frame(T.SETTINGS, 0, 0, raw('0003000000'))], goaway(SIZE)],
    ['SETTINGS at any time', [post(1), settings(3, 1), data(1, '', ES)], answered(1)],
    ['32 entries', [settings(...many(32, () => raw('')).flatMap((_, i) => [0x1000 + i, 1])), get(1)], answered(1)],
    ['33 entries', [settings(...many(33, () => raw('')).flatMap((_, i) => [0x1000 + i, 1]))], goaway(CALM)],
  ]),
  ...section('6.5.2', 'server', [
    ['HEADER_TABLE_SIZE 0', [settings(1, 0), get(1), get(3)], answered(3)],
    ['HEADER_TABLE_SIZE 2^32-1', [settings(1, 0xff_ff_ff_ff), get(1)], answered(1)],
    ['ENABLE_PUSH 0', [settings(2, 0), get(1)], answered(1)],
    ['ENABLE_PUSH 1', [settings(2, 1), get(1)], answered(1)],
    ['ENABLE_PUSH 2', [settings(2, 2)], goaway(PROTOCOL)],
    ['MAX_CONCURRENT_STREAMS 0', [settings(3, 0), get(1)], answered(1)],
    ['INITIAL_WINDOW_SIZE 2^31', [settings(4, 0x80_00_00_00)], goaway(FLOW)],
    ['INITIAL_WINDOW_SIZE 2^31-1', [settings(4, MAX), get(1, path('/bytes/100'))], bytes(1, 100, true)],
    ['INITIAL_WINDOW_SIZE 1', [settings(4, 1), get(1, path('/bytes/100'))], bytes(1, 1)],
    ['INITIAL_WINDOW_SIZE 0', [settings(4, 0), get(1, path('/bytes/100'))], bytes(1, 0)],
    ['of two values the last one', [settings(4, 1, 4, 3), get(1, path('/bytes/100'))], bytes(1, 3)],
    ['MAX_FRAME_SIZE 16383', [settings(5, 16_383)], goaway(PROTOCOL)],
    ['MAX_FRAME_SIZE 2^24', [settings(5, 16_777_216)], goaway(PROTOCOL)],
    ['MAX_FRAME_SIZE 2^24-1', [settings(5, 16_777_215), get(1)], answered(1)],
    ['MAX_HEADER_LIST_SIZE', [settings(6, 100), get(1)], answered(1)],
    ['a wrong value after right ones', [settings(3, 5, 6, 100, 2, 9)], goaway(PROTOCOL)],
  ]),
  ...section('6.5.2', 'client', [
    ['ENABLE_PUSH 0 of a server', [settings(2, 0), headers(1, OK)], accepted],
    ['ENABLE_PUSH 1 of a server', [settings(2, 1)], goaway(PROTOCOL)],
    ['MAX_CONCURRENT_STREAMS 0 of a server', [settings(3, 0), headers(1, OK)], accepted],
  ]),
  ...section('6.6', 'server', [
    [
      'PUSH_PROMISE of a client',
      [post(1), frame(T.PUSH_PROMISE, EH, 1, Buffer.concat([u32(2), block(...GET)]))],
      goaway(PROTOCOL),
    ],
  ]),
  ...section('6.6', 'client', [
    [
      'PUSH_PROMISE although push is off',
      [frame(T.PUSH_PROMISE, EH, 1, Buffer.concat([u32(2), block(...GET)]))],
      goaway(PROTOCOL),
    ],
    [
      'PUSH_PROMISE on stream 0',
      [frame(T.PUSH_PROMISE, EH, 0, Buffer.concat([u32(2), block(...GET)]))],
      goaway(PROTOCOL),
    ],
  ]),
  ...section('6.7', 'server', [
    [
      'is answered with the same bytes',
      [frame(T.PING, 0, 0, raw('0001020304050607'))],
      { kind: 'pong', payload: raw('0001020304050607').toString('latin1') },
    ],
    ['an ACK is not answered', [frame(T.PING, ACK, 0, 'zzzzzzzz')], accepted],
    ['PING on a stream', [frame(T.PING, 0, 1, 'abcdefgh')], goaway(PROTOCOL)],
    ['PING of 7 bytes', [frame(T.PING, 0, 0, 'abcdefg')], goaway(SIZE)],
    ['PING of 9 bytes', [frame(T.PING, 0, 0, 'abcdefghi')], goaway(SIZE)],
    ['PING without payload', [frame(T.PING, 0, 0)], goaway(SIZE)],
  ]),
  ...section('6.8', 'server', [
    ['GOAWAY on a stream', [frame(T.GOAWAY, 0, 1, u32(0, 0))], goaway(PROTOCOL)],
    ['GOAWAY of 7 bytes', [frame(T.GOAWAY, 0, 0, raw('00000000000000'))], goaway(SIZE)],
    [
      'requests go on after GOAWAY of the client',
      [post(1), frame(T.GOAWAY, 0, 0, u32(0, 0)), data(1, '', ES)],
      answered(1),
    ],
    ['GOAWAY with a text', [frame(T.GOAWAY, 0, 0, Buffer.concat([u32(0, 0), Buffer.from('bye')]))], accepted],
    ['GOAWAY with an unknown code', [frame(T.GOAWAY, 0, 0, u32(0, 0xbeef))], accepted],
  ]),
  ...section('6.8', 'client', [
    ['the response comes after GOAWAY', [frame(T.GOAWAY, 0, 0, u32(1, 0)), headers(1, OK)], accepted],
    [
      'a last stream that rises',
      [frame(T.GOAWAY, 0, 0, u32(1, 0)), frame(T.GOAWAY, 0, 0, u32(3, 0))],
      goaway(PROTOCOL),
      { opens: ['GET', 'GET'] },
    ],
    [
      'a last stream that falls',
      [frame(T.GOAWAY, 0, 0, u32(MAX, 0)), frame(T.GOAWAY, 0, 0, u32(1, 0)), headers(1, OK)],
      accepted,
      { opens: ['GET', 'GET'] },
    ],
  ]),
  ...section('6.9', 'server', [
    ['0 for the connection', [windowUpdate(0, 0)], goaway(PROTOCOL)],
    ['0 for a stream', [post(1), windowUpdate(1, 0)], either(1, PROTOCOL)],
    ['0 for a stream ends only that', [post(1), windowUpdate(1, 0), get(3)], rst(1, PROTOCOL)],
    ['of 3 bytes', [frame(T.WINDOW_UPDATE, 0, 0, raw('000001'))], goaway(SIZE)],
    ['of 5 bytes', [frame(T.WINDOW_UPDATE, 0, 0, raw('0000000001'))], goaway(SIZE)],
    ['on an idle stream', [windowUpdate(5, 1)], goaway(PROTOCOL)],
    [
      'the reserved bit',
      [settings(4, 0), get(1, path('/bytes/9')), frame(T.WINDOW_UPDATE, 0, 1, raw('80000002'))],
      bytes(1, 2),
    ],
  ]),
  ...section('6.9.1', 'server', [
    ['the connection to 2^31-1', [windowUpdate(0, MAX - 65_535), get(1)], answered(1)],
    ['the connection over 2^31-1', [windowUpdate(0, MAX - 65_534)], goaway(FLOW)],
    ['the connection over 2^31-1 in two steps', [windowUpdate(0, MAX - 65_535), windowUpdate(0, 1)], goaway(FLOW)],
    ['a stream to 2^31-1', [post(1), windowUpdate(1, MAX - 65_535), data(1, '', ES)], answered(1)],
    ['a stream over 2^31-1', [post(1), windowUpdate(1, MAX)], rst(1, FLOW)],
    ['no more than the connection allows', [settings(4, 1_000_000), get(1, path('/bytes/100000'))], bytes(1, 65_535)],
    ['no more than the stream allows', [windowUpdate(0, 1_000_000), get(1, path('/bytes/100000'))], bytes(1, 65_535)],
    [
      'both windows opened',
      [windowUpdate(0, 1_000_000), get(1, path('/bytes/100000')), windowUpdate(1, 50_000)],
      bytes(1, 100_000, true),
    ],
    [
      'byte by byte',
      [settings(4, 0), get(1, path('/bytes/5')), ...many(5, () => windowUpdate(1, 1))],
      bytes(1, 5, true),
    ],
    ['nothing to send needs no window', [settings(4, 0), get(1, path('/bytes/0'))], answered(1)],
    [
      'what a body takes is given back',
      [post(1), ...many(60, () => data(1, Buffer.alloc(16_384))), data(1, '', ES)],
      answered(1),
    ],
    [
      'padding is given back',
      [
        post(1),
        ...many(4000, () => data(1, Buffer.concat([raw('ff'), Buffer.alloc(255)]), PADDED)).slice(0, 90),
        data(1, '', ES),
      ],
      answered(1),
    ],
    [
      'DATA over the window of a stream',
      [
        headers(1, [...path('/hold').slice(1), [':method', 'POST']], EH),
        ...many(17, () => data(1, Buffer.alloc(16_384))),
      ],
      either(1, FLOW),
      { codecOnly: true },
    ],
    [
      'DATA over the window of the connection',
      [
        ...many(5, (i) => headers(2 * i + 1, [...path('/hold').slice(1), [':method', 'POST']], EH)),
        ...many(5, (i) => many(15, () => data(2 * i + 1, Buffer.alloc(16_384)))).flat(),
      ],
      goaway(FLOW),
      { codecOnly: true },
    ],
  ]),
  ...section('6.9.2', 'server', [
    [
      'a larger initial window opens a waiting stream',
      [settings(4, 0), get(1, path('/bytes/9')), settings(4, 100)],
      bytes(1, 9, true),
    ],
    [
      'a window below zero',
      [settings(4, 5), get(1, path('/bytes/20')), settings(4, 2), windowUpdate(1, 3)],
      bytes(1, 5),
    ],
    [
      'and out of it again',
      [settings(4, 5), get(1, path('/bytes/20')), settings(4, 2), windowUpdate(1, 13)],
      bytes(1, 15),
    ],
    [
      'a stream over 2^31-1 by SETTINGS',
      [settings(4, 1), post(1), windowUpdate(1, MAX - 1), settings(4, 2)],
      goaway(FLOW),
    ],
    ['SETTINGS do not open the connection', [get(1, path('/bytes/70000')), settings(4, 1_000_000)], bytes(1, 65_535)],
  ]),
  ...section('6.10', 'server', [
    [
      'a block in two',
      [headers(1, GET.slice(0, 2), ES), frame(T.CONTINUATION, EH, 1, block(...GET.slice(2)))],
      answered(1),
    ],
    [
      'a block in four',
      [
        headers(1, GET.slice(0, 1), ES),
        ...[1, 2, 3].map((i) => frame(T.CONTINUATION, i === 3 ? EH : 0, 1, block(GET[i]!))),
      ],
      answered(1),
    ],
    [
      'an empty HEADERS and an empty CONTINUATION',
      [headers(1, [], ES), frame(T.CONTINUATION, 0, 1), frame(T.CONTINUATION, EH, 1, block(...GET))],
      answered(1),
    ],
    [
      'a cut within a field',
      [headers(1, block(...GET).subarray(0, 11), ES), frame(T.CONTINUATION, EH, 1, block(...GET).subarray(11))],
      answered(1),
    ],
    [
      'trailers in two',
      [post(1), headers(1, [['x', 'y']], ES), frame(T.CONTINUATION, EH, 1, block(['z', 'z']))],
      answered(1),
    ],
    [
      '8 of them',
      [headers(1, [], ES), ...many(8, (i) => frame(T.CONTINUATION, i === 7 ? EH : 0, 1, i === 7 ? block(...GET) : ''))],
      answered(1),
    ],
    ['9 of them', [headers(1, [], ES), ...many(9, () => frame(T.CONTINUATION, 0, 1))], goaway(CALM)],
    ['without HEADERS', [frame(T.CONTINUATION, EH, 1, block(...GET))], goaway(PROTOCOL)],
    ['after END_HEADERS', [get(1), frame(T.CONTINUATION, EH, 1, block(['x', 'y']))], goaway(PROTOCOL, CLOSED)],
    [
      'after another CONTINUATION with END_HEADERS',
      [headers(1, GET, ES), frame(T.CONTINUATION, EH, 1), frame(T.CONTINUATION, EH, 1)],
      goaway(PROTOCOL, CLOSED),
    ],
    ['on stream 0', [headers(1, GET, ES), frame(T.CONTINUATION, EH, 0)], goaway(PROTOCOL)],
    ['on another stream', [headers(1, GET, ES), frame(T.CONTINUATION, EH, 3)], goaway(PROTOCOL)],
    ['interrupted by DATA', [headers(1, GET, 0), data(1, 'x')], goaway(PROTOCOL)],
    ['interrupted by HEADERS', [headers(1, GET, ES), get(3)], goaway(PROTOCOL)],
    ['interrupted by PRIORITY', [headers(1, GET, ES), frame(T.PRIORITY, 0, 1, raw('00000000 10'))], goaway(PROTOCOL)],
    ['interrupted by RST_STREAM', [headers(1, GET, ES), reset(1)], goaway(PROTOCOL)],
    ['interrupted by SETTINGS', [headers(1, GET, ES), settings()], goaway(PROTOCOL)],
    ['interrupted by PING', [headers(1, GET, ES), ping], goaway(PROTOCOL)],
    ['interrupted by GOAWAY', [headers(1, GET, ES), frame(T.GOAWAY, 0, 0, u32(0, 0))], goaway(PROTOCOL)],
    ['interrupted by WINDOW_UPDATE', [headers(1, GET, ES), windowUpdate(0, 1)], goaway(PROTOCOL)],
    ['interrupted by PUSH_PROMISE', [headers(1, GET, ES), frame(T.PUSH_PROMISE, EH, 1, u32(2))], goaway(PROTOCOL)],
  ]),
  ...section('6.10', 'client', [
    ['a response in two', [headers(1, OK, ES), frame(T.CONTINUATION, EH, 1, block(['x', 'y']))], accepted],
    [
      'interrupted by HEADERS of another stream',
      [headers(1, OK, 0), headers(3, OK)],
      goaway(PROTOCOL),
      { opens: ['GET', 'GET'] },
    ],
  ]),
]

const messages: ConformanceCase[] = [
  ...section('8.1', 'server', [
    ['head, body, trailers', [post(1), data(1, 'abc'), headers(1, [['x-sum', '1']])], answered(1)],
    ['trailers without a body', [post(1), headers(1, [['x-sum', '1']])], answered(1)],
    ['trailers that do not end the stream', [post(1), headers(1, [['x-sum', '1']], EH)], rst(1, PROTOCOL)],
    ['trailers with a pseudo-header', [post(1), headers(1, [[':path', '/']])], rst(1, PROTOCOL)],
    ['a second request on a stream', [post(1), headers(1, GET)], rst(1, PROTOCOL)],
    [
      'DATA after trailers',
      [
        headers(
          1,
          path('/hold').map(([n, v]) => [n, n === ':method' ? 'POST' : v]),
          EH,
        ),
        headers(1, [['x', 'y']]),
        data(1, 'x'),
      ],
      either(1, CLOSED),
    ],
  ]),
  ...section('8.1', 'client', [
    ['head, body, trailers', [ok(1), data(1, 'abc'), headers(1, [['x-sum', '1']])], accepted],
    [
      '100 and 103 before the response',
      [headers(1, [[':status', '100']], EH), headers(1, [[':status', '103']], EH), headers(1, OK)],
      accepted,
    ],
    ['1xx that ends the stream', [headers(1, [[':status', '103']])], rst(1, PROTOCOL)],
    ['101', [headers(1, [[':status', '101']], EH)], rst(1, PROTOCOL)],
    ['more than 16 of 1xx', many(17, () => headers(1, [[':status', '103']], EH)), rst(1, CALM)],
    ['1xx after the response', [ok(1), headers(1, [[':status', '103']], EH)], rst(1, PROTOCOL)],
    ['DATA before the response', [data(1, 'x')], rst(1, PROTOCOL)],
    ['DATA between 1xx and the response', [headers(1, [[':status', '100']], EH), data(1, 'x')], rst(1, PROTOCOL)],
    ['a second response', [ok(1), headers(1, OK, EH)], rst(1, PROTOCOL)],
    ['a reset before the response', [reset(1, 7)], accepted],
  ]),
  ...section('8.1.1', 'server', [
    ['a length that is kept', [post(1, ['content-length', '3']), data(1, 'ab'), data(1, 'c', ES)], answered(1)],
    [
      'a length that is kept, with padding',
      [post(1, ['content-length', '1']), data(1, raw('02 61 0000'), PADDED | ES)],
      answered(1),
    ],
    ['more than the length', [post(1, ['content-length', '3']), data(1, 'abcd', ES)], rst(1, PROTOCOL)],
    [
      'more than the length, in two',
      [post(1, ['content-length', '3']), data(1, 'ab'), data(1, 'cd')],
      rst(1, PROTOCOL),
    ],
    ['less than the length', [post(1, ['content-length', '3']), data(1, 'ab', ES)], rst(1, PROTOCOL)],
    [
      'less than the length, then trailers',
      [post(1, ['content-length', '3']), data(1, 'ab'), headers(1, [['x', 'y']])],
      rst(1, PROTOCOL),
    ],
    ['a length without a body', [get(1, [...POST, ['content-length', '3']])], rst(1, PROTOCOL)],
    ['a length of 0 without a body', [get(1, [...POST, ['content-length', '0']])], answered(1)],
    ['a length of 0 and an empty body', [post(1, ['content-length', '0']), data(1, '', ES)], answered(1)],
    ['a length of 0 and a body', [post(1, ['content-length', '0']), data(1, 'x', ES)], rst(1, PROTOCOL)],
    ['two lengths', [post(1, ['content-length', '3'], ['content-length', '3']), data(1, 'abc', ES)], rst(1, PROTOCOL)],
    ['a length with a sign', [post(1, ['content-length', '+3']), data(1, 'abc', ES)], rst(1, PROTOCOL)],
    ['a list of lengths', [post(1, ['content-length', '3,3']), data(1, 'abc', ES)], rst(1, PROTOCOL)],
    ['an empty length', [post(1, ['content-length', '']), data(1, 'abc', ES)], rst(1, PROTOCOL)],
    ['a length over 2^53', [post(1, ['content-length', '99999999999999999999'])], rst(1, PROTOCOL)],
    ['an expectation that nobody knows', [get(1, [...GET, ['expect', 'miracles']])], answered(1, 417)],
    ['100-continue', [post(1, ['expect', '100-continue']), data(1, 'x', ES)], answered(1)],
  ]),
  ...section('8.1.1', 'client', [
    ['a length that is kept', [ok(1, ['content-length', '3']), data(1, 'abc', ES)], accepted],
    ['more than the length', [ok(1, ['content-length', '3']), data(1, 'abcd', ES)], rst(1, PROTOCOL)],
    ['less than the length', [ok(1, ['content-length', '3']), data(1, 'ab', ES)], rst(1, PROTOCOL)],
    ['a length in an answer to HEAD', [headers(1, [...OK, ['content-length', '3']])], accepted, { opens: ['HEAD'] }],
    ['a body in an answer to HEAD', [ok(1), data(1, 'abc', ES)], rst(1, PROTOCOL), { opens: ['HEAD'] }],
    [
      'an empty DATA in an answer to HEAD',
      [ok(1, ['content-length', '3']), data(1, '', ES)],
      accepted,
      { opens: ['HEAD'] },
    ],
    [
      'a length in 304',
      [
        headers(1, [
          [':status', '304'],
          ['content-length', '3'],
        ]),
      ],
      accepted,
    ],
    ['a body in 204', [headers(1, [[':status', '204']], EH), data(1, 'x', ES)], rst(1, PROTOCOL)],
    ['a length without a body', [headers(1, [...OK, ['content-length', '3']])], rst(1, PROTOCOL)],
  ]),
  ...section('8.2.1', 'server', [
    ['a name in upper case', [badName('X-Test')], rst(1, PROTOCOL)],
    ['an empty name', [badName('')], rst(1, PROTOCOL)],
    ['a name with a space', [badName('x test')], rst(1, PROTOCOL)],
    ['a name with a colon', [badName('x:test')], rst(1, PROTOCOL)],
    ['a name with NUL', [badName('x\0')], rst(1, PROTOCOL)],
    ['a name with CRLF', [badName('x\r\nevil')], rst(1, PROTOCOL)],
    ['a name with a byte over 0x7f', [badName('x\xe4')], rst(1, PROTOCOL)],
    ['a name with DEL', [badName('x\x7f')], rst(1, PROTOCOL)],
    ['a value with CR', [badValue('a\rb')], rst(1, PROTOCOL)],
    ['a value with LF', [badValue('a\nb')], rst(1, PROTOCOL)],
    ['a value with NUL', [badValue('a\0b')], rst(1, PROTOCOL)],
    ['a value that begins with a space', [badValue(' a')], rst(1, PROTOCOL)],
    ['a value that ends with a space', [badValue('a ')], rst(1, PROTOCOL)],
    ['a value that begins with a tab', [badValue('\ta')], rst(1, PROTOCOL)],
    ['a value that ends with a tab', [badValue('a\t')], rst(1, PROTOCOL)],
    ['a value with DEL', [badValue('a\x7fb')], rst(1, PROTOCOL)],
    ['an empty value', [badValue('')], answered(1)],
    ['a value with bytes over 0x7f', [badValue('\xe4\xf6')], answered(1)],
    ['a path with CRLF', [get(1, path('/ HTTP/1.1\r\nx: y'))], rst(1, PROTOCOL)],
    ['an authority with a space', [get(1, replaced(':authority', 'a b'))], rst(1, PROTOCOL)],
    ['a method with a space', [get(1, replaced(':method', 'GET /x'))], rst(1, PROTOCOL)],
    ['an empty method', [get(1, replaced(':method', ''))], rst(1, PROTOCOL)],
    ['trailers with a wrong name', [post(1), headers(1, [['X', 'y']])], rst(1, PROTOCOL)],
    ['trailers with a wrong value', [post(1), headers(1, [['x', 'a\nb']])], rst(1, PROTOCOL)],
  ]),
  ...section('8.2.2', 'server', [
    ...(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'] as const).map((name): Row => [
      name,
      [badName(name)],
      rst(1, PROTOCOL),
    ]),
    ['transfer-encoding: chunked', [get(1, [...POST, ['transfer-encoding', 'chunked']])], rst(1, PROTOCOL)],
    ['te: gzip', [get(1, [...GET, ['te', 'gzip']])], rst(1, PROTOCOL)],
    ['te: trailers, gzip', [get(1, [...GET, ['te', 'trailers, gzip']])], rst(1, PROTOCOL)],
    ['te: trailers', [get(1, [...GET, ['te', 'trailers']])], answered(1)],
    ['transfer-encoding in trailers', [post(1), headers(1, [['transfer-encoding', 'chunked']])], rst(1, PROTOCOL)],
  ]),
  ...section('8.2.2', 'client', [
    ['connection in a response', [headers(1, [...OK, ['connection', 'close']])], rst(1, PROTOCOL)],
    ['transfer-encoding in a response', [headers(1, [...OK, ['transfer-encoding', 'chunked']])], rst(1, PROTOCOL)],
  ]),
  ...section('8.2.3', 'server', [
    ['a cookie in crumbs', [get(1, [...GET, ['cookie', 'a=1'], ['cookie', 'b=2'], ['cookie', 'c=3']])], answered(1)],
  ]),
  ...section('8.3', 'server', [
    ['a pseudo-header after a field', [get(1, [...GET.slice(0, 3), ['x', 'y'], GET[3]!])], rst(1, PROTOCOL)],
    ['an unknown pseudo-header', [get(1, [...GET, [':test', 'x']])], rst(1, PROTOCOL)],
    ['a pseudo-header of responses', [get(1, [...GET, [':status', '200']])], rst(1, PROTOCOL)],
    ['two methods', [get(1, [...GET, [':method', 'GET']])], rst(1, PROTOCOL)],
    ['two schemes', [get(1, [...GET, [':scheme', 'http']])], rst(1, PROTOCOL)],
    ['two paths', [get(1, [...GET, [':path', '/']])], rst(1, PROTOCOL)],
    ['two authorities', [get(1, [...GET, [':authority', 'shop.test']])], rst(1, PROTOCOL)],
    ['a pseudo-header in upper case', [get(1, [...without(':method'), [':Method', 'GET']])], rst(1, PROTOCOL)],
  ]),
  ...section('8.3.1', 'server', [
    ['no method', [get(1, without(':method'))], rst(1, PROTOCOL)],
    ['no scheme', [get(1, without(':scheme'))], rst(1, PROTOCOL)],
    ['no path', [get(1, without(':path'))], rst(1, PROTOCOL)],
    ['an empty path', [get(1, path(''))], rst(1, PROTOCOL)],
    ['a path without a slash', [get(1, path('x'))], rst(1, PROTOCOL)],
    ['* with GET', [get(1, path('*'))], rst(1, PROTOCOL)],
    ['* with OPTIONS', [get(1, [[':method', 'OPTIONS'], ...path('*').slice(1)])], answered(1), { codecOnly: true }],
    ['neither authority nor Host', [get(1, without(':authority'))], rst(1, PROTOCOL)],
    ['Host alone', [get(1, [...without(':authority'), ['host', 'shop.test']])], answered(1)],
    ['Host as the authority', [get(1, [...GET, ['host', 'shop.test']])], answered(1)],
    ['Host in another case', [get(1, [...GET, ['host', 'SHOP.test']])], answered(1)],
    ['Host other than the authority', [get(1, [...GET, ['host', 'bank.test']])], rst(1, PROTOCOL)],
    ['two Host fields', [get(1, [...without(':authority'), ['host', 'a'], ['host', 'a']])], rst(1, PROTOCOL)],
    ['only pseudo-headers of nothing', [get(1, [])], rst(1, PROTOCOL)],
  ]),
  ...section('8.3.2', 'client', [
    ['no status', [headers(1, [['x', 'y']])], rst(1, PROTOCOL)],
    ['two statuses', [headers(1, [...OK, ...OK])], rst(1, PROTOCOL)],
    ['a status of two digits', [headers(1, [[':status', '20']])], rst(1, PROTOCOL)],
    ['a status of four digits', [headers(1, [[':status', '2000']])], rst(1, PROTOCOL)],
    ['a status that is no number', [headers(1, [[':status', '2x0']])], rst(1, PROTOCOL)],
    ['a status below 100', [headers(1, [[':status', '099']])], rst(1, PROTOCOL)],
    ['a pseudo-header of requests', [headers(1, [...OK, [':path', '/']])], rst(1, PROTOCOL)],
    ['a pseudo-header after a field', [headers(1, [['x', 'y'], ...OK])], rst(1, PROTOCOL)],
    ['a status in trailers', [ok(1), headers(1, OK)], rst(1, PROTOCOL)],
  ]),
  ...section('8.5', 'server', [
    ['CONNECT with a path', [get(1, replaced(':method', 'CONNECT'))], rst(1, PROTOCOL)],
    ['CONNECT without an authority', [get(1, [[':method', 'CONNECT']])], rst(1, PROTOCOL)],
    [
      'HEADERS in a tunnel',
      [
        headers(
          1,
          [
            [':method', 'CONNECT'],
            [':authority', 'a.test:80'],
          ],
          EH,
        ),
        headers(1, [['x', 'y']]),
      ],
      rst(1, PROTOCOL),
      { codecOnly: true },
    ],
    [
      'DATA in a tunnel',
      [
        headers(
          1,
          [
            [':method', 'CONNECT'],
            [':authority', 'a.test:80'],
          ],
          EH,
        ),
        data(1, 'x'),
      ],
      accepted,
      { codecOnly: true },
    ],
  ]),
  ...section('8441 3', 'server', [
    ['the setting 2', [settings(8, 2)], goaway(PROTOCOL)],
    ['the setting withdrawn', [settings(8, 1), settings(8, 0)], goaway(PROTOCOL)],
    [
      'extended CONNECT that was not offered',
      [get(1, [...replaced(':method', 'CONNECT'), [':protocol', 'websocket']])],
      rst(1, PROTOCOL),
      { codecOnly: true },
    ],
  ]),
  ...section('8441 4', 'server', [
    [
      'extended CONNECT',
      [headers(1, [...replaced(':method', 'CONNECT'), [':protocol', 'websocket']], EH), data(1, 'x')],
      accepted,
      { connectProtocol: true, codecOnly: true },
    ],
    [':protocol with GET', [get(1, [...GET, [':protocol', 'websocket']])], rst(1, PROTOCOL), { connectProtocol: true }],
    [
      'extended CONNECT without a path',
      [
        get(1, [
          [':method', 'CONNECT'],
          [':scheme', 'http'],
          [':authority', 'a'],
          [':protocol', 'websocket'],
        ]),
      ],
      rst(1, PROTOCOL),
      { connectProtocol: true },
    ],
  ]),
]

const abuses: ConformanceCase[] = section('10.5', 'server', [
  [
    'a list of fields over the limit',
    [
      headers(1, GET, ES),
      ...many(7, (i) => frame(T.CONTINUATION, i === 6 ? EH : 0, 1, block([`x-${i}`, 'x'.repeat(12_000)]))),
      get(3),
    ],
    answered(1, 431),
  ],
  [
    '101 fields',
    [get(1, [...GET, ...Array.from({ length: 101 }, (_, i): Field => [`x-${i}`, ''])]), get(3)],
    answered(1, 431),
  ],
  [
    'a cookie in 200 crumbs',
    [get(1, [...GET, ...Array.from({ length: 200 }, (): Field => ['cookie', 'a=1'])]), get(3)],
    answered(1, 431),
  ],
  [
    'a header block bomb',
    [
      headers(1, Buffer.concat([block(...GET), indexedBlock(['x', 'y'.repeat(3000)]), Buffer.alloc(10_000, 0xbe)])),
      get(3),
    ],
    goaway(COMPRESSION, CALM),
  ],
  [
    'a CONTINUATION flood',
    [headers(1, GET, ES), ...many(1000, () => frame(T.CONTINUATION, 0, 1, block(['x', 'y'])))],
    goaway(CALM),
  ],
  [
    'a header block without end',
    [headers(1, GET, ES), ...many(20, () => frame(T.CONTINUATION, 0, 1, Buffer.alloc(16_384)))],
    goaway(CALM, COMPRESSION),
  ],
  ['a flood of SETTINGS', many(3000, () => settings()), goaway(CALM)],
  ['a flood of PING', many(3000, () => ping), goaway(CALM)],
  ['a flood of PING answers', many(3000, () => frame(T.PING, ACK, 0, 'abcdefgh')), goaway(CALM)],
  ['a flood of empty DATA', [post(1), ...many(3000, () => data(1, ''))], goaway(CALM)],
  ['a flood of padding', [post(1), ...many(3000, () => data(1, raw('01 00'), PADDED))], goaway(CALM)],
  ['a flood of PRIORITY', many(5000, () => frame(T.PRIORITY, 0, 1, raw('00000000 10'))), goaway(CALM)],
  ['a flood of WINDOW_UPDATE', many(10_000, () => windowUpdate(0, 1)), goaway(CALM)],
  [
    'a flood of WINDOW_UPDATE on a closed stream',
    [post(1), reset(1), ...many(10_000, () => windowUpdate(1, 1))],
    goaway(CALM),
  ],
  ['a flood of unknown frames', many(3000, () => unknown(0)), goaway(CALM)],
  [
    'a flood of empty header blocks',
    many(3000, (i) => Buffer.concat([headers(2 * i + 1, [], 0), frame(T.CONTINUATION, EH | ES, 2 * i + 1)])),
    goaway(CALM),
  ],
  ['rapid reset', many(10_000, (i) => Buffer.concat([get(2 * i + 1, path('/never')), reset(2 * i + 1)])), goaway(CALM)],
  [
    'resets by windows of 0 (MadeYouReset)',
    many(10_000, (i) => Buffer.concat([post(2 * i + 1), windowUpdate(2 * i + 1, 0)])),
    goaway(CALM),
  ],
  [
    'resets by windows too large',
    many(10_000, (i) => Buffer.concat([post(2 * i + 1), windowUpdate(2 * i + 1, MAX)])),
    goaway(CALM),
  ],
  [
    'resets by DATA over a length',
    many(10_000, (i) => Buffer.concat([post(2 * i + 1, ['content-length', '1']), data(2 * i + 1, 'xx')])),
    goaway(CALM),
  ],
  ['a flood of malformed requests', many(10_000, (i) => get(2 * i + 1, [])), goaway(CALM)],
  ['a flood of streams over the limit', many(10_000, (i) => post(2 * i + 1)), goaway(CALM)],
  [
    '999 cancelled requests',
    [...many(999, (i) => Buffer.concat([post(2 * i + 1), reset(2 * i + 1)])), get(1999)],
    answered(1999),
  ],
])

export const CONFORMANCE: ConformanceCase[] = [...framing, ...hpack, ...states, ...frames, ...messages, ...abuses]
