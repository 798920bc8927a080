/** What RFC 9113 section 8 makes of the fields of a block: rows, limits, the head that comes of it. */
import t, { type Test } from 'tap'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import type { MessageKind } from '../../../../src/sidecar/codec/http2/hpack/head-builder.ts'
import { Head, MAX_FIELDS } from '../../../../src/sidecar/codec/head.ts'
import { DROPPED, headerName, nameId } from '../../../../src/sidecar/codec/names.ts'
import { COMPRESSION_FAULT, DONE, HEADERS_TOO_LARGE, MALFORMED } from '../../../../src/sidecar/codec/verdict.ts'
import { type Field } from '../../../corpus-hpack.ts'
import { hex, lines, literal, MAX_LIST_BYTES, plus, REQUEST, WITH_INDEXING, without } from './blocks.ts'

function decode(kind: MessageKind, fields: Field[], maxListBytes = MAX_LIST_BYTES): { verdict: number; head: Head } {
  const head = new Head()
  const block = Buffer.concat(fields.map(([name, value]) => literal(name, value)))
  return { verdict: new HpackDecoder(4096).decode(block, 0, block.length, head, kind, maxListBytes), head }
}

const withValue = (name: string, value: string): Field[] =>
  REQUEST.map(([n, v]): Field => (n === name ? [n, value] : [n, v]))
const connect: Field[] = [
  [':method', 'CONNECT'],
  [':authority', 'a:1'],
]
const websocket: Field[] = [...withValue(':method', 'CONNECT'), [':protocol', 'websocket']]

/** One idea a row: what is wrong, or fine, with a message. */
const MESSAGES: [what: string, kind: MessageKind, fields: Field[], verdict: number][] = [
  ['a plain request', 'request', REQUEST, DONE],
  ['pseudo-headers in any order', 'request', REQUEST.toReversed(), DONE],
  ['no field at all', 'request', [], MALFORMED],
  ['no method', 'request', without(':method'), MALFORMED],
  ['no scheme', 'request', without(':scheme'), MALFORMED],
  ['no path', 'request', without(':path'), MALFORMED],
  ['no authority, no Host', 'request', without(':authority'), MALFORMED],
  ['Host for the authority', 'request', [...without(':authority'), ['host', 'a']], DONE],
  ['Host as the authority', 'request', plus(['host', 'A']), DONE],
  ['Host against the authority', 'request', plus(['host', 'b']), MALFORMED],
  ['Host longer than the authority', 'request', plus(['host', 'a:80']), MALFORMED],
  ['two Hosts', 'request', plus(['host', 'a'], ['host', 'a']), MALFORMED],
  ['an empty Host', 'request', plus(['host', '']), MALFORMED],
  ['a pseudo-header twice', 'request', [[':method', 'GET'], ...REQUEST], MALFORMED],
  ['a pseudo-header behind a field', 'request', [['a', 'b'], ...REQUEST], MALFORMED],
  ['an unknown pseudo-header', 'request', plus([':x', 'y']), MALFORMED],
  ['a lone colon', 'request', plus([':', 'y']), MALFORMED],
  ['status in a request', 'request', plus([':status', '200']), MALFORMED],
  ['protocol without CONNECT', 'request', plus([':protocol', 'websocket']), MALFORMED],
  ['an empty path', 'request', withValue(':path', ''), MALFORMED],
  ['a path without slash', 'request', withValue(':path', 'a'), MALFORMED],
  ['a path with a space', 'request', withValue(':path', '/a b'), MALFORMED],
  ['a path with a fragment', 'request', withValue(':path', '/a#b'), MALFORMED],
  ['a path with 8 bits', 'request', withValue(':path', '/\xff'), MALFORMED],
  ['a path with CRLF', 'request', withValue(':path', '/ HTTP/1.1\r\nx: y'), MALFORMED],
  ['a star for GET', 'request', withValue(':path', '*'), MALFORMED],
  ['a star for OPTIONS', 'request', withValue(':path', '*').map(([n, v]): Field => [n, n === ':method' ? 'OPTIONS' : v]), DONE], // prettier-ignore
  ['a method with a space', 'request', withValue(':method', 'GET /x'), MALFORMED],
  ['an empty method', 'request', withValue(':method', ''), MALFORMED],
  ['a method of its own', 'request', withValue(':method', 'purge'), DONE],
  ['a scheme that is none', 'request', withValue(':scheme', 'http://x'), MALFORMED],
  ['a scheme that begins with a digit', 'request', withValue(':scheme', '1http'), MALFORMED],
  ['user information', 'request', withValue(':authority', 'u@a'), MALFORMED],
  ['an authority with a path', 'request', withValue(':authority', 'a/b'), MALFORMED],
  ['an authority with CRLF', 'request', withValue(':authority', 'a\r\nx: y'), MALFORMED],
  ['a port over 65535', 'request', withValue(':authority', 'a:65536'), MALFORMED],
  ['an IPv6 authority', 'request', withValue(':authority', '[::1]:80'), DONE],
  ['CONNECT', 'request', connect, DONE],
  ['CONNECT with a path', 'request', withValue(':method', 'CONNECT'), MALFORMED],
  ['CONNECT without authority', 'request', connect.slice(0, 1), MALFORMED],
  ['extended CONNECT', 'request', websocket, DONE],
  ['extended CONNECT without path', 'request', websocket.filter(([n]) => n !== ':path'), MALFORMED],
  ['a capital in a name', 'request', plus(['Accept', 'b']), MALFORMED],
  ['a space in a name', 'request', plus(['a b', 'c']), MALFORMED],
  ['a colon in a name', 'request', plus(['a:b', 'c']), MALFORMED],
  ['CRLF in a name', 'request', plus(['a\r\nb', 'c']), MALFORMED],
  ['8 bits in a name', 'request', plus(['\xe9', 'c']), MALFORMED],
  ['no name', 'request', plus(['', 'c']), MALFORMED],
  ['CRLF in a value', 'request', plus(['a', 'b\r\nc: d']), MALFORMED],
  ['LF in a value', 'request', plus(['a', 'b\nc']), MALFORMED],
  ['NUL in a value', 'request', plus(['a', 'b\0']), MALFORMED],
  ['DEL in a value', 'request', plus(['a', '\x7f']), MALFORMED],
  ['a space before a value', 'request', plus(['a', ' b']), MALFORMED],
  ['a tab behind a value', 'request', plus(['a', 'b\t']), MALFORMED],
  ['8 bits in a value', 'request', plus(['a', '\x85\xa0\xff']), DONE],
  ['an empty value', 'request', plus(['a', '']), DONE],
  ['connection', 'request', plus(['connection', 'close']), MALFORMED],
  ['keep-alive', 'request', plus(['keep-alive', '1']), MALFORMED],
  ['proxy-connection', 'request', plus(['proxy-connection', 'a']), MALFORMED],
  ['transfer-encoding', 'request', plus(['transfer-encoding', 'chunked']), MALFORMED],
  ['upgrade', 'request', plus(['upgrade', 'h2c']), MALFORMED],
  ['te: trailers', 'request', plus(['te', 'trailers']), DONE],
  ['te: gzip', 'request', plus(['te', 'gzip']), MALFORMED],
  ['te: trailers, gzip', 'request', plus(['te', 'trailers, gzip']), MALFORMED],
  ['a length', 'request', plus(['content-length', '10']), DONE],
  ['a length with a sign', 'request', plus(['content-length', '+10']), MALFORMED],
  ['an empty length', 'request', plus(['content-length', '']), MALFORMED],
  ['a list of lengths', 'request', plus(['content-length', '1, 1']), MALFORMED],
  ['a length over 2^53', 'request', plus(['content-length', '99999999999999999']), MALFORMED],
  ['two lengths', 'request', plus(['content-length', '1'], ['content-length', '1']), MALFORMED],
  ['a response', 'response', [[':status', '200']], DONE],
  ['a response with a field', 'response', [[':status', '999'], ['a', 'b']], DONE], // prettier-ignore
  ['no status', 'response', [['a', 'b']], MALFORMED],
  ['a status of two digits', 'response', [[':status', '20']], MALFORMED],
  ['a status below 100', 'response', [[':status', '099']], MALFORMED],
  ['a status with a sign', 'response', [[':status', '+20']], MALFORMED],
  ['a second status', 'response', [[':status', '200'], [':status', '200']], MALFORMED], // prettier-ignore
  ['101', 'response', [[':status', '101']], MALFORMED],
  ['a path in a response', 'response', [[':status', '200'], [':path', '/']], MALFORMED], // prettier-ignore
  ['trailers', 'trailers', [['grpc-status', '0']], DONE],
  ['no trailers', 'trailers', [], DONE],
  ['a pseudo-header in trailers', 'trailers', [[':status', '200']], MALFORMED],
  ['connection in trailers', 'trailers', [['connection', 'x']], MALFORMED],
]

t.test('messages, by RFC 9113 section 8', async (t: Test) => {
  for (const [what, kind, fields, verdict] of MESSAGES) {
    t.equal(decode(kind, fields).verdict, verdict, what)
    const decoder = new HpackDecoder(65536)
    const head = new Head()
    const inserts = Buffer.concat(fields.map(([name, value]) => literal(name, value, WITH_INDEXING)))
    t.equal(decoder.decode(inserts, 0, inserts.length, head, kind, MAX_LIST_BYTES), verdict, `${what}, into the table`)
    const indexed = Buffer.from(fields.map((_, i) => 0x80 | (61 + fields.length - i)))
    t.equal(decoder.decode(indexed, 0, indexed.length, head, kind, MAX_LIST_BYTES), verdict, `${what}, from the table`)
  }
})

t.test('a head stands in a slab of its own, fields as lines', async (t: Test) => {
  const { head } = decode('request', [...websocket, ['user-agent', 'x'], ['accept', '']])
  t.equal(head.text(head.methodStart, head.methodEnd), 'CONNECT')
  t.equal(head.text(head.schemeStart, head.schemeEnd), 'http')
  t.equal(head.text(head.targetStart, head.targetEnd), '/')
  t.equal(head.text(head.authorityStart, head.authorityEnd), 'a')
  t.equal(head.text(head.protocolStart, head.protocolEnd), 'websocket')
  t.equal(head.text(head.nameStart(0), head.valueEnd(1) + 2), 'user-agent: x\r\naccept: \r\n')
  t.equal(head.id(0), nameId('user-agent'))
  t.equal(head.hash(0), headerName('user-agent').hash)
  t.equal(decode('response', [[':status', '404']]).head.status, 404)
})

t.test('Host is the authority where there is no other', async (t: Test) => {
  const { head } = decode('request', [...without(':authority'), ['host', 'b:80']])
  t.equal(head.text(head.authorityStart, head.authorityEnd), 'b:80')
})

t.test('a name that looks like a framing one is dropped', async (t: Test) => {
  const { head, verdict } = decode('request', plus(['content_length', '5'], ['transfer_encoding', 'chunked']))
  t.equal(verdict, DONE)
  t.same([head.id(0), head.id(1)], [DROPPED, DROPPED])
})

t.test('cookies are joined', async (t: Test) => {
  const { head } = decode(
    'request',
    plus(['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'], ['cookie', 'c'.repeat(2000)]),
  )
  t.equal(head.get(nameId('cookie')), `a=1; b=2; ${'c'.repeat(2000)}`)
  t.equal(head.getByName('cookie'), head.get(nameId('cookie')), 'and no crumb is left')
  t.equal(head.text(head.nameStart(4), head.valueStart(4)), 'cookie: ')
  t.equal(head.text(head.valueEnd(4), head.valueEnd(4) + 2), '\r\n')
  t.equal(
    decode('request', plus(...Array.from({ length: MAX_FIELDS }, (): Field => ['cookie', 'a']))).head.count,
    MAX_FIELDS + 1,
  )
})

t.test('entries keep their bytes while the table moves in the middle of a block', async (t: Test) => {
  const decoder = new HpackDecoder(4096)
  const head = new Head()
  const table: string[] = []
  const sizeOf = (line: string): number => line.length - 2 + 32
  for (let i = 0; i < 2000; i++) {
    // the two oldest entries, then one that drives them out, sometimes with the arena's last bytes
    const [name, value] = [`n${i}`, 'v'.repeat((i * 367) % 1999)]
    const indexes = table.slice(0, 2).map((_, age) => 0x80 | (61 + table.length - age))
    const block = Buffer.concat([Buffer.from(indexes), literal(name, value, WITH_INDEXING)])
    decoder.decode(block, 0, block.length, head, 'trailers', MAX_LIST_BYTES)
    const expected = [...table.slice(0, 2), `${name}: ${value}`]
    if (lines(head).join('|') !== expected.join('|')) t.same(lines(head), expected, `round ${i}`)
    table.push(`${name}: ${value}`)
    while (table.reduce((sum, line) => sum + sizeOf(line), 0) > 4096) table.shift()
  }
})

t.test('a list is counted as RFC 9113 section 10.5.1 says, and the table stays in step', async (t: Test) => {
  const fields = plus(['a', 'b'])
  const bytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
  t.equal(decode('request', fields, bytes).verdict, DONE)
  t.equal(decode('request', fields, bytes - 1).verdict, HEADERS_TOO_LARGE)
  const many = Array.from({ length: MAX_FIELDS }, (_, i): Field => [`a${i}`, ''])
  t.equal(decode('request', plus(...many)).verdict, DONE)
  t.equal(decode('request', plus(...many, ['b', ''])).verdict, HEADERS_TOO_LARGE) // prettier-ignore

  const decoder = new HpackDecoder(4096)
  const head = new Head()
  const decodeAll = (block: Buffer, maxListBytes = MAX_LIST_BYTES): number =>
    decoder.decode(block, 0, block.length, head, 'trailers', maxListBytes)
  t.equal(decodeAll(Buffer.concat([literal('a', 'x'.repeat(200)), literal('b', 'c', WITH_INDEXING)]), 100), HEADERS_TOO_LARGE) // prettier-ignore
  t.equal(decodeAll(hex('be')), DONE)
  t.same(lines(head), ['b: c'], 'what came behind the limit is in the table')
  t.equal(decodeAll(Buffer.concat([literal('Bad', 'x'), literal('d', 'e', WITH_INDEXING)])), MALFORMED)
  t.equal(decodeAll(hex('be')), DONE)
  t.same(lines(head), ['d: e'], 'what came behind a bad field is in the table')
})

t.test('a bomb (one byte for a whole table) costs a stream, then the connection', async (t: Test) => {
  const decoder = new HpackDecoder(4096)
  const head = new Head()
  const plant = literal('x', 'x'.repeat(4000), WITH_INDEXING)
  t.equal(decoder.decode(plant, 0, plant.length, head, 'trailers', MAX_LIST_BYTES), DONE)
  const some = Buffer.alloc(20, 0xbe)
  t.equal(decoder.decode(some, 0, some.length, head, 'trailers', MAX_LIST_BYTES), HEADERS_TOO_LARGE)
  t.ok(head.bytes.length <= 2 * MAX_LIST_BYTES, 'no more is written than the limit')
  const many = Buffer.alloc(16_000, 0xbe)
  t.equal(decoder.decode(many, 0, many.length, head, 'trailers', MAX_LIST_BYTES), COMPRESSION_FAULT)
  t.equal(decoder.decode(plant, 0, plant.length, head, 'trailers', MAX_LIST_BYTES), DONE)
  t.equal(decoder.decode(hex('be'), 0, 1, head, 'trailers', MAX_LIST_BYTES), DONE)
  t.ok(head.bytes.length <= 8192, 'a slab that had grown is not kept')
})
