/** HPACK on the path: heads that repeat, with and without values that never do; what Huffman would cost. */
import { Head } from '../../src/sidecar/codec/head.ts'
import { HeadReader } from '../../src/sidecar/codec/http1/head.ts'
import { HpackDecoder } from '../../src/sidecar/codec/http2/hpack/decoder.ts'
import { type BlockSink, HpackEncoder } from '../../src/sidecar/codec/http2/hpack/encoder.ts'
import { decodeHuffman } from '../../src/sidecar/codec/http2/hpack/huffman.ts'
import { headerName } from '../../src/sidecar/codec/names.ts'

const TABLE_BYTES = 64 * 1024
const MAX_LIST_BYTES = 32 * 1024

const REQUEST = Buffer.from(
  'GET /api/v1/items?x=1 HTTP/1.1\r\nHost: checkout:8080\r\nUser-Agent: curl/7.88.1 (x86_64-pc-linux-gnu)\r\n' +
    'Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nContent-Type: application/json\r\nX-Forwarded-Proto: http\r\n' +
    'x-app-tenant: 12345\r\n\r\n',
  'latin1',
)
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 1024\r\n' +
    'Date: Mon, 21 Oct 2013 20:13:21 GMT\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n\r\n',
  'latin1',
)

const REQUEST_ID = headerName('x-request-id')
const TRACEPARENT = headerName('traceparent')
const PEER = headerName('x-envoy-peer-metadata-id')
const SERVER = headerName('server')
const ID = '0b0e2f8e-1111-4222-8333-444455556666'
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const NODE = 'sidecar~127.0.0.1~frontend-abc.default~default.svc.cluster.local'

const sink: BlockSink = {
  buf: Buffer.allocUnsafeSlow(16 * 1024),
  at: 0,
  reserve(bytes: number): void {
    if (this.at + bytes > this.buf.length) throw new RangeError('a block of this bench is small')
  },
}

function read(kind: 'request' | 'response', bytes: Buffer): Head {
  const reader = new HeadReader(kind)
  reader.read(bytes, 0, bytes.length)
  return reader.head
}

const request = read('request', REQUEST)
const response = read('response', RESPONSE)
const encoder = new HpackEncoder(TABLE_BYTES)
encoder.setPeerLimit(TABLE_BYTES)

function encodeRequest(): void {
  sink.at = 0
  encoder.begin(sink)
  encoder.pseudo('method', 'GET')
  encoder.pseudo('scheme', 'http')
  encoder.pseudo('authority', 'checkout:8080')
  encoder.pseudo('path', '/api/v1/items?x=1')
  for (let i = 1; i < request.count; i++) encoder.field(request, i)
  encoder.text(PEER, NODE)
}

function encodeRequestWithIds(): void {
  encodeRequest()
  encoder.text(REQUEST_ID, ID, true)
  encoder.text(TRACEPARENT, TRACE, true)
}

function encodeResponse(): void {
  sink.at = 0
  encoder.begin(sink)
  encoder.status(200)
  for (let i = 0; i < response.count; i++) encoder.field(response, i)
  encoder.text(SERVER, 'istio-envoy')
}

const decoder = new HpackDecoder(TABLE_BYTES)
const head = new Head()

/** The block of `encode` once all that repeats is in the tables. */
function settled(encode: () => void, kind: 'request' | 'response'): Buffer {
  for (let round = 0; round < 3; round++) {
    encode()
    decoder.decode(sink.buf, 0, sink.at, head, kind, MAX_LIST_BYTES)
  }
  return Buffer.from(sink.buf.subarray(0, sink.at))
}

// in this order: each adds to the tables, and a block's indexes count from the newest entry
settled(encodeRequestWithIds, 'request')
settled(encodeResponse, 'response')
const requestBlock = settled(encodeRequest, 'request')
const requestWithIdsBlock = settled(encodeRequestWithIds, 'request')
const responseBlock = settled(encodeResponse, 'response')

// `Mon, 21 Oct 2013 20:13:21 GMT`, RFC 7541 appendix C.6.1
const HUFFMAN = Buffer.from('d07abe941054d444a8200595040b8166e082a62d1bff', 'hex')
const text = Buffer.alloc(64)

export const cases: { name: string; run: () => void }[] = [
  { name: 'HPACK encode: a request that repeats, 11 fields', run: encodeRequest },
  { name: 'HPACK encode: the same and two unique values', run: encodeRequestWithIds },
  { name: 'HPACK encode: a response that repeats, 7 fields', run: encodeResponse },
  {
    name: 'HPACK decode: a request that repeats, 11 fields',
    run: () => void decoder.decode(requestBlock, 0, requestBlock.length, head, 'request', MAX_LIST_BYTES),
  },
  {
    name: 'HPACK decode: the same and two unique values',
    run: () => void decoder.decode(requestWithIdsBlock, 0, requestWithIdsBlock.length, head, 'request', MAX_LIST_BYTES),
  },
  {
    name: 'HPACK decode: a response that repeats, 7 fields',
    run: () => void decoder.decode(responseBlock, 0, responseBlock.length, head, 'response', MAX_LIST_BYTES),
  },
  { name: 'Huffman decode: 29 characters', run: () => void decodeHuffman(HUFFMAN, 0, HUFFMAN.length, text, 0) },
]
