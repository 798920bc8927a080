/** Chunked bodies and trailers: RFC 9112 section 7.1, RFC 9110 section 6.5. */
import { byteName, CONTROLS, Family, get, H, HOST, NO_TOKEN, post, SMUGGLED, TE } from './row.ts'

const f = new Family('chunked')
const chunks = (body: string): string => post(TE, body)
const seen = (body: string): string[] => [`POST /x ${HOST} ${body}`]
const END = '0\r\n\r\n'

for (const size of ['5', '05', '0005', '000000000005'])
  f.accept(chunks(`${size}\r\nabcde\r\n${END}`), `size ${size}`, { seen: seen('abcde') })
for (const size of ['a', 'A', '0a', '0A'])
  f.accept(chunks(`${size}\r\nabcdefghij\r\n${END}`), `size ${size}`, { seen: seen('abcdefghij') })
f.accept(chunks(END), 'no chunk', { seen: seen('') })
f.accept(chunks('00000\r\n\r\n'), 'a last chunk of many zeros', { seen: seen('') })
f.accept(chunks(`1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n${END}`), 'three chunks', { seen: seen('abcdef') })
f.accept(chunks(`${'1\r\na\r\n'.repeat(200)}${END}`), '200 chunks', { seen: seen('a'.repeat(200)) })
f.accept(chunks(`800\r\n${'a'.repeat(2048)}\r\n${END}`), 'a chunk of 2 KiB', { seen: seen('a'.repeat(2048)) })
f.accept(chunks(`2\r\n\r\n\r\n${END}`), 'CRLF as data', { seen: seen('\r\n') })
f.accept(chunks(`5\r\n0\r\n\r\n\r\n${END}`), 'a last chunk as data', { seen: seen('0\r\n\r\n') })
f.accept(chunks(END) + get(), 'a request behind it', { requests: 2 })
f.accept(chunks(`3\r\nabc\r\n${END}`).repeat(3), 'three of them', { requests: 3 })

for (const size of [
  '0x5|0X5|x5|5x|5h|+5|-5|-0|+0|0_5|5_| 5|\t5|5 |5\t|5 5|5,|5.|5.0|5:|"5"|5\0|\x005|5\x0b|\x0b5|5\xa0|\xa05|5\x85|\xb2|g|G|0g|',
  '5\r|\r5|=5|5=|5/|%35|,5|--|#|5e+|\xef\xbc\x95',
].flatMap((text) => text.split('|')))
  f.broken(chunks(`${size}\r\nabcde\r\n${END}`), `size ${JSON.stringify(size)}`)
for (const size of [
  '100000005',
  '10000000000000005',
  'ffffffffffffffff',
  'fffffffffffffffb',
  '8000000000000000',
  '20000000000001',
  '7fffffffffffffff',
  '-1',
  `${'0'.repeat(100)}5`,
])
  f.broken(
    chunks(`${size}\r\nabcde\r\n${END}`),
    `size ${size.slice(0, 20)} wraps or is beyond all bodies`,
    size === '100000005' ? { phase: 'incomplete', status: null } : {},
  )
f.broken(chunks(`5\nabcde\r\n${END}`), 'a bare LF behind the size')
f.broken(chunks(`5\rabcde\r\n${END}`), 'a bare CR behind the size')
f.broken(chunks(`5\r\r\nabcde\r\n${END}`), 'CR CR LF behind the size')
f.broken(chunks('5\r\r;ABCD\r\n0\r\n\r\n'), 'CR CR and an extension')
f.broken(chunks('\r0\n'), 'CR before, LF behind')
f.broken(chunks(`5\r\nabcdeXX${END}`), 'SPILL.TERM: two bytes for the CRLF')
f.broken(chunks(`5\r\nabcdeX\n${END}`), 'SPILL.TERM: a byte for the CR')
f.broken(chunks(`5\r\nabcde\rX${END}`), 'SPILL.TERM: a byte for the LF')
f.broken(chunks(`5\r\nabcde${END}`), 'SPILL.TERM: nothing for the CRLF')
f.broken(chunks(`5\r\nabcde\n${END}`), 'SPILL.TERM: a bare LF')
f.broken(chunks(`5\r\nabcde\r${END}`), 'SPILL.TERM: a bare CR')
f.broken(chunks(`5\r\nabcde\r\r\n${END}`), 'SPILL.TERM: CR CR LF')
f.broken(chunks(`5\r\nabcde\n\r${END}`), 'SPILL.TERM: LF CR')
f.broken(chunks(`5\r\nabcdef\r\n${END}`), 'a byte too many')
f.broken(chunks(`5\r\nabcd\r\n${END}`), 'a byte too few')
f.broken(chunks(`5\r\nabcde\r\n\r\n${END}`), 'an empty line between chunks')
f.broken(chunks(`5\r\nabcde\r\n 0\r\n\r\n`), 'a space before the last chunk')
f.broken(chunks(`5vwxyz\r\n${END}`), 'data right behind the size')
f.broken(chunks(`\r\n5\r\nabcde\r\n${END}`), 'an empty line before')
f.broken(chunks(`0\n\r\n`), 'a bare LF behind the last size')
f.broken(chunks(`0\r\n\n${SMUGGLED}`), 'a bare LF for the last CRLF')
f.broken(chunks(`0\r\n\r${SMUGGLED}`), 'a bare CR for the last CRLF')
f.broken(chunks(`0\r\r\n\r\n`), 'CR CR LF behind the last size')
f.broken(chunks(`0\n\n${SMUGGLED}`), 'bare LFs at the end')
f.broken(`${get()}${chunks(`x\r\n${END}`)}`, 'a bad chunk in the second request', { requests: 1 })

const extension = (text: string): string => chunks(`5${text}\r\nabcde\r\n${END}`)
for (const text of [
  ';a',
  ';a=b',
  ';a="b"',
  ';a="b c;d=e"',
  ';a="\\""',
  ';a;b;c=d',
  '; a = b',
  ';\ta\t=\tb',
  ";!#$%&'*+-.^_`|~=1",
  ';a="\xff"',
  ';a=""',
  `;${'a'.repeat(1000)}`,
])
  f.accept(extension(text), `extension ${JSON.stringify(text.slice(0, 30))} goes no further`, { seen: seen('abcde') })
f.accept(chunks(`0;a=b\r\n\r\n`), 'an extension of the last chunk', { seen: seen('') })
for (const text of [
  ';',
  ';;a',
  ';=b',
  ';a=',
  ';a==b',
  ';a="b',
  ';a=b"',
  ';a="b"c',
  ';a b',
  ';a,b',
  ';"a"',
  ';a=b c',
  ';a="b\\',
  ';a@',
  ';a=\xff',
  ';\xff',
  ' ;',
  ';a\\',
  ';(a)',
])
  f.broken(extension(text), `extension ${JSON.stringify(text)}`, { level: 'policy' })
for (const c of [...CONTROLS.slice(0, 8), '\0', '\x7f', '\n', '\r'])
  f.broken(extension(`;a${c}b`), `TERM.EXT: ${byteName(c)} in an extension`)
for (const c of ['\n', '\r', '\0']) f.broken(extension(`;a="${c}"`), `EXT.TERM: ${byteName(c)} in a quoted extension`)
f.broken(chunks(`5;a\nabcde\r\n${END}`), 'TERM.EXT: a bare LF ends the line')
f.broken(
  chunks(`2;\nxx\r\n4c\r\n0\r\n\r\n${SMUGGLED}\r\n${END}`),
  'TERM.EXT: one reader sees a request in the next chunk',
)
f.broken(chunks(`5 ;a\r\nabcde\r\n${END}`), 'a space before an extension', { level: 'policy' })
f.broken(chunks(`5;a \r\nabcde\r\n${END}`), 'a space behind an extension', { level: 'policy' })
f.broken(chunks(`5;${'a'.repeat(20_000)}\r\nabcde\r\n${END}`), 'an extension of 20,000 bytes', { level: 'policy' })
f.broken(chunks(`${`1;${'a'.repeat(2000)}\r\na\r\n`.repeat(12)}${END}`), 'much extension around few bytes', {
  level: 'policy',
})

const trailer = (text: string): string => chunks(`5\r\nabcde\r\n0\r\n${text}\r\n`)
for (const text of ['X: y\r\n', 'X:\r\n', 'X: y\r\nZ: w\r\n', 'X: \xff\r\n', 'X:y\r\n'])
  f.accept(trailer(text), `trailers ${JSON.stringify(text)}`, { seen: seen('abcde') })
for (const line of [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: other.test',
  'Authorization: Basic eDp5',
  'Cookie: a=b',
  'Content-Type: text/html',
  'Content-Encoding: gzip',
  'X-Forwarded-For: 127.0.0.1',
  'Connection: close',
  'X-Envoy-Peer-Metadata: a',
  'Content_Length: 5',
  'Expect: 100-continue',
  'Upgrade: websocket',
])
  f.accept(trailer(`${line}\r\n`) + get(), `a trailer that changes nothing: ${line}`, {
    requests: 2,
    absent: line.startsWith('Host') ? [] : [line.split(':')[0]!.toLowerCase()].filter((n) => n !== 'transfer-encoding'),
  })
f.accept(post(`${TE}Trailer: X\r\n`, '0\r\nX: y\r\n\r\n'), 'an announced trailer', { seen: seen('') })
f.accept(trailer(`X: ${SMUGGLED.replaceAll('\r\n', ' ')}\r\n`), 'a request in a trailer', { seen: seen('abcde') })
for (const line of [
  'X',
  'X y',
  ' X: y',
  '\tX: y',
  ': y',
  'X : y',
  'X\t: y',
  'X y: z',
  'X: a\r\n b',
  'X: a\0b',
  'X: a\rb',
  'X: a\nb',
  'X\xff: y',
  SMUGGLED.split('\r\n')[0]!,
])
  f.broken(trailer(`${line}\r\n`), `a trailer ${JSON.stringify(line)}`)
for (const c of NO_TOKEN) if (c !== ':') f.broken(trailer(`A${c}B: y\r\n`), `${byteName(c)} in the name of a trailer`)
for (const c of CONTROLS.slice(0, 6))
  f.broken(trailer(`X: a${c}b\r\n`), `${byteName(c)} in a trailer`, { level: 'policy' })
f.broken(chunks(`0\r\nX: y\n\r\n`), 'a bare LF behind a trailer', { level: 'policy' })
f.broken(chunks(`0\r\nX: y\r\n\n`), 'a bare LF behind the trailers', { level: 'policy' })
f.broken(trailer('X: y\r\n'.repeat(101)), '101 trailers', { level: 'policy', status: 431 })
f.broken(trailer(`X: ${'a'.repeat(10_000)}\r\n`), '10,000 bytes of trailers', { level: 'policy', status: 431 })

for (const [text, where] of [
  ['', 'before a chunk'],
  ['5', 'in a size'],
  ['5\r', 'behind CR'],
  ['5\r\n', 'behind a size line'],
  ['5\r\nabc', 'in the data'],
  ['5\r\nabcde', 'behind the data'],
  ['5\r\nabcde\r', 'in the CRLF of the data'],
  ['5\r\nabcde\r\n', 'before the last chunk'],
  ['5\r\nabcde\r\n0', 'in the last size'],
  ['5\r\nabcde\r\n0\r\n', 'before the last CRLF'],
  ['5\r\nabcde\r\n0\r\n\r', 'in the last CRLF'],
  ['0\r\nX: y', 'in a trailer'],
  ['0\r\nX: y\r\n', 'behind a trailer'],
  ['5;a=b', 'in an extension'],
  [`ffffffff\r\n${SMUGGLED}`, 'in a chunk of 4 GiB'],
] as const)
  f.cut(chunks(text), `cut ${where}`)
f.cut(`POST /x HTTP/1.1\r\n${H}${TE}`, 'cut before the body')

export const chunked = f.rows
