/** What one message does to the next: pipelining, persistence, Expect, Upgrade. RFC 9112 section 9, RFC 9110 10.1.1 and 7.8. */
import { CHUNKED_SMUGGLED, Family, get, H, HOST, length, post, SMUGGLED, TE } from './row.ts'

const f = new Family('connection')
const one = `GET /x ${HOST} `

for (const count of [2, 3, 8, 9, 20, 50])
  f.accept(get().repeat(count), `${count} requests at once`, { requests: count, seen: Array<string>(count).fill(one) })
f.accept(get() + post(length('abc'), 'abc') + post(TE, '1\r\nd\r\n0\r\n\r\n') + get(), 'four of three kinds', {
  requests: 4,
  seen: [one, `POST /x ${HOST} abc`, `POST /x ${HOST} d`, one],
})
f.accept(`HEAD /x HTTP/1.1\r\n${H}\r\n${get()}`, 'HEAD and GET', { requests: 2 })
for (const bad of [
  '\0',
  'GET\r\n\r\n',
  'GET /x\r\n\r\n',
  `GET /x HTTP/1.1\r\n\r\n`,
  ` ${get()}`,
  `${H}\r\n`,
  'abc\r\n\r\n',
  `:${get()}`,
]) {
  f.refuse(get() + bad, `a bad second request: ${JSON.stringify(bad.slice(0, 20))}`, { requests: 1 })
  f.refuse(get() + get() + bad + get(), `a bad third request: ${JSON.stringify(bad.slice(0, 20))}`, { requests: 2 })
}
for (const option of [
  'close',
  'Close',
  'CLOSE',
  'keep-alive, close',
  'close, keep-alive',
  ' close ',
  'x-one, close',
  'close,close',
])
  f.accept(get(`Connection: ${option}\r\n`, get()), `nothing behind Connection: ${option}`, { requests: 1 })
f.accept(get('Connection: keep-alive\r\nConnection: close\r\n', get()), 'nothing behind a second Connection', {
  requests: 1,
})
f.accept(get('Connection: close\r\n', '\0\x01garbage'), 'rubbish behind Connection: close', { requests: 1 })
f.accept(get('Connection: close\r\n', `GET /x HTTP/1.1\r\n${H}${H}\r\n`), 'a bad request behind close', { requests: 1 })
f.accept(post(`Connection: close\r\n${length('abc')}`, `abc${SMUGGLED}`), 'nothing behind a body and close', {
  requests: 1,
})
for (const option of ['keep-alive', 'Keep-Alive', 'x-one', 'closed', 'clos', 'not-close', ''])
  f.accept(get(`Connection: ${option}\r\n`, get()), `Connection: ${option} keeps it`, { requests: 2 })
for (const option of ['', 'Connection: close\r\n', 'Connection: x\r\n', 'Connection: keep-alive, close\r\n'])
  f.accept(`GET /x HTTP/1.0\r\n${H}${option}\r\n${SMUGGLED}`, `HTTP/1.0, ${option.trim()}`, { requests: 1 })
f.accept(`GET /x HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n`.repeat(3), 'three of HTTP/1.0', { requests: 3 })
f.refuse(`GET /x HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n${get(H)}`, 'HTTP/1.0 and a bad one', { requests: 1 })

const expect = (value: string, body = 'abc'): string => post(`Expect:${value}\r\n${length(body)}`, body)
for (const value of [' 100-continue', '100-continue', ' 100-Continue', ' 100-CONTINUE', '\t100-continue \t'])
  f.accept(expect(value), `Expect:${JSON.stringify(value)}`, { seen: [`POST /x ${HOST} abc`] })
f.accept(post(`Expect: 100-continue\r\n${TE}`, '3\r\nabc\r\n0\r\n\r\n'), 'Expect with chunks', {
  seen: [`POST /x ${HOST} abc`],
})
f.accept(expect(' 100-continue', SMUGGLED) + get(), 'Expect and a request as the body', {
  requests: 2,
  seen: [`POST /x ${HOST} ${SMUGGLED}`, one],
})
for (const value of [
  ' x 100-continue|\x0b100-continue| 100-continue, x| 100-continue,| 100-continue;q=1| "100-continue"| 100-continuex| 100 -continue| 100| continue| 200-ok||y 100-continue| 100-continue, 100-continue| 100_continue| \xa0100-continue| 100-continue\x85',
].flatMap((text) => text.split('|')))
  f.strict(expect(value), `Expect:${JSON.stringify(value)}`, { status: /[\x0b]/.test(value) ? 400 : 417 }) // oxlint-disable-line no-control-regex
f.strict(post(`Expect: 100-continue\r\nExpect: 100-continue\r\n${length('abc')}`, 'abc'), 'Expect twice', {
  status: 417,
})
f.strict(post(`Expect: 100-continue\r\nExpect: x\r\n${length('abc')}`, 'abc'), 'two Expects', { status: 417 })
f.strict(get('Expect: x\r\n', SMUGGLED), 'another Expect without a body', { status: 417 })
f.refuse(post(`Expect : 100-continue\r\n${length('abc')}`, 'abc'), 'Expect with a space before the colon')
f.strict(post(`Expect:\r\n 100-continue\r\n${length('abc')}`, 'abc'), 'a folded Expect')
f.strict(post(`X: y\nExpect: 100-continue\r\n${length('abc')}`, 'abc'), 'Expect behind a bare LF')
f.accept(get('Expect: 100-continue\r\n', get()), 'Expect without a body: nobody waits', {
  requests: 2,
  absent: ['expect'],
})
f.accept(get('Expect: 100-continue\r\nContent-Length: 0\r\n', get()), 'Expect with an empty body', {
  requests: 2,
  absent: ['expect'],
})
f.accept(
  `POST /x HTTP/1.0\r\n${H}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`,
  'Expect of HTTP/1.0 means nothing',
  { absent: ['expect'], seen: [`POST /x ${HOST} abc`] },
)
f.strict(post(`Expect: 100-continue\r\n${TE}${length('abc')}`, '0\r\n\r\n'), 'Expect and two framings')
f.refuse(post(`Expect: 100-continue\r\nContent-Length: x\r\n`, SMUGGLED), 'Expect and a bad length')
f.cut(post(`Expect: 100-continue\r\n${length('abc')}`, ''), 'Expect and no body')
f.cut(post(`Expect: 100-continue\r\n${length('abc')}`, 'ab'), 'Expect and a cut body')
f.broken(post(`Expect: 100-continue\r\n${TE}`, `x\r\n${SMUGGLED}`), 'Expect and a bad chunk')

const WS =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
f.accept(get(WS), 'an upgrade that the upstream does not want')
f.accept(get(WS, get()), 'a request behind an upgrade that was not wanted', { requests: 2 })
f.accept(get(WS + length(SMUGGLED), SMUGGLED), 'an upgrade with a body', { seen: [`GET /x ${HOST} ${SMUGGLED}`] })
f.accept(get(WS + TE, CHUNKED_SMUGGLED), 'an upgrade with chunks', { seen: [`GET /x ${HOST} ${SMUGGLED}`] })
f.accept(post(WS + length('abc'), 'abc'), 'POST is no WebSocket', {
  absent: ['upgrade'],
  seen: [`POST /x ${HOST} abc`],
})
f.accept(get(WS.replace('13', '12')), 'another version of WebSocket', { absent: ['upgrade'] })
f.accept(get(WS.replace('websocket', 'h2c'), get()), 'h2c is not taken up', { requests: 2, absent: ['upgrade'] })
f.accept(get(WS.replace('Connection: Upgrade\r\n', '')), 'Upgrade without Connection', { absent: ['upgrade'] })
f.accept(`GET /x HTTP/1.0\r\n${H}${WS}\r\n`, 'an upgrade of HTTP/1.0', { absent: ['upgrade'] })
f.strict(get(`${WS}${TE}Content-Length: 3\r\n`, '0\r\n\r\n'), 'an upgrade with two framings')

f.accept(`OPTIONS /x HTTP/1.1\r\n${H}Max-Forwards: 5\r\n\r\n`, 'hops left')
f.refuse(`OPTIONS /x HTTP/1.1\r\n${H}Max-Forwards: -1\r\n\r\n`, 'a negative number of hops', { level: 'policy' })
f.accept(get('Max-Forwards: 0\r\n'), 'Max-Forwards of GET means nothing')
f.accept(get('TE: trailers\r\nConnection: TE\r\n'), 'TE: trailers')
f.accept(get('TE: gzip, deflate;q=0.5\r\n'), 'TE of another kind', { absent: ['te'] })

export const connections = f.rows
