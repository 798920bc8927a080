import * as fc from 'fast-check'
import t from 'tap'
import { events, everySplit, H, refused } from './events.ts'

const fine = /^(?!.*refused)/s

/** One idea a row: what the bytes are, the bytes, what comes of them. */
const requests: [string, string, RegExp][] = [
  ['a plain GET', `GET / HTTP/1.1\r\n${H}\r\n`, /^GET \/ 1\.1 \[Host=a\] body=0\/0 keep=true$/],
  ['empty lines before', `\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`, fine],
  ['five empty lines', `\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['an unknown method keeps its case', `geT / HTTP/1.1\r\n${H}\r\n`, /^geT /],
  ['two spaces', `GET  / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a tab for a space', `GET\t/ HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a leading space', ` GET / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a space after the version', `GET / HTTP/1.1 \r\n${H}\r\n`, refused(400)],
  ['a bad method', `G{T / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a colon in the method', `GET: / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a NUL in the method', `G\0T / HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['no version', `GET /\r\n${H}\r\n`, refused(400)],
  ['HTTP/1.10', `GET / HTTP/1.10\r\n${H}\r\n`, refused(400)],
  ['HTTP/01.1', `GET / HTTP/01.1\r\n${H}\r\n`, refused(400)],
  ['http/1.1', `GET / http/1.1\r\n${H}\r\n`, refused(400)],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, refused(505)],
  ['the HTTP/2 preface', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, refused(505)],
  ['HTTP/1.9 counts as 1.1', `GET / HTTP/1.9\r\n${H}\r\n`, / 1\.1 /],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', /keep=false$/],
  ['HTTP/1.0 with keep-alive', 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', /keep=true$/],
  ['a fragment', `GET /a#b HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['an 8-bit target', `GET /\xff HTTP/1.1\r\n${H}\r\n`, refused(400)],
  ['a long target', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${H}\r\n`, refused(414)],
  ['bare LF after the request line', `GET / HTTP/1.1\n${H}\r\n`, refused(400)],
  ['bare LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', refused(400)],
  ['bare LF as the last line', `GET / HTTP/1.1\r\n${H}\n`, refused(400)],
  ['bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', refused(400)],
  ['bare CR at the end', `GET / HTTP/1.1\r\n${H}\rX`, refused(400)],
  ['NUL in a value', `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`, refused(400)],
  ['DEL in a value', `GET / HTTP/1.1\r\n${H}X: a\x7fb\r\n\r\n`, refused(400)],
  ['obs-text passes, 0x85 and 0xa0 are not trimmed', `GET / HTTP/1.1\r\n${H}X: \x85a\xa0\r\n\r\n`, /\|X=\x85a\xa0\]/],
  ['spaces around a value go', `GET / HTTP/1.1\r\n${H}X: \t a b \t \r\n\r\n`, /\|X=a b\]/],
  ['an empty value', `GET / HTTP/1.1\r\n${H}X:\r\n\r\n`, /\|X=\]/],
  ['a space before the colon', `GET / HTTP/1.1\r\n${H}X : a\r\n\r\n`, refused(400)],
  ['a space in a name', `GET / HTTP/1.1\r\n${H}X y: a\r\n\r\n`, refused(400)],
  ['an empty name', `GET / HTTP/1.1\r\n${H}: a\r\n\r\n`, refused(400)],
  ['a line without colon', `GET / HTTP/1.1\r\n${H}abc\r\n\r\n`, refused(400)],
  ['a folded line', `GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`, refused(400)],
  ['white space right after the request line', `GET / HTTP/1.1\r\n Host: a\r\n\r\n`, refused(400)],
  ['101 fields', `GET / HTTP/1.1\r\n${H}${'X: a\r\n'.repeat(100)}\r\n`, refused(431)],
  ['a head of 61 KiB', `GET / HTTP/1.1\r\n${H}X: ${'a'.repeat(61 * 1024)}\r\n\r\n`, refused(431)],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', refused(400)],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, refused(400)],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', refused(400)],
  ['user information in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', refused(400)],
  ['a comma in Host', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', refused(400)],
  ['a port out of range', 'GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n', refused(400)],
  ['an IPv6 Host', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', fine],
  ['TE and CL', `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, refused(400)],
  ['TE in 1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`, refused(400)],
  ['two TE', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, refused(400)],
  ['chunked twice', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, chunked\r\n\r\n`, refused(400)],
  ['chunked not last', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n`, refused(400)],
  ['gzip before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n`, refused(501)],
  ['identity', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: identity\r\n\r\n`, refused(400)],
  ['xchunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n`, refused(400)],
  ['chunked with a vertical tab', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\x0b\r\n\r\n`, refused(400)],
  ['chunked in quotes', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: "chunked"\r\n\r\n`, refused(400)],
  ['an empty element before chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: , chunked\r\n\r\n`, refused(400)],
  ['Chunked in capitals', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: CHUNKED \r\n\r\n0\r\n\r\n`, /body ""$/],
  ['Transfer_Encoding is nobody', `POST / HTTP/1.1\r\n${H}Transfer_Encoding: chunked\r\n\r\n`, /body=0\/0/],
  ['two equal CL', `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, refused(400)],
  ['a CL list', `POST / HTTP/1.1\r\n${H}Content-Length: 1, 1\r\n\r\n`, refused(400)],
  ['a signed CL', `POST / HTTP/1.1\r\n${H}Content-Length: +1\r\n\r\n`, refused(400)],
  ['a hexadecimal CL', `POST / HTTP/1.1\r\n${H}Content-Length: 0x1\r\n\r\n`, refused(400)],
  ['an empty CL', `POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\n`, refused(400)],
  ['the largest CL', `POST / HTTP/1.1\r\n${H}Content-Length: 9007199254740991\r\n\r\n`, /body=1\/9007199254740991 /],
  ['a CL beyond 2^53', `POST / HTTP/1.1\r\n${H}Content-Length: 9007199254740993\r\n\r\n`, refused(400)],
  ['leading zeros in CL', `POST / HTTP/1.1\r\n${H}Content-Length: 0003\r\n\r\nabc`, /body=1\/3.*body "abc"$/s],
  [
    'a body on GET is framed',
    `GET / HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\n${H}\r\n`,
    /body "abc".*GET \/2/s,
  ],
  ['eleven nominated fields', `GET / HTTP/1.1\r\n${H}Connection: a,b,c,d,e,f,g,h,i,j,k\r\n\r\n`, refused(400)],
  [
    'Connection cannot take Authorization',
    `GET / HTTP/1.1\r\n${H}Authorization: x\r\nConnection: authorization\r\n\r\n`,
    /Authorization=x/,
  ],
  [
    'Connection cannot take what proxies tell',
    `GET / HTTP/1.1\r\n${H}X-Forwarded-Port: 1\r\nConnection: X-Forwarded-Port\r\n\r\n`,
    /X-Forwarded-Port=1[^)]/,
  ],
  [
    'Connection cannot take the framing',
    `POST / HTTP/1.1\r\n${H}Connection: content-length\r\nContent-Length: 1\r\n\r\na`,
    /body "a"$/,
  ],
  [
    'what Connection names is nobody',
    `GET / HTTP/1.1\r\n${H}X-One: 1\r\nConnection: x-one, close\r\n\r\n`,
    /\(X-One=1\).*keep=false/,
  ],
  ['TE: trailers', `GET / HTTP/1.1\r\n${H}Connection: TE\r\nTE: gzip;q=0.5 , Trailers\r\n\r\n`, /trailers$/],
  ['TE of other kinds', `GET / HTTP/1.1\r\n${H}TE: trailers;q=1, xtrailers, "trailers"\r\n\r\n`, /keep=true$/],
  ['Max-Forwards of OPTIONS', `OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 07\r\n\r\n`, /hops=7$/],
  ['Max-Forwards of GET means nothing', `GET / HTTP/1.1\r\n${H}Max-Forwards: x\r\n\r\n`, /keep=true$/],
  ['a bad Max-Forwards', `OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: -1\r\n\r\n`, refused(400)],
  ['two Max-Forwards', `OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n`, refused(400)],
  ['CONNECT with a body', `CONNECT a:1 HTTP/1.1\r\n${H}Content-Length: 1\r\n\r\n`, refused(405)],
  [
    'codings in fields of their own',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`,
    refused(501),
  ],
  [
    'codings in the wrong order',
    `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n`,
    refused(400),
  ],
  ['CONNECT without one', `CONNECT a:1 HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`, fine],
  ['no IPv6 address', 'GET / HTTP/1.1\r\nHost: [::::]\r\n\r\n', refused(400)],
  [
    'Expect: 100-continue',
    `POST / HTTP/1.1\r\n${H}Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n`,
    /Expect=100-Continue.* expect/,
  ],
  [
    'Expect without a body is nobody',
    `GET / HTTP/1.1\r\n${H}Expect: 100-continue\r\n\r\n`,
    /\(Expect=100-continue\).*keep=true$/,
  ],
  [
    'Expect of HTTP/1.0 is nobody',
    `POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na`,
    /\(Expect.*keep=false\n/,
  ],
  [
    'Expect twice',
    `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
    refused(417),
  ],
  ['an empty Expect', `POST / HTTP/1.1\r\n${H}Expect:\r\nContent-Length: 1\r\n\r\n`, refused(417)],
  ['Expect of another kind', `POST / HTTP/1.1\r\n${H}Expect: x 100-continue\r\n\r\n`, refused(417)],
]

const responses: [string, string, RegExp][] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', /^200 OK 1\.1 .*body "ok"$/s],
  ['no reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', /^200 {2}1\.1 .*body=0\/0/],
  ['until the end', 'HTTP/1.1 200 OK\r\n\r\nabc', /body=3\/0 keep=false.*goes on$/s],
  ['204 has no body', 'HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n', /body=0\/5/],
  ['TE and CL', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n', refused(400)],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', refused(400)],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', refused(400)],
  ['padded chunk sizes', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \t\r\nok\r\n0 \r\n\r\n', /body "ok"$/],
  [
    'the extensions of a server are not read',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nok\r\n0;= "\r\n\r\n',
    /body "ok"$/,
  ],
  [
    'but for control characters',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;\n\r\nok\r\n0\r\n\r\n',
    refused(400),
  ],
  [
    'words after a chunk size',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 x\r\nok\r\n0\r\n\r\n',
    refused(400),
  ],
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', refused(400)],
]

void t.test('requests', async (t) => {
  for (const [name, text, expected] of requests) everySplit(t, name, text, expected, 'request')
})

void t.test('responses', async (t) => {
  for (const [name, text, expected] of responses) everySplit(t, name, text, expected, 'response')
})

void t.test('any bytes in any pieces give the same events', async (t) => {
  const fragment = fc.constantFrom(
    'GET / HTTP/1.1\r\n',
    H,
    '\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    '3\r\nabc\r\n',
    '0\r\n',
    'abc',
    ' ',
    '\r',
    '\n',
    ':',
    '\0',
    'X: y\r\n',
    'POST /p HTTP/1.0\r\n',
  )
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 14 }), fc.array(fc.nat(200), { maxLength: 6 }), (parts, cuts) => {
      const bytes = Buffer.from(parts.join(''), 'latin1')
      const places = [...new Set(cuts.map((c) => Math.min(c, bytes.length)))].sort((a, b) => a - b)
      const pieces: Buffer[] = []
      let from = 0
      for (const to of [...places, bytes.length]) {
        pieces.push(bytes.subarray(from, to))
        from = to
      }
      return events(pieces).join('\n') === events([bytes]).join('\n')
    }),
    { numRuns: 2000 },
  )
  t.pass('2000 runs')
})
