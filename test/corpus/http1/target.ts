/** Request targets, authorities and paths: RFC 9112 section 3.2, RFC 9110 section 7.2, RFC 3986 section 6. */
import { byteName, CONTROLS, Family, get, H, HOST, length, SMUGGLED } from './row.ts'

const f = new Family('target')
const target = (text: string, method = 'GET', fields = H): string => `${method} ${text} HTTP/1.1\r\n${fields}\r\n`
const host = (value: string): string => target('/x', 'GET', `Host:${value}\r\n`)

for (const c of [
  ...CONTROLS.filter((c) => c !== '\x0b' && c !== '\x0c').slice(0, 12),
  '\0',
  '\x7f',
  '\x80',
  '\xc3\xa9',
  '\xff',
])
  f.refuse(target(`/a${c}b`), `${byteName(c)} in the target`)
f.refuse(target('/a#b'), 'a fragment')
f.refuse(target('/#'), 'an empty fragment')
f.refuse(target('/admin#/../public'), 'a fragment that hides the path')
f.refuse(target(`http://${HOST}/a#b`), 'a fragment in absolute-form')
for (const c of '"<>\\^`{|}') f.either(target(`/a${c}b`), `${c} is not of the URI grammar`)
for (const path of [
  '/ /a /a/b/ /a?b=c&d=e /?q //a /a//b /a;p=1 /a:b@c /~u /%41 /a%2Fb /a%2fb /%5C /a%3Fb /a%23b /a%20b /%E2%82%AC /?a=/../b /?a=%zz',
  "/!$&'()*+,;=:@ /a?b?c /%2500 /%252e%252e/a /...",
].flatMap((text) => text.split(' ')))
  f.accept(target(path), `target ${path}`)
for (const [path, form] of [
  ['/a/../b', '/b'],
  ['/a/./b', '/a/b'],
  ['/a/%2e%2e/b', '/b'],
  ['/a/%2E./b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/../../etc/passwd', '/etc/passwd'],
  ['/a/b/..', '/a/'],
  ['/a/.', '/a/'],
  ['/%7Eu', '/~u'],
  ['/%61dmin', '/admin'],
  ['/a\\..\\b', '/b'],
  ['/a/../b?c=../d', '/b?c=../d'],
] as const)
  f.accept(target(path), `one form of the path: ${path}`, { level: 'policy', seen: [`GET ${form} ${HOST} `] })
for (const path of ['/%', '/%4', '/%zz', '/%4x', '/%%41', '/a%', '/a%2', '/%u0041', '/%-1'])
  f.strict(target(path), `a percent sign without two digits: ${path}`)

for (const text of [
  'x x/y ?a :80 example.test example.test:80 *x ** .. ./x ../x http:/x http:x http: http:// http:///x http://?x http://#',
  'ftp://example.test/ ws://example.test/ file:///etc/passwd javascript:x data:, unix:/a http//example.test/ //',
  '://example.test/ http:\\\\example.test\\x http://example.test\\x',
].flatMap((text) => text.split(' ')))
  if (text !== '//') f.refuse(target(text), `no form of a target: ${text}`)
f.refuse(target('*'), '* is only for OPTIONS')
f.refuse(target('*', 'POST'), '* is only for OPTIONS')
f.refuse(target('*', 'options'), 'methods have their case')
// a route's prefix `/` does not match it, in Envoy neither: then it is answered with 404
f.either(target('*', 'OPTIONS'), 'OPTIONS *')
f.accept(target('/x', 'OPTIONS'), 'OPTIONS of a path', { seen: [`OPTIONS /x ${HOST} `] })

for (const [text, path, at] of [
  ['http://other.test/y', '/y', 'other.test'],
  ['HTTP://other.test/y', '/y', 'other.test'],
  ['http://other.test', '/', 'other.test'],
  ['http://other.test?q', '/?q', 'other.test'],
  ['http://other.test:8080/y?q', '/y?q', 'other.test:8080'],
  ['http://[::1]:80/y', '/y', '[::1]:80'],
  ['http://127.0.0.1/y', '/y', '127.0.0.1'],
  ['http://other.test/a/../b', '/b', 'other.test'],
  ['http://other.test//y', '//y', 'other.test'],
] as const)
  f.accept(target(text), `absolute-form replaces Host: ${text}`, { seen: [`GET ${path} ${at} `] })
f.either(target('http://other.test', 'OPTIONS'), 'OPTIONS of an authority')
f.refuse(target('http://other.test/', 'GET', ''), 'absolute-form does not stand for Host')
f.refuse(target('http://other.test/', 'GET', H + H), 'absolute-form and two Hosts')
f.refuse(target('http://other.test/', 'GET', 'Host: a b\r\n'), 'absolute-form and a bad Host')
for (const authority of [
  'u@a u:p@a @a a@ :80 a:x a:-1 a:70000 a:99999 a:65536 a:80:80 a:+80 [::1 ::1 [::1]x [::1]:x [x] [] [:::] a,b a%00 a%2fb a%40b',
].flatMap((text) => text.split(' ')))
  f.strict(target(`http://${authority}/`), `authority ${authority} of absolute-form`)
f.strict(target(`https://${HOST}/`), 'https where there is no TLS')

for (const value of [
  ' example.test',
  'example.test',
  '\texample.test \t',
  ' EXAMPLE.test',
  ' example.test:80',
  ' example.test:',
])
  f.accept(host(value), `Host:${JSON.stringify(value)}`)
for (const value of [' 127.0.0.1', ' [::1]', ' [::1]:8080', ' a_b', ' a.', ' xn--e1afmkfd', ' a-b.c'])
  f.accept(host(value), `Host:${JSON.stringify(value)}`)
f.strict(host(''), 'an empty Host')
f.strict(host('  '), 'a Host of spaces')
for (const value of [
  'a b|a\tb|a,b|a, b|u@a|u:p@a|http://a|a/b|/|a?b|a#b|a\\b|a%00|a%2e|a:70000|a:x|a:-1|a:80:80|::1|[::1|[::1]x|[x]|"a"|<a>|a\xe9|a\x85|a^|a|b|{a}',
].flatMap((text) => text.split('|')))
  if (value !== 'b' && value !== 'a') f.refuse(host(` ${value}`), `Host: ${JSON.stringify(value)}`)
f.refuse(target('/x', 'GET', ''), 'no Host')
f.refuse(target('/x', 'GET', 'X: y\r\n'), 'no Host among fields')
f.refuse(target('/x', 'GET', H + H), 'two equal Hosts')
f.refuse(target('/x', 'GET', `${H}Host: other.test\r\n`), 'two Hosts')
f.refuse(target('/x', 'GET', `Host: other.test\r\nX: y\r\n${H}`), 'two Hosts, a field between')
f.refuse(target('/x', 'GET', `${H}hOST: other.test\r\n`), 'two Hosts in two cases')
f.refuse(target('/x', 'GET', `${H}Host:\r\n`), 'a Host and an empty one')
f.refuse(`GET /x HTTP/1.0\r\n${H}Host: other.test\r\n\r\n`, 'two Hosts in HTTP/1.0')
f.refuse(target('/x', 'GET', `Host : other.test\r\n${H}`), 'a Host with a space before the colon')
f.strict(target('/x', 'GET', `Host:\r\n other.test\r\n`), 'a folded Host')
f.strict(target('/x', 'GET', `${H} other.test\r\n`), 'a Host that goes on')
f.refuse(target('/x', 'GET', `X: y\rHost: other.test\r\n${H}`), 'a Host behind a bare CR')
f.strict(target('/x', 'GET', `X: y\nHost: other.test\r\n${H}`), 'a Host behind a bare LF')
f.either(target('/x', 'GET', `X_Forwarded_Host: other.test\r\n${H}`), 'a look-alike of X-Forwarded-Host')
// each request of a connection is judged by itself, not by the first
f.refuse(get() + target('/x', 'GET', H + H), 'two Hosts in the second request', { requests: 1 })
f.refuse(get() + target('/x', 'GET', ''), 'no Host in the second request', { requests: 1 })
f.accept(get() + target('/y', 'GET', 'Host: other.test\r\n'), 'another Host in the second request', {
  requests: 2,
  seen: [`GET /x ${HOST} `, 'GET /y other.test '],
})
f.accept(target('http://other.test/y') + get(), 'absolute-form counts for its request only', {
  requests: 2,
  seen: ['GET /y other.test ', `GET /x ${HOST} `],
})

f.strict(target('other.test:443', 'CONNECT'), 'CONNECT where it is not configured', { status: 405 })
f.strict(target('other.test:443', 'CONNECT') + SMUGGLED, 'bytes behind a CONNECT are no request', { status: 405 })
f.strict(target('other.test:443', 'CONNECT', H + length(SMUGGLED)) + SMUGGLED, 'CONNECT with a body', { status: 405 })
f.strict(get() + target('other.test:443', 'CONNECT') + SMUGGLED, 'CONNECT as a second request', {
  status: 405,
  requests: 1,
})
for (const text of [
  '/',
  'other.test',
  'http://other.test:443/',
  '*',
  'u@other.test:443',
  'other.test:',
  'other.test:0',
  'other.test:x',
  'other.test:70000',
  ':443',
  'other.test:443/',
])
  f.strict(target(text, 'CONNECT'), `CONNECT ${text} where it is not configured`, { status: 405 })
f.strict(target(`/${'a'.repeat(17_000)}`), 'a target of 17,000 bytes', { status: 414 })
f.strict(target(`/?${'a'.repeat(40_000)}`), 'a query of 40,000 bytes', { status: 414 })
f.accept(target(`/${'a'.repeat(8000)}`), 'a target of 8,000 bytes')

export const targets = f.rows
