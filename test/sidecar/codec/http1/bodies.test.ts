import t from 'tap'
import { BODY_CHUNKED } from '../../../../src/sidecar/codec/body.ts'
import { type ByteSink, encodeTrailers } from '../../../../src/sidecar/codec/http1/encode.ts'
import { HeadReader } from '../../../../src/sidecar/codec/http1/head.ts'
import { dropForbiddenTrailers } from '../../../../src/sidecar/codec/trailers.ts'
import { DONE } from '../../../../src/sidecar/codec/verdict.ts'
import { everySplit, H, refused } from './events.ts'

const CH = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`
const chunks: [string, string, RegExp][] = [
  ['two chunks', '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', /body "hello world"$/],
  ['leading zeros', '0005\r\nhello\r\n000\r\n\r\n', /body "hello"$/],
  ['an extension is dropped', '5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n', /body "hello"$/],
  ['trailers', '1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n', /body "a trailers \[X=y\|Z=\]"$/],
  [
    'trailers that frame, route or identify',
    '0\r\nContent-Length: 5\r\nX: y\r\nHost: b\r\nAuthorization: c\r\nTransfer_Encoding: chunked\r\nCONTENT-TYPE: d\r\nX-Forwarded-For: e\r\nCookie: f\r\n\r\n',
    /trailers \[\(Content-Length=5\)\|X=y\|\(Host=b\)\|\(Authorization=c\)\|\(Transfer_Encoding=chunked\)\|\(CONTENT-TYPE=d\)\|\(X-Forwarded-For=e\)\|\(Cookie=f\)\]/,
  ],
  ['trailers of which nothing is left', '0\r\nContent-Length: 5\r\n\r\n', /body ""$/],
  [
    'digests belong into trailers',
    '0\r\nContent-Digest: a\r\nRepr-Digest: b\r\nETag: c\r\n\r\n',
    /trailers \[Content-Digest=a\|Repr-Digest=b\|ETag=c\]/,
  ],
  ['a trailer without colon', '0\r\nX\r\n\r\n', refused(400)],
  ['a folded trailer', '0\r\nX: a\r\n b\r\n\r\n', refused(400)],
  ['white space before a trailer', '0\r\n X: a\r\n\r\n', refused(400)],
  ['NUL in a trailer', '0\r\nX: a\0\r\n\r\n', refused(400)],
  ['bare LF after a trailer', '0\r\nX: a\n\r\n', refused(400)],
  ['bare LF after the trailers', '0\r\nX: a\r\n\n', refused(400)],
  ['101 trailers', `0\r\n${'X: a\r\n'.repeat(101)}\r\n`, refused(431)],
  ['9 KiB of trailers', `0\r\nX: ${'a'.repeat(9 * 1024)}\r\n\r\n`, refused(431)],
  ['a request behind trailers', `0\r\nX: a\r\n\r\nGET /2 HTTP/1.1\r\n${H}\r\n`, /trailers \[X=a\]"\nGET \/2/],
  ['an extension of every kind', '1;a;b=c;d="e\\"f;\xff" ; g\t=\th\r\na\r\n0\r\n\r\n', /body "a"$/],
  ['an extension without name', '1;\r\na\r\n0\r\n\r\n', refused(400)],
  ['an extension that is only a value', '1;=a\r\na\r\n0\r\n\r\n', refused(400)],
  ['an extension without its value', '1;a=\r\na\r\n0\r\n\r\n', refused(400)],
  ['a quote that does not end', '1;a="b\r\na\r\n0\r\n\r\n', refused(400)],
  ['words after a quote', '1;a="b"c\r\na\r\n0\r\n\r\n', refused(400)],
  ['a space after an extension', '1;a \r\na\r\n0\r\n\r\n', refused(400)],
  ['NUL in an extension', '1;a="\0"\r\na\r\n0\r\n\r\n', refused(400)],
  ['an endless extension', `1;${'a'.repeat(5000)}\r\na\r\n0\r\n\r\n`, refused(400)],
  ['many extensions around single bytes', `${`1;${'a'.repeat(1000)}\r\na\r\n`.repeat(20)}0\r\n\r\n`, refused(400)],
  [
    'many extensions around much data',
    `${`400;${'a'.repeat(1000)}\r\n${'b'.repeat(1024)}\r\n`.repeat(20)}0\r\n\r\n`,
    /body "b+"$/,
  ],
  ['0x5', '0x5\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['+5', '+5\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['-5', '-5\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['0_5', '0_5\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['a space before', ' 5\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['a space after', '5 \r\nhello\r\n0\r\n\r\n', refused(400)],
  ['no size', '\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['a 64-bit wrap', '10000000000000005\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['beyond 2^53', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['LF in an extension', '5;a\nb\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n', refused(400)],
  ['LF after the size', '5\nhello\r\n0\r\n\r\n', refused(400)],
  ['CR CR after the size', '5\r\r;ABCD\r\n', refused(400)],
  ['no CRLF after the data', '5\r\nhelloXX0\r\n\r\n', refused(400)],
  ['LF after the data', '5\r\nhello\n0\r\n\r\n', refused(400)],
  ['a bad trailer', '0\r\nX y: 1\r\n\r\n', refused(400)],
  ['LF after the last chunk', '0\r\n\n', refused(400)],
  ['no last chunk', '5\r\nhello\r\n', /goes on$/],
]

void t.test('chunked bodies', async (t) => {
  for (const [name, text, expected] of chunks) everySplit(t, name, CH + text, expected, 'request')
  t.equal(BODY_CHUNKED, 2)
})

void t.test('a name that Connection lists is no trailer', async (t) => {
  const head = CH.replace(H, `${H}Connection: x-one\r\n`)
  const body = '0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n'
  everySplit(t, 'it is dropped', head + body, /trailers \[\(X-One=1\)\|X-Two=2\]"$/, 'request')
  everySplit(t, 'only there', head + body + CH + body, /trailers \[X-One=1\|X-Two=2\]"$/, 'request')
})

void t.test('trailers are written behind the last chunk, without those that were dropped', async (t) => {
  const reader = new HeadReader('trailers')
  const bytes = Buffer.from('X-One:1\r\nHost: a\r\nX-Two: 2\r\n\r\n')
  t.equal(reader.read(bytes, 0, bytes.length), DONE)
  t.ok(dropForbiddenTrailers(reader.head, []))
  let text = ''
  const out: ByteSink = {
    text: (part) => (text += part),
    decimal: (value) => (text += value),
    bytes: (buf, start, end) => (text += buf.toString('latin1', start, end)),
  }
  encodeTrailers(out, reader.head)
  t.equal(text, '0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n')
})
