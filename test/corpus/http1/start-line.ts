/** Start lines: RFC 9112 sections 2.2, 2.3 and 3. */
import { byteName, Family, get, H, HOST, NO_TOKEN, SMUGGLED } from './row.ts'

const f = new Family('start-line')
const line = (start: string, fields = H): string => `${start}\r\n${fields}\r\n`

for (const count of [1, 2, 3, 4]) f.accept('\r\n'.repeat(count) + get(), `${count} empty lines before`)
for (const count of [5, 9, 100]) f.strict('\r\n'.repeat(count) + get(), `${count} empty lines before`)
f.accept(`${get()}\r\n\r\n${get()}`, 'empty lines between two requests', { requests: 2 })
f.accept(`POST / HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nab\r\n${get()}`, 'a line end after a body', { requests: 2 })
f.strict(`\n${get()}`, 'a bare LF before')
f.refuse(`\r${get()}`, 'a bare CR before')
f.refuse(`\r\r\n${get()}`, 'CR CR LF before')
f.refuse(`\0${get()}`, 'NUL before')
f.refuse(`\xef\xbb\xbf${get()}`, 'a byte order mark before')

for (const [name, space] of [
  ['two spaces', '  '],
  ['a tab', '\t'],
  ['a vertical tab', '\x0b'],
  ['a form feed', '\x0c'],
  ['space and tab', ' \t'],
  ['tab and space', '\t '],
  ['a CR', '\r'],
] as const) {
  f.strict(line(`GET${space}/x HTTP/1.1`), `${name} behind the method`)
  f.strict(line(`GET /x${space}HTTP/1.1`), `${name} before the version`)
}
for (const space of ['\xa0', '\x85', '\0', '\x1c', '']) {
  f.refuse(line(`GET${space}/x HTTP/1.1`), `${space === '' ? 'nothing' : byteName(space)} behind the method`)
  f.refuse(line(`GET /x${space}HTTP/1.1`), `${space === '' ? 'nothing' : byteName(space)} before the version`)
}
for (const space of [' ', '\t', '  ']) {
  f.strict(line(`${space}GET /x HTTP/1.1`), 'white space before the method')
  f.strict(line(`GET /x HTTP/1.1${space}`), 'white space behind the version')
}
f.refuse(line('GET /x HTTP/1.1 x'), 'a fourth part')
f.refuse(line('GET /x /y HTTP/1.1'), 'two targets')
f.refuse(line('GET /x HTTP/1.1 HTTP/1.1'), 'two versions')
f.refuse(line('GET'), 'a method only')
f.refuse(line('GET /x'), 'no version')
f.refuse(line('GET /x '), 'an empty version')
f.refuse(`GET /x\r\n`, 'HTTP/0.9')
f.refuse(`/x HTTP/1.1\r\n${H}\r\n`, 'no method')
f.refuse(` /x HTTP/1.1\r\n${H}\r\n`, 'an empty method')

for (const c of NO_TOKEN) if (c !== '\t') f.refuse(line(`GE${c}T /x HTTP/1.1`), `${byteName(c)} in the method`)
f.refuse(line('GET: /x HTTP/1.1'), 'a colon behind the method')
for (const method of ['get', 'Get', 'gET', 'PURGE', 'MKCOL', 'A', "!#$%&'*+-.^_`|~09aZ", 'X'.repeat(64)])
  f.accept(line(`${method} /x HTTP/1.1`), `method ${method}`, { seen: [`${method} /x ${HOST} `] })
for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND', 'REPORT'])
  f.accept(line(`${method} /x HTTP/1.1`), `method ${method}`, { seen: [`${method} /x ${HOST} `] })
f.refuse(line('TRACE * HTTP/1.1'), 'TRACE has no such target')
f.strict(line('TRACE /x HTTP/1.1'), 'TRACE shows what proxies added', { status: 405 })
f.strict(line('TRACE /x HTTP/1.1', `${H}Content-Length: ${SMUGGLED.length}\r\n`) + SMUGGLED, 'TRACE with a body', {
  status: 405,
})

for (const version of [
  'HTTP/1.10 HTTP/01.1 HTTP/1. HTTP/.1 HTTP/1 HTTP/ HTTP HTTP1.1 HTTP-1.1 HTTP\\1.1 http/1.1 Http/1.1 HTTp/1.1 HTTP/1,1',
  'HTTP/1.1x HTTP/1.1.1 HTTPS/1.1 HTP/1.1 HTTTP/1.1 ICE/1.0 RTSP/1.0 HTTP/1.-1 HTTP/+1.1 HTTP/-1.1 HTTP/0x1.1 HTTP/1.x',
  'HTTP/x.1 HTTP//1.1 HTTP/1/1 HTTP/11 HTTP/1.\xb9 HTTP/1.1\0 1.1 /1.1 "HTTP/1.1"',
].flatMap((text) => text.split(' ')))
  f.refuse(line(`GET /x ${version}`), `version ${JSON.stringify(version)}`)
for (const version of ['HTTP/2.0', 'HTTP/3.0', 'HTTP/0.9', 'HTTP/0.0', 'HTTP/2.1', 'HTTP/9.9'])
  f.refuse(line(`GET /x ${version}`), `version ${version}`, { status: 505 })
for (const version of ['HTTP/1.2', 'HTTP/1.5', 'HTTP/1.9'])
  f.accept(line(`GET /x ${version}`), `version ${version} counts as 1.1`, { level: 'policy' })
// a port that speaks HTTP/2 takes it up, any other answers 505
f.refuse('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'the preface of HTTP/2', { status: null })
f.refuse(`${get()}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 'the preface of HTTP/2 as a second request', {
  status: 505,
  requests: 1,
})
f.accept('GET /x HTTP/1.0\r\n\r\n', 'HTTP/1.0 without Host')
f.accept(`GET /x HTTP/1.0\r\n${H}\r\n`, 'HTTP/1.0 with Host', { seen: [`GET /x ${HOST} `] })
f.accept(`GET /x HTTP/1.0\r\n${H}\r\n${SMUGGLED}`, 'HTTP/1.0 ends after one request')
f.accept(`GET /x HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n${get()}`, 'HTTP/1.0 kept alive', { requests: 2 })

f.cut('GET', 'cut in the method')
f.cut('GET /x HTTP/1.', 'cut in the version')
f.cut('GET /x HTTP/1.1\r', 'cut behind CR')
f.cut('GET /x HTTP/1.1\r\n', 'cut behind the start line')
f.cut(`GET /x HTTP/1.1\r\n${H}`, 'cut behind a field')
f.cut(`GET /x HTTP/1.1\r\n${H}\r`, 'cut in the empty line')
f.cut(`${get()}GET /y HTTP/1.1\r\n${H}`, 'cut in a second head', { requests: 1 })

export const startLines = f.rows
