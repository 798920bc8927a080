/** What upstreams send, and what a proxy must make of it. RFC 9112 sections 4, 6 and 7; RFC 9110 sections 6.4 and 15. */
import { byteName, CONTROLS, NO_TOKEN } from './row.ts'

/**
 * forward: the client gets status and body. reject: it gets an answer of the proxy. abort: the head has gone out, so the
 * client must see that the body is cut. either: repaired or refused.
 */
export interface ResponseRow {
  id: string
  request_method: string
  base64: string
  verdict: 'forward' | 'reject' | 'abort' | 'either'
  client_status: number
  reason: string
  level: 'must' | 'policy'
  /** How many 1xx come first. */
  interim: number
  /** This upstream connection may serve another request. */
  reuse: boolean
  /** The upstream ends the connection behind it. */
  ends?: boolean
  body?: string
}

const rows: ResponseRow[] = []
type More = Partial<Omit<ResponseRow, 'id' | 'base64'>>

function add(verdict: ResponseRow['verdict'], text: string, reason: string, more: More): void {
  rows.push({
    id: `response-${String(rows.length + 1).padStart(3, '0')}`,
    request_method: 'GET',
    base64: Buffer.from(text, 'latin1').toString('base64'),
    verdict,
    client_status: 200,
    reason,
    level: 'must',
    interim: 0,
    reuse: verdict === 'forward',
    ends: false,
    ...more,
  })
}

const response = (fields: string, body = '', start = 'HTTP/1.1 200 OK'): string => `${start}\r\n${fields}\r\n${body}`
const CL = 'Content-Length: 5\r\n'
const TE = 'Transfer-Encoding: chunked\r\n'
const END = '0\r\n\r\n'
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
const forward = (text: string, reason: string, more: More = {}): void => add('forward', text, reason, more)
const refuse = (text: string, reason: string, more: More = {}): void => add('reject', text, reason, { client_status: 502, ...more }) // prettier-ignore
const strict = (text: string, reason: string, more: More = {}): void =>
  refuse(text, reason, { level: 'policy', ...more })
const abort = (text: string, reason: string, more: More = {}): void => add('abort', text, reason, more)

forward(response(CL, 'abcde'), 'a length', { body: 'abcde' })
forward(response('Content-Length: 0\r\n'), 'an empty body', { body: '' })
forward(response('content-length:5 \t\r\n', 'abcde'), 'white space around a length', { body: 'abcde' })
forward(response('Content-Length: 0005\r\n', 'abcde'), 'leading zeros', { body: 'abcde' })
forward(response(TE, `5\r\nabcde\r\n${END}`), 'chunks', { body: 'abcde' })
forward(response(TE, END), 'no chunk', { body: '' })
forward(response(TE, `2 \t\r\nab\r\n0 \r\n\r\n`), 'padded sizes', { body: 'ab', level: 'policy' })
forward(response(TE, `2;a=b\r\nab\r\n0;c\r\n\r\n`), 'extensions', { body: 'ab' })
forward(response(TE, `2;\r\nab\r\n0; =\r\n\r\n`), 'extensions that are none', { body: 'ab', level: 'policy' })
forward(response(TE, `2\r\nab\r\n0\r\nX: y\r\n\r\n`), 'trailers', { body: 'ab' })
forward(response(TE, `2\r\nab\r\n0\r\nContent-Length: 9\r\n\r\n`), 'a length as a trailer', { body: 'ab' })
forward(response('', 'abcde'), 'until the end', { body: 'abcde', reuse: false, ends: true })
forward(response('Connection: close\r\n', EVIL), 'until the end, whatever it looks like', {
  body: EVIL,
  reuse: false,
  ends: true,
})
forward(response(`${CL}Connection: close\r\n`, 'abcde'), 'Connection: close', { body: 'abcde', reuse: false })
forward(response(CL, 'abcde', 'HTTP/1.1 200'), 'no reason and no space', { body: 'abcde' })
forward(response(CL, 'abcde', 'HTTP/1.1 200 '), 'no reason', { body: 'abcde' })
forward(response(CL, 'abcde', 'HTTP/1.1 200 caf\xe9 \t x'), 'a reason with obs-text', { body: 'abcde' })
forward(response(CL, 'abcde', 'HTTP/1.1 200 HTTP/1.1 500 X'), 'a status line as a reason', { body: 'abcde' })
forward(response(CL, 'abcde', 'HTTP/1.0 200 OK'), 'HTTP/1.0 with a length', { body: 'abcde', reuse: false })
forward(response(`${CL}Connection: keep-alive\r\n`, 'abcde', 'HTTP/1.0 200 OK'), 'HTTP/1.0 kept alive', {
  body: 'abcde',
})
forward(response('', 'abcde', 'HTTP/1.0 200 OK'), 'HTTP/1.0 until the end', { body: 'abcde', reuse: false, ends: true })
forward(response(CL, 'abcde', 'HTTP/1.5 200 OK'), 'HTTP/1.5', { body: 'abcde', level: 'policy' })
forward(response(`${CL}X: \x85\xa0\xff\r\n`, 'abcde'), 'obs-text in a value', { body: 'abcde' })
forward(response(`${CL}Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n`, 'abcde'), 'two cookies', { body: 'abcde' })
for (const status of [
  201, 202, 203, 206, 207, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 410, 412, 416, 418, 421, 425, 429,
  451, 500, 501, 502, 503, 504, 505, 511, 599,
])
  forward(response(CL, 'abcde', `HTTP/1.1 ${status} X`), `status ${status}`, { client_status: status, body: 'abcde' })
for (const status of [204, 304])
  for (const fields of ['', CL, 'Content-Length: 0\r\n', TE])
    forward(response(fields, '', `HTTP/1.1 ${status} X`), `${status} has no body: ${fields.trim()}`, {
      client_status: status,
      body: '',
    })
for (const fields of ['', CL, TE]) {
  forward(response(fields), `HEAD has no body: ${fields.trim()}`, { request_method: 'HEAD', body: '' })
  forward(response(fields, 'abcde'), `HEAD with a body all the same: ${fields.trim()}`, {
    request_method: 'HEAD',
    body: '',
    reuse: false,
  })
}
for (const count of [1, 2, 16])
  for (const status of [100, 102, 103])
    forward(
      `HTTP/1.1 ${status} X\r\nLink: a\r\n\r\n`.repeat(count) + response(CL, 'abcde'),
      `${count} of ${status} first`,
      { interim: count, body: 'abcde' },
    )
forward(`HTTP/1.1 100 Continue\r\n${CL}\r\n${response(CL, 'abcde')}`, 'a 100 with a length has no body', {
  interim: 1,
  body: 'abcde',
})
forward(`HTTP/1.1 103 X\r\n\r\n${response('', '', 'HTTP/1.1 204 X')}`, '103 and 204', {
  interim: 1,
  client_status: 204,
  body: '',
})
forward(`HTTP/1.1 103 X\r\n\r\n${response(CL)}`, '103 and the answer to HEAD', {
  interim: 1,
  request_method: 'HEAD',
  body: '',
})
for (const extra of ['x', '\r\n', '\n', '\0', EVIL, 'HTTP/1.1 200', END])
  for (const [name, text] of [
    ['a length', response(CL, 'abcde')],
    ['chunks', response(TE, `5\r\nabcde\r\n${END}`)],
    ['204', response('', '', 'HTTP/1.1 204 X')],
  ] as const)
    forward(text + extra, `${JSON.stringify(extra.slice(0, 12))} behind ${name}`, {
      client_status: name === '204' ? 204 : 200,
      body: name === '204' ? '' : 'abcde',
      reuse: false,
    })

for (const start of [
  'HTTP/1.1 20 OK|HTTP/1.1 2000 OK|HTTP/1.1 2x0 OK|HTTP/1.1  200 OK|HTTP/1.1\t200 OK|HTTP/1.1 200\tOK|HTTP/1.1 +20 OK|HTTP/1.1 -20 OK|HTTP/1.1 099 OK|HTTP/1.1 000 OK|HTTP/1.1 OK|HTTP/1.1',
  'HTTP/1.1200 OK|HTTP/1.10 200 OK|HTTP/01.1 200 OK|HTTP/1. 200 OK|http/1.1 200 OK|HTTP 200 OK|ICY 200 OK|200 OK| HTTP/1.1 200 OK|HTTP/1.1 200\x00OK|HTTP/1.1 200 O\x00K|HTTP/1.1 200 O\rK|HTTP/1.1 200 O\nK|\r\nHTTP/1.1 200 OK',
  'HTTP/2.0 200 OK|HTTP/3 200 OK|HTTP/0.9 200 OK|HTTPS/1.1 200 OK|<html>|HTTP/1.1 200 O\x1fK|HTTP/1.1 200 O\x7fK|HTTP/1.1 \xb2\xb0\xb0 OK',
].flatMap((text) => text.split('|')))
  refuse(response(CL, 'abcde', start), `start line ${JSON.stringify(start)}`)
refuse(response(`${CL}${TE}`, `5\r\nabcde\r\n${END}`), 'two framings', { level: 'policy' })
refuse(response(`${TE}${CL}`, `5\r\nabcde\r\n${END}`), 'two framings', { level: 'policy' })
refuse(response(`${CL}${TE}`), 'two framings of an answer to HEAD', { level: 'policy', request_method: 'HEAD' })
refuse(response(TE, END, 'HTTP/1.0 200 OK'), 'Transfer-Encoding in HTTP/1.0')
for (const value of [
  '',
  '+5',
  '-5',
  '0x5',
  '5.0',
  '5e0',
  '5 5',
  '5;',
  '5,6',
  'five',
  '5\0',
  '5\xa0',
  '18446744073709551621',
  '"5"',
])
  refuse(response(`Content-Length: ${value}\r\n`, 'abcde'), `Content-Length: ${JSON.stringify(value)}`)
strict(response('Content-Length: 5, 5\r\n', 'abcde'), 'a list of equal lengths')
strict(response(`${CL}${CL}`, 'abcde'), 'two equal lengths')
refuse(response(`${CL}Content-Length: 6\r\n`, 'abcde'), 'two lengths')
for (const value of [
  '',
  'identity',
  'xchunked',
  'chunked, chunked',
  'chunked, identity',
  'gzip, chunked',
  'chunked\x0b',
  '"chunked"',
  'chunked;a',
  ',chunked',
  'gzip',
  'chunked, gzip',
])
  strict(
    response(`Transfer-Encoding: ${value}\r\n`, `5\r\nabcde\r\n${END}`),
    `Transfer-Encoding: ${JSON.stringify(value)}`,
  )
strict(response(`${TE}${TE}`, `5\r\nabcde\r\n${END}`), 'two Transfer-Encodings')
for (const line of [
  'X',
  'X : y',
  'X\t: y',
  ': y',
  ' X: y',
  'X y: z',
  'X: a\r\n b',
  'X: a\0b',
  'X: a\rb',
  'X\xff: y',
  'Content-Length : 5',
  'X: y\r\r',
])
  strict(response(`${CL}${line}\r\n`, 'abcde'), `a field line ${JSON.stringify(line)}`)
for (const c of NO_TOKEN) if (c !== ':') refuse(response(`${CL}A${c}B: y\r\n`, 'abcde'), `${byteName(c)} in a name`)
for (const c of CONTROLS.slice(0, 8)) strict(response(`${CL}X: a${c}b\r\n`, 'abcde'), `${byteName(c)} in a value`)
strict('HTTP/1.1 200 OK\nContent-Length: 5\n\nabcde', 'bare LFs')
strict(`HTTP/1.1 200 OK\r\n${CL}\nabcde`, 'a bare LF as the empty line')
strict(`HTTP/1.1 200 OK\r\n ${CL}\r\nabcde`, 'white space before the first field')
strict(response(`${CL}X: ${'a'.repeat(70_000)}\r\n`, 'abcde'), 'a head of 70,000 bytes')
strict(response(`${CL}${'X: a\r\n'.repeat(200)}`, 'abcde'), '201 fields')
strict('HTTP/1.1 100 X\r\n\r\n'.repeat(17) + response(CL, 'abcde'), '17 interim responses', { interim: 16 })
refuse('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n', 'a 101 that nobody asked for')
refuse('HTTP/1.1 101 X\r\n\r\n', 'a 101 to nothing')
refuse('hello world\r\n\r\n', 'no HTTP')
refuse('\x16\x03\x01\x00\x05hello', 'TLS')
refuse('\x00\x00\x12\x04\x00\x00\x00\x00\x00', 'HTTP/2')
// POST: a GET may be sent again where the connection may have been stale
for (const text of [
  '',
  'HTTP/1.1 2',
  'HTTP/1.1 200 OK\r\n',
  `HTTP/1.1 200 OK\r\n${CL}`,
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 X\r\nLink: a\r\n',
])
  refuse(text, `ends in the head: ${JSON.stringify(text)}`, {
    client_status: 503,
    ends: true,
    request_method: 'POST',
    interim: text.endsWith('Continue\r\n\r\n') ? 1 : 0,
  })

for (const body of ['', 'abcd']) abort(response(CL, body), `a length, and only "${body}"`, { ends: true })
abort(response('Content-Length: 9007199254740991\r\n', EVIL), 'the largest length', { ends: true })
for (const body of [
  '',
  '5',
  '5\r\n',
  '5\r\nabc',
  '5\r\nabcde',
  '5\r\nabcde\r\n',
  '5\r\nabcde\r\n0',
  '5\r\nabcde\r\n0\r\n',
  '0\r\nX: y\r\n',
  'ffffffff\r\nabcde',
])
  abort(response(TE, body), `chunks, cut behind ${JSON.stringify(body)}`, { ends: true })
for (const size of ['0x5', '+5', '-5', ' 5', '5,', '5x', '', 'g', '10000000000000005', 'ffffffffffffffff', '5 x'])
  abort(response(TE, `${size}\r\nabcde\r\n${END}`), `size ${JSON.stringify(size)}`)
for (const body of [
  `5\nabcde\r\n${END}`,
  `5\r\nabcdeXX${END}`,
  `5\r\nabcde${END}`,
  `5\r\nabcde\n${END}`,
  `5\r\nabcd\r\n${END}`,
  '0\r\n\n',
  '0\r\nX y\r\n\r\n',
  '0\r\n X: y\r\n\r\n',
  '0\r\nX: a\0\r\n\r\n',
  `5;a\nabcde\r\n${END}`,
  `5;a\rb\r\nabcde\r\n${END}`,
  `0\r\n${'X: y\r\n'.repeat(200)}\r\n`,
])
  abort(response(TE, body), `broken chunks ${JSON.stringify(body.slice(0, 30))}`)

export const responses: readonly ResponseRow[] = rows
