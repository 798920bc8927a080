/** HTTP/1.1: heads as they come in, and as they go out again. */
import { Head } from '../../src/sidecar/codec/head.ts'
import type { ByteSink } from '../../src/sidecar/codec/http1/encode.ts'
import { HOP_BY_HOP, Http1HeadEncoder } from '../../src/sidecar/codec/http1/encode.ts'
import { HeadReader } from '../../src/sidecar/codec/http1/head.ts'
import type { Case } from './case.ts'

const REQUEST = Buffer.from(
  'GET /api/v1/items?x=1 HTTP/1.1\r\nHost: checkout:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n' +
    'Accept-Encoding: gzip, deflate, br\r\nX-Forwarded-Proto: http\r\nx-app-tenant: 12345\r\n\r\n',
  'latin1',
)
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 1024\r\n' +
    'Date: Mon, 21 Oct 2013 20:13:21 GMT\r\nCache-Control: no-store\r\nVary: Accept-Encoding\r\n\r\n',
  'latin1',
)

/** A writer's slab without its socket. */
class Slab implements ByteSink {
  readonly #bytes = Buffer.alloc(16 * 1024)
  #at = 0

  begin(): void {
    this.#at = 0
  }

  text(text: string): void {
    this.#at += this.#bytes.write(text, this.#at, 'latin1')
  }

  decimal(value: number): void {
    this.text(String(value))
  }

  bytes(from: Buffer, start: number, end: number): void {
    this.#at += from.copy(this.#bytes, this.#at, start, end)
  }
}

const slab = new Slab()
const encoder = new Http1HeadEncoder(slab)
const [requests, responses] = [new HeadReader('request'), new HeadReader('response')]

function read(reader: HeadReader, bytes: Buffer): Head {
  reader.reset()
  reader.read(bytes, 0, bytes.length)
  return reader.head
}

/** Read once more, because the readers above go on. */
const kept = read(new HeadReader('request'), REQUEST)
const HALF = REQUEST.length >> 1

export const cases: Case[] = [
  { name: 'HTTP/1.1 read: a request of 6 fields', run: () => void read(requests, REQUEST) },
  {
    name: 'HTTP/1.1 read: the same in two pieces',
    run: () => {
      requests.reset()
      requests.read(REQUEST, 0, HALF)
      requests.read(REQUEST, HALF, REQUEST.length)
    },
  },
  { name: 'HTTP/1.1 read: a response of 5 fields', run: () => void read(responses, RESPONSE) },
  {
    name: 'HTTP/1.1 encode: a request of 6 fields',
    run: () => {
      slab.begin()
      encoder.request('GET', '/api/v1/items?x=1', 'checkout:8080', '')
      encoder.fields(kept, HOP_BY_HOP)
    },
  },
]
