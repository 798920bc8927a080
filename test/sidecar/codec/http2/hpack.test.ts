/** HPACK by RFC 7541: its own vectors, its faults, its tables; what an encoder does with secrets and repetition. */
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { BlockReader } from '../../../../src/sidecar/codec/http2/hpack/block-reader.ts'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../../src/sidecar/codec/http2/hpack/encoder.ts'
import { PSEUDO_BIT } from '../../../../src/sidecar/codec/http2/hpack/fields.ts'
import { readInteger, writeInteger } from '../../../../src/sidecar/codec/http2/hpack/integer.ts'
import { hashField, LookupTable } from '../../../../src/sidecar/codec/http2/hpack/lookup.ts'
import { DynamicTable } from '../../../../src/sidecar/codec/http2/hpack/table.ts'
import { Head } from '../../../../src/sidecar/codec/head.ts'
import { hashName, headerName } from '../../../../src/sidecar/codec/names.ts'
import { COMPRESSION_FAULT, DONE } from '../../../../src/sidecar/codec/verdict.ts'
import { encodeFields, type Field, readFields, TestSink } from '../../../corpus-hpack.ts'
import { hex, literal, MAX_LIST_BYTES, NEVER_INDEXED, plus, WITH_INDEXING, without } from './blocks.ts'

const VECTORS: [what: string, blocks: [hex: string, fields: Field[]][]][] = [
  [
    'C.2.1 literal with indexing',
    [['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]]],
  ],
  ['C.2.2 literal without indexing', [['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]]]],
  ['C.2.3 literal never indexed', [['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret', true]]]]],
  ['C.2.4 indexed', [['82', [[':method', 'GET']]]]],
  ...requestVectors(),
  ...responseVectors(),
]

function requestVectors(): typeof VECTORS {
  const common: Field[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ]
  const first = common
  const second: Field[] = [...common, ['cache-control', 'no-cache']]
  const third: Field[] = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ]
  return [
    [
      'C.3 requests without Huffman',
      [
        ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', first],
        ['8286 84be 5808 6e6f 2d63 6163 6865', second],
        ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', third],
      ],
    ],
    [
      'C.4 requests with Huffman',
      [
        ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', first],
        ['8286 84be 5886 a8eb 1064 9cbf', second],
        ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', third],
      ],
    ],
  ]
}

/** In a table of 256 bytes: each block begins on what the eviction of the one before has left. */
function responseVectors(): typeof VECTORS {
  const resize = '3f e1 01 '
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT'
  const place: Field = ['location', 'https://www.example.com']
  const first: Field[] = [[':status', '302'], ['cache-control', 'private'], ['date', date], place]
  const second: Field[] = [[':status', '307'], ['cache-control', 'private'], ['date', date], place]
  const third: Field[] = [
    [':status', '200'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    place,
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ]
  return [
    [
      'C.5 responses without Huffman',
      [
        [
          `${resize}4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
          first,
        ],
        ['4803 3330 37c1 c0bf', second],
        [
          '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
          third,
        ],
      ],
    ],
    [
      'C.6 responses with Huffman',
      [
        [
          `${resize}4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
          first,
        ],
        ['4883 640e ffc1 c0bf', second],
        [
          '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
          third,
        ],
      ],
    ],
  ]
}

t.test('the vectors of RFC 7541 appendix C', async (t: Test) => {
  for (const [what, blocks] of VECTORS) {
    const reader = new BlockReader(4096)
    for (const [block, fields] of blocks) t.same(readFields(reader, hex(block)), fields, what)
  }
})

t.test('integers', async (t: Test) => {
  const buf = Buffer.alloc(8)
  for (const [value, prefixMax, bytes] of [
    [10, 31, '0a'], // C.1.1
    [1337, 31, '1f9a0a'], // C.1.2
    [42, 255, '2a'], // C.1.3
    [31, 31, '1f00'],
  ] as const)
    t.equal(buf.toString('hex', 0, writeInteger(buf, 0, value, prefixMax, 0)), bytes)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffff }), fc.constantFrom(15, 31, 63, 127), (value, prefixMax) => {
      const end = writeInteger(buf, 0, value, prefixMax, 0)
      if (end === 1) return buf[0] === value
      const more = readInteger(buf, 1, end)
      return prefixMax + (more >> 3) === value && 1 + (more & 7) === end
    }),
  )
})

/** Blocks that put the tables out of step, one fault each. `62` is the first index of the dynamic table. */
const FAULTS: [what: string, ...blocks: string[]][] = [
  ['index 0', '80'],
  ['an index beyond the static table, nothing in the dynamic one', 'be'],
  ['an index beyond the dynamic table', '4001610162', 'bf'],
  ['a name index beyond the tables', '7f0001 61'],
  ['an index that overflows', 'ffffffffff7f'],
  ['an index that wraps 32 bits to 2', 'ff83ffffff0f'],
  ['an integer that is padded without end', 'ff80808080808080808000'],
  ['an integer that is cut off', 'ff80'],
  ['a name length that overflows', '407fffffffff7f'],
  ['a name longer than the block', '40 05 6161'],
  ['a value longer than the block', '40 01 61 05 62'],
  ['a field without a value', '40 01 61'],
  ['a literal without a name', '40'],
  ['a size over the bound', '3fe21f'],
  ['a size that overflows', '3fffffffffff7f'],
  ['a size behind a field', '8220'],
  ['an entry after the table was emptied', '4001610162', '20be'],
  ['an entry that was larger than the table, and emptied it', '4001610162', '3f01 4001620163', 'be'],
  ['Huffman: padding of eight ones', '00 82 1fff 00'],
  ['Huffman: padding that is not of ones', '00 81 18 00'],
  ['Huffman: EOS', '00 84 ffffffff 00'],
  ['Huffman: EOS behind a symbol', '00 85 1fffffffff 00'],
]

t.test('faults of compression end the connection', async (t: Test) => {
  for (const [what, ...blocks] of FAULTS) {
    const reader = new BlockReader(4096)
    for (const block of blocks.slice(0, -1)) t.not(readFields(reader, hex(block)), undefined, what)
    t.equal(readFields(reader, hex(blocks.at(-1)!)), undefined, what)
    const decoder = new HpackDecoder(4096)
    const head = new Head()
    const verdicts = blocks.map((b) => decoder.decode(hex(b), 0, hex(b).length, head, 'request', MAX_LIST_BYTES))
    t.equal(verdicts.at(-1), COMPRESSION_FAULT, what)
  }
})

t.test('sizes stand before the first field, and follow what was announced', async (t: Test) => {
  const reader = new BlockReader(4096)
  t.same(readFields(reader, hex('4001610162')), [['a', 'b']])
  t.same(readFields(reader, hex('be')), [['a', 'b']])
  t.same(readFields(reader, hex('203fe11fbe'.slice(0, 8))), [], 'a block may hold sizes alone')
  t.equal(readFields(reader, hex('be')), undefined, 'the first of two sizes emptied the table')
  const smaller = new BlockReader(4096)
  smaller.setMaxTableBytes(100)
  t.equal(readFields(smaller, hex('82')), undefined, 'a smaller table was acknowledged, and is not used')
  const told = new BlockReader(4096)
  told.setMaxTableBytes(100)
  t.same(readFields(told, hex('3f4582')), [[':method', 'GET']])
  t.equal(readFields(told, hex('3f46')), undefined, '101 bytes of 100')
})

t.test('a table holds what its size allows, in memory of the same order', async (t: Test) => {
  const table = new DynamicTable()
  table.resize(65536)
  let largest = 0
  for (let i = 0; i < 20_000; i++) {
    const bytes = i % 7 === 0 ? 1500 : 5 + (i % 40)
    const start = table.reserve(0, bytes)
    table.bytes.fill(i & 0xff, start, start + bytes)
    table.insert(start, start + 1, start + bytes, i, i)
    largest = Math.max(largest, table.bytes.length)
    if (i % 100 !== 0) continue
    t.ok(table.sizeBytes <= 65536)
    const oldest = table.slotOf(table.count - 1)
    t.equal(table.bytes[table.starts[oldest]!], table.kinds[oldest]! & 0xff, 'an entry keeps its bytes')
  }
  t.ok(largest <= 4 * 65536)
  t.equal(table.slotOf(table.count), -1)
  table.resize(0)
  t.equal(table.count + table.sizeBytes, 0)
})

t.test('an entry may be named by one that it drives out', async (t: Test) => {
  const reader = new BlockReader(4096)
  const name = 'n'.repeat(2000)
  t.same(readFields(reader, literal(name, 'a', WITH_INDEXING))?.length, 1)
  const next = Buffer.concat([hex('7e'), literal('', 'b'.repeat(2070)).subarray(2)])
  t.same(readFields(reader, next), [[name, 'b'.repeat(2070)]])
  t.same(readFields(reader, hex('be')), undefined, 'it was larger than the table')
})

t.test('what came never indexed goes on never indexed', async (t: Test) => {
  const decoder = new HpackDecoder(4096)
  const head = new Head()
  const block = Buffer.concat([
    ...without(':path').map(([name, value]) => literal(name, value)),
    literal(':path', '/?token=1', NEVER_INDEXED),
    literal('x-key', 'secret', NEVER_INDEXED),
    literal('x-open', 'b'),
  ])
  t.equal(decoder.decode(block, 0, block.length, head, 'request', MAX_LIST_BYTES), DONE)
  t.equal(head.sensitivePseudos, PSEUDO_BIT.path)
  t.same([head.isSensitive(0), head.isSensitive(1)], [true, false])
  const encoder = new HpackEncoder()
  const reader = new BlockReader(65536)
  const sink = new TestSink()
  for (let round = 0; round < 3; round++) {
    encoder.begin(sink)
    encoder.pseudo('path', '/?token=1', true)
    for (let i = 0; i < head.count; i++) encoder.field(head, i)
    t.same(readFields(reader, sink.take()), [[':path', '/?token=1', true], ['x-key', 'secret', true], ['x-open', 'b']]) // prettier-ignore
  }
})

t.test('secrets are never indexed, unique values not, what repeats is', async (t: Test) => {
  const encoder = new HpackEncoder(4096)
  const reader = new BlockReader(4096)
  const sink = new TestSink()
  const sizes: number[] = []
  const fields: Field[] = [
    ['authorization', 'Bearer x'],
    ['cookie', 'short=1'],
    ['set-cookie', 'a=b; path=/; a long one'],
  ]
  for (let i = 0; i < 3; i++)
    t.same(readFields(reader, encodeFields(encoder, fields)), fields.map(([name, value]) => [name, value, true])) // prettier-ignore
  const id = headerName('x-request-id')
  for (let i = 0; i < 3; i++) {
    encoder.begin(sink)
    encoder.text(id, `0000${i}`, true)
    encoder.text(headerName('server'), 'istio-envoy')
    encoder.text(headerName('authorization'), 'x')
    sizes.push(sink.at)
    t.same(readFields(reader, sink.take()), [['x-request-id', `0000${i}`], ['server', 'istio-envoy'], ['authorization', 'x', true]]) // prettier-ignore
  }
  t.same(sizes.slice(1), [13, 13], 'the name of a unique value is an index, what repeats is one byte')
})

t.test('a head that repeats is one byte a field', async (t: Test) => {
  const encoder = new HpackEncoder(4096)
  const fields = plus(['user-agent', 'curl/7.88.1'], ['accept', '*/*'], ['x-tenant', 'T-1'], ['accept-encoding', 'gzip, deflate']) // prettier-ignore
  const sizes = [0, 0, 0].map(() => encodeFields(encoder, fields).length)
  t.equal(sizes[2], fields.length)
})

t.test('names are written in lower case', async (t: Test) => {
  const encoder = new HpackEncoder(4096)
  const reader = new BlockReader(4096)
  for (let i = 0; i < 3; i++)
    t.same(readFields(reader, encodeFields(encoder, [['X-Tenant', 'T-1'], ['Accept', 'X']])), [['x-tenant', 'T-1'], ['accept', 'X']]) // prettier-ignore
})

t.test('changes of size are told: the least, then the last', async (t: Test) => {
  const encoder = new HpackEncoder(10_000)
  const sink = new TestSink()
  const begin = (): string => {
    encoder.begin(sink)
    return sink.take().toString('hex')
  }
  t.equal(begin(), '', 'a table is of 4096 bytes without a word')
  encoder.setPeerLimit(100_000)
  t.equal(begin(), '3ff14d', 'our own bound')
  encoder.setPeerLimit(0)
  encoder.setPeerLimit(50)
  t.equal(begin(), '203f13')
  t.equal(begin(), '')
  encoder.setPeerLimit(50)
  t.equal(begin(), '')
  const small = new HpackEncoder(64)
  small.begin(sink)
  t.equal(sink.take().toString('hex'), '3f21', 'our own bound may be less than that')
})

t.test('a lookup survives the wrap of its sequence numbers, and values made to collide', async (t: Test) => {
  const table = new LookupTable()
  table.newest = 0x7ffffff0
  const name = Buffer.from('a')
  const nameHash = hashName(name, 0, 1)
  const valueOf = (i: number): Buffer => Buffer.from(`12345678${String(i).padStart(4, '0')}12345678`)
  const hash = hashField(nameHash, valueOf(1), 0, 20)
  t.equal(hashField(nameHash, valueOf(2), 0, 20), hash, 'only the ends are looked at')
  for (let i = 0; i < 40; i++) {
    const start = table.reserve(0, 25)
    table.bytes.write(`a: ${valueOf(i).toString()}\r\n`, start)
    table.insert(start, start + 1, start + 25, hash, nameHash)
    t.equal(table.findField(hash, name, 0, 1, valueOf(i), 0, 20), 0)
    t.equal(table.findField(hash, name, 0, 1, valueOf(i - 5), 0, 20), i < 5 ? -1 : 5)
    t.equal(table.findName(nameHash, name, 0, 1), 0)
  }
  t.ok(table.newest < 0)
  t.equal(table.findField(hash, name, 0, 1, valueOf(0), 0, 20), -1, 'too far down its chain: as if it were not there')
})
