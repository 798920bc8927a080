/**
 * What RFC 9113 asks of an endpoint, frame by frame, section by section; also what of RFC 7541, RFC 8441 and of known
 * attacks shows on the wire. Data only: the same table is played against a session and over a socket.
 *
 * The other side of a case: `server`: an application behind it that answers a request, when that is whole, with 200 and
 * no body; `/bytes/N` with N bytes; it does not read the body of a request for `/hold`. `client`: the one under test has
 * sent a request on each of `opens` (methods, default one GET, streams 1, 3, ...), all without a body.
 */
import { END_HEADERS, END_STREAM, type Field, frame, headers, T } from './frames.ts'

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

export const NO = 0
export const PROTOCOL = 1
export const FLOW = 3
export const CLOSED = 5
export const SIZE = 6
export const REFUSED = 7
export const COMPRESSION = 9
export const CALM = 11

export const EH = END_HEADERS
export const ES = END_STREAM
export const MAX = 0x7f_ff_ff_ff

export const GET: Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'shop.test'],
]
export const POST: Field[] = [[':method', 'POST'], ...GET.slice(1)]
export const OK: Field[] = [[':status', '200']]
export const without = (name: string): Field[] => GET.filter(([n]) => n !== name)
export const replaced = (name: string, value: string): Field[] => GET.map(([n, v]) => [n, n === name ? value : v])
export const path = (p: string): Field[] => replaced(':path', p)

export const accepted: Expectation = { kind: 'accepted' }
export const goaway = (...codes: number[]): Expectation => ({ kind: 'connection', codes })
export const rst = (id: number, ...codes: number[]): Expectation => ({ kind: 'stream', id, codes })
export const either = (id: number, ...codes: number[]): Expectation => ({ kind: 'connection', codes, orReset: id })
export const answered = (id: number, status = 200): Expectation => ({ kind: 'answered', id, status })
export const bytes = (id: number, n: number, ends = false): Expectation => ({ kind: 'bytes', id, bytes: n, ends })

export const get = (id: number, fields: Field[] = GET): Buffer => headers(id, fields)
export const post = (id: number, ...more: Field[]): Buffer => headers(id, [...POST, ...more], EH)
export const ok = (id: number, ...more: Field[]): Buffer => headers(id, [...OK, ...more], EH)
export const ping = frame(T.PING, 0, 0, 'abcdefgh')
export const raw = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
export const many = <X = Buffer>(n: number, of: (i: number) => X): X[] => Array.from({ length: n }, (_, i) => of(i))
export const unknown = (id: number): Buffer => frame(0xfa, 0xff, id, 'whatever')

export type Row = [title: string, input: Buffer[], expect: Expectation, more?: Partial<ConformanceCase>]

export function section(name: string, role: 'server' | 'client', rows: Row[]): ConformanceCase[] {
  return rows.map(([title, input, expect, more]) => ({ section: name, title, role, input, expect, ...more }))
}

export const RAW = { raw: true } as const
export const badName = (name: string): Buffer => get(1, [...GET, [name, 'x']])
export const badValue = (value: string): Buffer => get(1, [...GET, ['x-test', value]])
