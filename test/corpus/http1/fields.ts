/** Fields: RFC 9112 section 5, RFC 9110 sections 5 and 7.6, and what a mesh's edge takes out. */
import { byteName, CONTROLS, Family, get, H, length, NO_TOKEN, post, SMUGGLED, TE } from './row.ts'

const f = new Family('fields')

f.strict(`GET /x HTTP/1.1\n${H}\r\n`, 'a bare LF behind the start line')
f.strict(`GET /x HTTP/1.1\r\nHost: example.test\n\r\n`, 'a bare LF behind a field')
f.strict(`GET /x HTTP/1.1\r\n${H}\n`, 'a bare LF as the empty line')
f.strict('GET /x HTTP/1.1\nHost: example.test\n\n', 'bare LFs only')
f.strict(get('X: a\nY: b\r\n'), 'a bare LF in a value')
f.strict(get('X: a\n\r\n', SMUGGLED), 'an empty line of LF CR LF')
f.refuse(`GET /x HTTP/1.1\r${H}\r\n`, 'a bare CR behind the start line')
f.refuse(`GET /x HTTP/1.1\r\nHost: example.test\r\r\n`, 'a bare CR behind a field')
f.refuse(get('X: a\rY: b\r\n'), 'a bare CR in a value')
f.refuse(get('X: \r\r\n'), 'a bare CR as a value')
f.refuse(get('X\r: a\r\n'), 'a bare CR in a name')
f.refuse(get('\rX: a\r\n'), 'a bare CR before a name')
f.refuse(`GET /x HTTP/1.1\r\n${H}\rX`, 'a bare CR for the empty line')
f.refuse(`GET /x HTTP/1.1\r\n${H}\r\r\n`, 'CR CR LF for the empty line')
f.refuse(`GET /x HTTP/1.1\r\r\n${H}\r\n`, 'CR CR LF behind the start line')
f.refuse(get('X: a\0b\r\n'), 'NUL in a value')
f.refuse(get('X: \0\r\n'), 'NUL as a value')
f.refuse(get('X\0: a\r\n'), 'NUL in a name')
for (const c of CONTROLS) f.strict(get(`X: a${c}b\r\n`), `${byteName(c)} in a value`)
f.strict(get('X: \x0b\r\n'), 'a vertical tab as a value')
f.strict(get('X: a\x0c\r\n'), 'a form feed at the end of a value')
for (const value of ['\x80', '\x85a\x85', '\xa0a\xa0', 'caf\xe9', '\xc3\xa9', '\xff\xfe', '\xe2\x80\xa8'])
  f.accept(get(`X: ${value}\r\n`), `obs-text passes as it is: ${JSON.stringify(value)}`)

for (const c of NO_TOKEN) f.refuse(get(`X${c}Y: a\r\n`).replace('X:Y', 'X\x02Y'), `${byteName(c)} in a name`)
for (const line of [
  'X : a',
  'X\t: a',
  'X  : a',
  'X y: a',
  ': a',
  ' : a',
  ':',
  'X',
  'X a',
  '=',
  'X\xa0: a',
  'X\x85: a',
  'X\x0b: a',
  '(X): a',
  '"X": a',
])
  f.refuse(get(`${line}\r\n`), `a field line ${JSON.stringify(line)}`)
f.strict(`GET /x HTTP/1.1\r\n ${H}\r\n`, 'a space before the first field')
f.strict(`GET /x HTTP/1.1\r\n\t${H}\r\n`, 'a tab before the first field')
f.strict(`GET /x HTTP/1.1\r\n \r\n${H}\r\n`, 'a line of white space before the first field')
f.strict(get('X: a\r\n b\r\n'), 'a folded value')
f.strict(get('X: a\r\n\tb\r\n'), 'a value folded by a tab')
f.strict(get('X:\r\n a\r\n'), 'a value that begins in the next line')
f.strict(get('X: a\r\n \r\n'), 'a value folded into white space')
f.strict(get('X: a\r\n  Content-Length: 5\r\n'), 'a length hidden in a folded line')
f.strict(get('X: a\r\n', '').replace(/\r\n$/, ' \r\n\r\n'), 'an empty line with a space')
for (const line of [
  'X:a',
  'X:',
  'X: ',
  'X:\t',
  'X: \t a b \t ',
  "!#$%&'*+-.^_`|~: a",
  'X-Y_Z.1: a',
  'x: a:b',
  'X: "a\\"b"',
  'X: a, b;c=d',
])
  f.accept(get(`${line}\r\n`), `a field line ${JSON.stringify(line)}`)

for (const line of [
  'Transfer_Encoding: chunked',
  'transfer_encoding: chunked',
  'Transfer_encoding: identity',
  'Content_Length: 5',
  'content_length: 0',
  'Content_Length: -1',
  'Proxy_Connection: close',
  'X_Forwarded_For: 127.0.0.1',
  'X_Forwarded_Proto: https',
  'X_Forwarded_Client_Cert: By=spiffe://a',
  'X_Envoy_Peer_Metadata: a',
])
  f.either(get(`${line}\r\n`, SMUGGLED), `a look-alike: ${line}`)
f.either(post(`Content_Length: 0\r\n${length(SMUGGLED)}`, SMUGGLED), 'a look-alike beside a length')
f.either(post(`Transfer_Encoding: chunked\r\n${length(SMUGGLED)}`, SMUGGLED), 'a look-alike of TE beside a length')
f.either(post(`${TE}Content_Length: 5\r\n`, '0\r\n\r\n'), 'a look-alike of a length beside TE')

f.accept(get('X: a\r\n'.repeat(79)), '80 fields')
f.accept(get('X: a\r\n'.repeat(99)), '100 fields, to which each sidecar adds its own')
f.strict(get('X: a\r\n'.repeat(100)), '101 fields', { status: 431 })
f.strict(get('X: a\r\n'.repeat(3000)), '3,001 fields', { status: 431 })
f.accept(get(`X: ${'a'.repeat(12_000)}\r\n`), 'a field of 12,000 bytes')
f.strict(get(`X: ${'a'.repeat(70_000)}\r\n`), 'a field of 70,000 bytes', { status: 431 })
f.strict(get(`${'a'.repeat(70_000)}: x\r\n`), 'a name of 70,000 bytes', { status: 431 })
f.strict(`GET /x HTTP/1.1\r\nX: ${'a'.repeat(70_000)}`, 'a head over the limit that never ends', { status: 431 })

const gone = (line: string, name: string): void =>
  f.accept(get(`${line}\r\n`), `${line} goes no further`, { level: 'policy', absent: [name] })
gone('Keep-Alive: timeout=5', 'keep-alive')
gone('Proxy-Connection: keep-alive', 'proxy-connection')
gone('Proxy-Authorization: Basic eDp5', 'proxy-authorization')
gone('Upgrade: x', 'upgrade')
gone('Trailer: X', 'trailer')
gone('Connection: X-One\r\nX-One: 1', 'x-one')
gone('X-One: 1\r\nConnection: close, x-ONE', 'x-one')
gone('X-One: 1\r\nConnection: , ,x-one, ,', 'x-one')
gone('X-One: 1\r\nConnection: x-two\r\nConnection: x-one', 'x-one')
gone('X-Envoy-Peer-Metadata: a', 'x-envoy-peer-metadata')
gone('X-Envoy-Peer-Metadata-Id: a', 'x-envoy-peer-metadata-id')
gone('X-Forwarded-Client-Cert: By=spiffe://a', 'x-forwarded-client-cert: By=spiffe://a')
gone('Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__', 'http2-settings')
gone('Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__', 'upgrade')
for (const [name, value] of [
  ['Authorization', 'Bearer a'],
  ['Cookie', 'a=b'],
  ['X-Forwarded-Proto', 'http'],
  ['Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
] as const)
  f.accept(get(`${name}: ${value}\r\nConnection: ${name}\r\n`), `Connection cannot take out ${name}`, {
    level: 'policy',
    kept: [name.toLowerCase()],
  })
f.accept(get('Connection: host\r\n'), 'Connection cannot take out Host')
f.accept(post('Connection: content-length\r\nContent-Length: 3\r\n', 'abc'), 'Connection cannot take out a length')
f.accept(post(`Connection: transfer-encoding\r\n${TE}`, '3\r\nabc\r\n0\r\n\r\n'), 'nor Transfer-Encoding')
f.strict(post(`Connection: content-length\r\nContent-Length: 3\r\n${TE}`, '0\r\n\r\n'), 'nor one of two framings')
f.accept(get(`Connection: ${'abcdefghij'.split('').join(',')}\r\n`), 'ten names in Connection')
f.strict(get(`Connection: ${'abcdefghijklm'.split('').join(',')}\r\n`), 'thirteen names in Connection')
for (const value of ['close x', '"close"', 'close;x', 'cl\xf6se', '@', 'a/b'])
  f.strict(get(`Connection: ${value}\r\n`), `Connection: ${JSON.stringify(value)}`)

export const fields = f.rows
