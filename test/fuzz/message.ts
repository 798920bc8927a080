/**
 * HTTP/1.1 connections to try a proxy with. In: fast-check's randomness. Out: plain values (a sound message and what is
 * changed in it), which shrink by themselves, and `render`, which makes bytes of them.
 * A message is rendered to tokens of known kinds first, so that a change hits a place where readers may disagree.
 */
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { DICTIONARY, type Kind, SMUGGLED } from './dictionary.ts'

export type Body =
  | { kind: 'none' }
  | { kind: 'length'; data: string }
  | { kind: 'chunked'; chunks: string[]; ext: string; trailer: boolean }

/** `at` and `arg` choose a token and what to put there, whatever their number is. */
export interface Mutation {
  op: 'replace' | 'insert' | 'delete' | 'repeat' | 'swap' | 'line' | 'byte' | 'cut' | 'smuggle'
  at: number
  arg: number
}

export interface Message {
  method: string
  path: string
  fields: string[][]
  body: Body
  mutations: Mutation[]
}

export interface Conversation {
  messages: Message[]
  /** Where the bytes are cut into writes, in ten-thousandths. */
  cuts: number[]
  /** Every byte by itself; for few, it is slow. */
  bytewise: boolean
}

interface Token {
  kind: Kind
  text: string
}

const data = fc.oneof(
  fc.constantFrom(SMUGGLED, `0\r\n\r\n${SMUGGLED}`, 'hello', 'x'.repeat(1500), '0\r\n\r\n', '\r\n', 'a=1&b=2'),
  fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }),
)
const field = fc.tuple(
  fc.constantFrom('X-A', 'Accept', 'Cookie', 'User-Agent', 'Cache-Control', 'x-b', 'Via'),
  fc.constantFrom('1', '', 'a b', 'text/*;q=0.5, */*', 'a=1; b=2', '\xe4\xf6', '"x, y"'),
)
const body: fc.Arbitrary<Body> = fc.oneof(
  fc.constant<Body>({ kind: 'none' }),
  fc.record({ kind: fc.constant('length' as const), data }),
  fc.record({
    kind: fc.constant('chunked' as const),
    chunks: fc.array(data, { maxLength: 3 }),
    ext: fc.constantFrom('', '', ';a', ';a=b', ';a="b c"'),
    trailer: fc.boolean(),
  }),
)
const mutation: fc.Arbitrary<Mutation> = fc.record({
  op: fc.constantFrom(
    'replace',
    'replace',
    'replace',
    'insert',
    'delete',
    'repeat',
    'swap',
    'line',
    'byte',
    'cut',
    'smuggle',
  ),
  at: fc.nat(9999),
  arg: fc.nat(9999),
})
const message = (most: number): fc.Arbitrary<Message> =>
  fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
    path: fc.constantFrom('/', '/a', '/a?b=c', '/%41', '/a;p=1', '//b', '/a/../b'),
    fields: fc.array(
      field.map((pair) => [...pair]),
      { maxLength: 3 },
    ),
    body,
    mutations: fc.array(mutation, { maxLength: most }),
  })

export const conversation: fc.Arbitrary<Conversation> = fc
  .record({
    before: fc.array(message(0), { maxLength: 2 }),
    changed: fc.array(message(3), { minLength: 1, maxLength: 2 }),
    after: fc.array(message(0), { maxLength: 1 }),
    cuts: fc.array(fc.nat(9999), { maxLength: 4 }),
    bytewise: fc.nat(99).map((n) => n === 7),
  })
  .map(({ before, changed, after, cuts, bytewise }) => ({
    messages: [...before, ...changed, ...after],
    cuts,
    bytewise,
  }))

/** The bytes of a message; `mark` stands at the end of its target. */
export function render(message: Message, mark: string): string {
  let tokens = tokensOf(message, mark)
  for (const m of message.mutations) tokens = mutate(tokens, m)
  return tokens.map((t) => t.text).join('')
}

function tokensOf({ method, path, fields, body }: Message, mark: string): Token[] {
  const tokens: Token[] = []
  const add = (kind: Kind, text: string): number => tokens.push({ kind, text })
  const line = (name: string, value: string): void => {
    add('name', name)
    add('colon', ': ')
    add('value', value)
    add('end', '\r\n')
  }
  add('method', method)
  add('space', ' ')
  add('target', `${path}${path.includes('?') ? '&' : '?'}${mark}`)
  add('space', ' ')
  add('version', 'HTTP/1.1')
  add('end', '\r\n')
  line('Host', 'server')
  for (const [name, value] of fields) line(name!, value!)
  if (body.kind === 'length') line('Content-Length', String(body.data.length))
  if (body.kind === 'chunked') line('Transfer-Encoding', 'chunked')
  add('end', '\r\n')
  if (body.kind === 'length') add('data', body.data)
  if (body.kind !== 'chunked') return tokens
  for (const chunk of body.chunks) {
    add('size', chunk.length.toString(16) + body.ext)
    add('end', '\r\n')
    add('data', chunk)
    add('end', '\r\n')
  }
  add('size', '0')
  add('end', '\r\n')
  if (body.trailer) line('X-Checksum', '1')
  add('end', '\r\n')
  return tokens
}

/** `tokens` with one thing changed. */
function mutate(tokens: Token[], { op, at, arg }: Mutation): Token[] {
  const i = at % Math.max(1, tokens.length)
  const token = tokens[i]
  if (token === undefined) return tokens
  const words = DICTIONARY[token.kind]
  const word = words[arg % words.length]!
  const put = (...put: Token[]): Token[] => [...tokens.slice(0, i), ...put, ...tokens.slice(i + 1)]
  switch (op) {
    case 'replace':
      return put({ ...token, text: word })
    case 'insert':
      return put({ ...token, text: word }, token)
    case 'delete':
      return put()
    case 'repeat':
      return put(token, token)
    case 'swap': {
      const next = tokens[i + 1]
      return next === undefined ? tokens : [...tokens.slice(0, i), next, token, ...tokens.slice(i + 2)]
    }
    case 'line': {
      // a framing field more, in any spelling of its value
      const first = tokens.findIndex((t) => t.kind === 'name')
      if (first < 0) return tokens
      const name = ['Content-Length', 'Transfer-Encoding', 'Host', 'Connection', 'Expect', 'Upgrade'][at % 6]!
      const value = DICTIONARY.value[arg % DICTIONARY.value.length]!
      const extra: Token[] = [
        { kind: 'name', text: name },
        { kind: 'colon', text: ': ' },
        { kind: 'value', text: value },
        { kind: 'end', text: '\r\n' },
      ]
      return [...tokens.slice(0, first), ...extra, ...tokens.slice(first)]
    }
    case 'byte': {
      const where = arg % (token.text.length + 1)
      const byte = String.fromCharCode((arg * 31 + at) & 0xff)
      const keep = token.text.slice(where + (arg & 1))
      return put({ ...token, text: token.text.slice(0, where) + (arg % 3 === 0 ? '' : byte) + keep })
    }
    case 'cut':
      return tokens.slice(0, i + 1)
    case 'smuggle':
      return put(token, { kind: 'data', text: SMUGGLED })
    default:
      op satisfies never
      return tokens
  }
}

/** The writes of a conversation. */
export function writes({ cuts, bytewise }: Conversation, bytes: Buffer): Buffer[] {
  if (bytewise) return Array.from(bytes, (byte) => Buffer.of(byte))
  const places = [...new Set(cuts.map((cut) => Math.floor((cut * bytes.length) / 10_000)))].sort((a, b) => a - b)
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length)).filter((b) => b.length > 0)
}

/** What an untouched message's body is for its receiver. */
export function bodyHash({ body }: Message): string {
  return hashOf(
    Buffer.from(body.kind === 'length' ? body.data : body.kind === 'chunked' ? body.chunks.join('') : '', 'latin1'),
  )
}

export function hashOf(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('base64url').slice(0, 12)
}
