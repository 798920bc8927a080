/** What people's programs send: all of it must pass. */
import { Family, H, HOST, length } from './row.ts'

const f = new Family('benign')
const json = '{"item":"book","count":3}'
const form = 'a=1&b=%20&c=%C3%A9'
const parts =
  '--B\r\nContent-Disposition: form-data; name="a"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nGET / HTTP/1.1\r\n\r\n--B--\r\n'

for (const [name, fields] of [
  ['curl', 'User-Agent: curl/8.5.0\r\nAccept: */*\r\n'],
  [
    'a browser',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nDNT: 1\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n',
  ],
  ['a cookie jar', 'Cookie: a=b; c="d e"; f=\r\n'],
  ['two cookies', 'Cookie: a=b\r\nCookie: c=d\r\n'],
  ['a range', 'Range: bytes=0-99\r\nIf-Range: "abc"\r\n'],
  ['a condition', 'If-None-Match: W/"abc", "def"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n'],
  ['basic authorization', 'Authorization: Basic dXNlcjpwYXNz\r\n'],
  ['a long token', `Authorization: Bearer ${'abcdefgh.'.repeat(400)}\r\n`],
  ['a trace', 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=1,b=2\r\n'],
  ['forwarded headers', 'X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Forwarded-Proto: https\r\nVia: 1.1 proxy\r\n'],
  ['old cache words', 'Pragma: no-cache\r\nCache-Control: no-cache, max-age=0\r\n'],
  ['many spaces', 'X:      many      spaces     \r\n'],
  ['numbers as names', '1: 2\r\n3-4: 5\r\n'],
  ['empty values', 'Accept:\r\nUser-Agent:\r\n'],
] as const)
  f.accept(`GET /index.html?q=1 HTTP/1.1\r\n${H}${fields}\r\n`, name, { seen: [`GET /index.html?q=1 ${HOST} `] })
for (const [name, type, body] of [
  ['JSON', 'application/json', json],
  ['a form', 'application/x-www-form-urlencoded', form],
  ['parts', 'multipart/form-data; boundary=B', parts],
  ['bytes', 'application/octet-stream', '\0\x01\xff\r\n\r\n0\r\n\r\n'],
  ['a request', 'message/http', `GET /smuggled HTTP/1.1\r\n${H}\r\n`],
  ['nothing', 'text/plain', ''],
  ['4 KiB', 'text/plain', 'x'.repeat(4096)],
] as const)
  for (const method of ['POST', 'PUT', 'PATCH']) {
    const start = `${method} /items HTTP/1.1\r\n${H}Content-Type: ${type}\r\n`
    const seen = [`${method} /items ${HOST} ${body}`]
    f.accept(`${start}${length(body)}\r\n${body}`, `${method} of ${name}`, { seen })
    const half = Math.ceil(body.length / 2)
    const chunk = (text: string): string => (text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`)
    const framed = `${chunk(body.slice(0, half))}${chunk(body.slice(half))}0\r\n\r\n`
    f.accept(`${start}Transfer-Encoding: chunked\r\n\r\n${framed}`, `${method} of ${name} in chunks`, { seen })
  }

export const benign = f.rows
