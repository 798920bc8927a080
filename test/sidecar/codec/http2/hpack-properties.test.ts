/** HPACK by properties, the Huffman code against a slow reader, and other programs' blocks (POCKETMESH_SHARED). */
import { join } from 'node:path'
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { BlockReader } from '../../../../src/sidecar/codec/http2/hpack/block-reader.ts'
import { HpackDecoder } from '../../../../src/sidecar/codec/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../../src/sidecar/codec/http2/hpack/encoder.ts'
import type { MessageKind } from '../../../../src/sidecar/codec/http2/hpack/head-builder.ts'
import { CODE_BITS, decodeHuffman } from '../../../../src/sidecar/codec/http2/hpack/huffman.ts'
import { Head } from '../../../../src/sidecar/codec/head.ts'
import { COMPRESSION_FAULT, DONE, HEADERS_TOO_LARGE, MALFORMED } from '../../../../src/sidecar/codec/verdict.ts'
import { encodeFields, type Field, readFields, runHpackCorpus } from '../../../corpus-hpack.ts'
import { lines } from './blocks.ts'

const CODES = huffmanCodes()

function huffmanCodes(): string[] {
  const order = CODE_BITS.map((bits, symbol) => ({ bits, symbol })).toSorted((a, b) => a.bits - b.bits || a.symbol - b.symbol) // prettier-ignore
  const codes: string[] = []
  let code = 0
  let before = order[0]!.bits
  for (const { bits, symbol } of order) {
    code *= 2 ** (bits - before)
    before = bits
    codes[symbol] = code.toString(2).padStart(bits, '0')
    code++
  }
  return codes
}

function huffman(text: Buffer): Buffer {
  let bits = Array.from(text, (byte) => CODES[byte]!).join('')
  bits += '1'.repeat((8 - (bits.length % 8)) % 8)
  return Buffer.from(Array.from({ length: bits.length / 8 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8), 2)))
}

/** Bit by bit, to compare with. */
function slowHuffman(coded: Uint8Array): number[] | undefined {
  const bits = Array.from(coded, (byte) => byte.toString(2).padStart(8, '0')).join('')
  const symbols = new Map(CODES.map((code, symbol) => [code, symbol]))
  const out: number[] = []
  let from = 0
  for (let to = 1; to <= bits.length; to++) {
    const symbol = symbols.get(bits.slice(from, to))
    if (symbol === undefined) continue
    if (symbol === 256) return undefined
    out.push(symbol)
    from = to
  }
  return bits.length - from < 8 && !bits.slice(from).includes('0') ? out : undefined
}

const same = (a: number[] | undefined, b: number[] | undefined): boolean => JSON.stringify(a) === JSON.stringify(b)

t.test('the Huffman code', async (t: Test) => {
  t.equal(CODES[256], '1'.repeat(30), 'the lengths make a whole code')
  const out = Buffer.alloc(4096)
  const decodeText = (coded: Uint8Array): number[] | undefined => {
    const end = decodeHuffman(coded, 0, coded.length, out, 0)
    return end < 0 ? undefined : [...out.subarray(0, end)]
  }
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  t.same(decodeText(huffman(all)), [...all])
  fc.assert(fc.property(fc.uint8Array(), (text) => same(decodeText(huffman(Buffer.from(text))), [...text])))
  const ones = fc.constantFrom(0xff, 0xff, 0xfe, 0x1f, 0x00)
  fc.assert(
    fc.property(fc.array(fc.oneof(ones, fc.integer({ min: 0, max: 255 })), { maxLength: 12 }), (bytes) => {
      const coded = Uint8Array.from(bytes)
      return same(decodeText(coded), slowHuffman(coded))
    }),
    { numRuns: 1000 },
  )
})

const token = fc.constantFrom('accept', 'x-a', 'X-Bc', 'cookie', 'date', 'authorization', 'x-request-id', 'content_length', 'q') // prettier-ignore
const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'gzip, deflate', 'v'.repeat(200), 'w'.repeat(3000)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
)
const anyField = fc.tuple(token, text, fc.boolean()) as fc.Arbitrary<Field>
const anyPseudo: fc.Arbitrary<Field> = fc.constantFrom<Field>([':path', '/a'], [':path', '/b'], [':method', 'GET'], [':status', '200'], [':status', '418'], [':authority', 'x']) // prettier-ignore
const anyBlock = fc.record({
  limit: fc.option(fc.constantFrom(0, 40, 100, 1000, 4096, 10_000, 65_536), { nil: undefined }),
  fields: fc.array(fc.oneof(anyPseudo, anyField), { maxLength: 30 }),
})

t.test('what is encoded is decoded, with tables of any size and changes of it', async () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 64, 500, 4096, 65_536), fc.array(anyBlock, { maxLength: 12 }), (bound, blocks) => {
      const encoder = new HpackEncoder(bound)
      const reader = new BlockReader(4096)
      for (const { limit, fields } of blocks) {
        if (limit !== undefined) {
          encoder.setPeerLimit(limit)
          reader.setMaxTableBytes(limit)
        }
        const back = readFields(reader, encodeFields(encoder, fields))
        if (back?.length !== fields.length) return false
        for (const [i, [name, value, sensitive]] of back.entries()) {
          const [wantName, wantValue, wantSensitive = false] = fields[i]!
          if (name !== wantName.toLowerCase() || value !== wantValue) return false
          if (wantSensitive && sensitive !== true) return false
        }
      }
      return true
    }),
    { numRuns: 300 },
  )
})

t.test('a head has the fields of its block in order, also where the table moves while it is read', async () => {
  const value = fc.oneof(
    fc.constantFrom('', 'a', 'b', 'gzip, deflate', 'v'.repeat(90), 'w'.repeat(300)),
    fc.integer({ min: 0, max: 50 }).map((n) => String(n).repeat(20)),
  )
  const field = fc.tuple(
    fc.constantFrom('accept', 'x-a', 'x-bc', 'date', 'x-request-id', 'q'),
    value,
    fc.constant(false),
  )
  const blocks = fc.array(fc.array(field as fc.Arbitrary<Field>, { maxLength: 20 }), { maxLength: 12 })
  fc.assert(
    fc.property(fc.constantFrom(0, 500, 1500, 4096, 65_536), blocks, (bound, all) => {
      const encoder = new HpackEncoder(bound)
      encoder.setPeerLimit(65_536)
      const decoder = new HpackDecoder(65_536)
      const head = new Head()
      for (const fields of [...all, ...all, ...all, ...all]) {
        const block = encodeFields(encoder, fields)
        if (decoder.decode(block, 0, block.length, head, 'trailers', 65_536) !== DONE) return false
        const expected = fields.map(([name, text]) => `${name}: ${text}`)
        if (JSON.stringify(lines(head)) !== JSON.stringify(expected)) return false
        const last = head.count - 1
        const whole = last < 0 ? '' : head.text(head.nameStart(0), head.valueEnd(last) + 2)
        if (whole !== expected.map((line) => `${line}\r\n`).join('')) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
})

t.test('any bytes are read or refused: no exception, no list over its limit', async () => {
  // first bytes of each representation are likelier than chance would have them
  const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x40, 0x00, 0x10, 0x20, 0x3f, 0x82, 0xbe, 0xbf, 0x01, 0x81)) // prettier-ignore
  const block = fc.array(byte, { maxLength: 60 })
  fc.assert(
    fc.property(
      fc.array(block, { maxLength: 10 }),
      fc.constantFrom<MessageKind>('request', 'response', 'trailers'),
      (blocks, kind) => {
        const decoder = new HpackDecoder(200)
        const head = new Head()
        for (const bytes of blocks) {
          const verdict = decoder.decode(Buffer.from(bytes), 0, bytes.length, head, kind, 300)
          const size = lines(head).reduce((sum, line) => sum + line.length + 30, 0)
          if (verdict === DONE && size > 300 + 100) return false
          if (![DONE, MALFORMED, HEADERS_TOO_LARGE, COMPRESSION_FAULT].includes(verdict)) return false
          if (verdict === COMPRESSION_FAULT) break
        }
        return true
      },
    ),
    { numRuns: 3000 },
  )
})

const shared = process.env['POCKETMESH_SHARED']
t.test(
  'other programs’ blocks',
  { skip: shared === undefined ? 'POCKETMESH_SHARED is not set' : false },
  async (t: Test) => {
    const { stories, wrong } = runHpackCorpus(join(shared!, 'corpus'))
    t.same(wrong, [])
    t.comment(`${stories} stories`)
  },
)
