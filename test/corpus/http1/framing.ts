/** Where a request ends: Content-Length and Transfer-Encoding alone, twice and together. RFC 9112 section 6. */
import { CHUNKED_SMUGGLED, Family, get, H, HOST, length, post, SMUGGLED, TE } from './row.ts'

const f = new Family('framing')
const cl = (value: string, body = 'abcde'): string => post(`Content-Length:${value}\r\n`, body)
const te = (value: string, body = CHUNKED_SMUGGLED): string => post(`Transfer-Encoding:${value}\r\n`, body)

for (const value of [
  ' 5',
  '5',
  '\t5',
  ' 5 \t',
  ' 05',
  ' 0005',
  ' 0000000000000005',
  ' 00000000000000000000000000000005',
])
  f.accept(cl(value), `Content-Length:${JSON.stringify(value)}`, { seen: [`POST /x ${HOST} abcde`] })
f.accept(cl(' 010', 'abcdefghij'), 'a leading zero is not octal', { seen: [`POST /x ${HOST} abcdefghij`] })
f.accept(cl(' 0', ''), 'an empty body', { seen: [`POST /x ${HOST} `] })
f.accept(post('', SMUGGLED), 'no framing: no body', { requests: 2 })
for (const value of [
  '+5|-5|-0|+0|0x5|0X5|5h|0b101|0o5|5.0|5.|.5|5e0|5E0|5_0|5 0|5\t5|5;5|5;|5,|,5|5/1|5:|"5"|\'5\'|(5)|[5]|five|NaN|Infinity|null|true|5\xa0|\xa05|5\x85|\xb2|5\xb2|\x0b5|5\x0c|5\x1c|5\0|\0|5%|%35|5#|5\\|5=',
  '9007199254740992|9007199254740993|18446744073709551615|18446744073709551616|18446744073709551621|99999999999999999999999|-9223372036854775808',
].flatMap((text) => text.split('|')))
  f.refuse(cl(` ${value}`), `Content-Length: ${JSON.stringify(value)}`)
f.refuse(cl(''), 'an empty Content-Length')
f.refuse(cl('  \t '), 'a Content-Length of white space')
f.refuse(`POST /x HTTP/1.0\r\n${H}Content-Length: x\r\n\r\nabcde`, 'a bad length in HTTP/1.0')
f.refuse(get('Content-Length: x\r\n', SMUGGLED), 'a bad length of GET')
for (const value of ['5,5', '5, 5', '5 ,5', '5,5,5', '05,5'])
  f.strict(cl(` ${value}`), `a list of equal lengths: ${value}`)
for (const value of ['5,6', '6,5', '5,0', '0,5', '5,', ',5', '5,,5', '5,x', '5,+5', '5;6', '5 6'])
  f.refuse(cl(` ${value}`), `a list of lengths: ${value}`)
f.strict(post('Content-Length: 5\r\nContent-Length: 5\r\n', 'abcde'), 'two equal lengths')
f.strict(post('Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n', 'abcde'), 'two equal lengths in two cases')
f.strict(post('Content-Length: 5\r\nContent-Length: 05\r\n', 'abcde'), 'two lengths of one value')
for (const [a, b] of [
  ['5', '0'],
  ['0', '5'],
  ['5', '6'],
  ['', '5'],
  ['5', ''],
  ['5', '-5'],
  ['5', 'x'],
  ['0', String(SMUGGLED.length)],
] as const)
  // prettier-ignore
  f.refuse(post(`Content-Length: ${a}\r\nContent-Length: ${b}\r\n`, SMUGGLED), `two lengths: "${a}" and "${b}"`)
for (const line of [
  'Content-Length : 5',
  'Content-Length\t: 5',
  'Content-Length\x0b: 5',
  'Content-Length\xa0: 5',
  'Content-Length\0: 5',
  'Content Length: 5',
  'Content-Length',
])
  f.refuse(post(`${line}\r\n`, SMUGGLED), `a hidden length: ${JSON.stringify(line)}`)
f.strict(post(`X: y\r\n Content-Length: 5\r\n`, SMUGGLED), 'a length in a folded line')
f.strict(post('Content-Length:\r\n 5\r\n', SMUGGLED), 'a folded length')
f.strict(post('Content-Length: 1\r\n 0\r\n', SMUGGLED), 'a length that goes on in the next line')
f.strict(post(`X: y\nContent-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), 'a length behind a bare LF')
f.refuse(post(`X: y\rContent-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), 'a length behind a bare CR')

for (const value of [' chunked', 'chunked', '\tchunked', ' chunked \t', ' CHUNKED', ' Chunked', ' cHuNkEd'])
  f.accept(te(value), `Transfer-Encoding:${JSON.stringify(value)}`, { seen: [`POST /x ${HOST} ${SMUGGLED}`] })
/** Each may look like `chunked` to one reader and like nothing to another. */
const ODD = [
  'chunked, chunked|chunked,chunked|chunked, identity|identity, chunked|identity|chunked;|chunked;q=1|chunked; a=b|;chunked|"chunked"',
  "'chunked'|(chunked)|<chunked>|[chunked]|{chunked}|xchunked|chunkedx|chunke|hunked|chunk|chunked-|x-chunked|chunked_|chun ked|chunked chunked",
  'chunked, |,chunked|, chunked|chunked,|chunked,,chunked|,|,,|gzip|deflate|br|cow|chunked, cow|cow, chunked|chunked, gzip|x, chunked|null|*',
  'chunked\0|\0chunked|chun\0ked|chunked\x0b|\x0bchunked|chunked\x0c|\x0cchunked|\x1cchunked|chunked\x1f|chunked\x7f|chunked\xa0|\xa0chunked',
  'chunked\x85|\x85chunked|\xefhunked|chun\xffked|c\xcchunked|chunked\xc2\xa0|chunKed\xe2|chun\u212aed'.replace(
    '\u212a',
    '\xe2\x84\xaa',
  ),
  'chunked:|:chunked|chunked/|=chunked|chunked=1|chunked\\|\\chunked|%63hunked|chunked#|chunked\rx|chun\rked|0|true|chunked&|chunked|chunked',
]
  .flatMap((text) => text.split('|'))
  .filter((value) => value !== 'chunked')
for (const value of ODD) {
  f.refuse(te(` ${value}`), `Transfer-Encoding: ${JSON.stringify(value)}`)
  f.refuse(
    post(`Content-Length: 4\r\nTransfer-Encoding: ${value}\r\n`, CHUNKED_SMUGGLED),
    `a length and Transfer-Encoding: ${JSON.stringify(value)}`,
  )
}
f.refuse(te(''), 'an empty Transfer-Encoding')
f.refuse(te(' \t'), 'a Transfer-Encoding of white space')
for (const coding of ['gzip', 'deflate', 'compress', 'x-gzip', 'GZIP'])
  f.strict(te(` ${coding}, chunked`), `${coding} before chunked: a coding that we cannot undo`, { status: 501 })
f.refuse(te(' chunked\r\nTransfer-Encoding: chunked'), 'two Transfer-Encodings')
f.refuse(te(' chunked\r\nTransfer-Encoding: identity'), 'chunked and then identity')
f.refuse(te(' identity\r\nTransfer-Encoding: chunked'), 'identity and then chunked')
f.refuse(te(' chunked\r\nTransfer-Encoding:'), 'chunked and then nothing')
f.refuse(te('\r\nTransfer-Encoding: chunked'), 'nothing and then chunked')
f.refuse(te(' chunked\r\ntransfer-encoding: x'), 'two Transfer-Encodings in two cases')
f.strict(te(' gzip\r\nTransfer-Encoding: chunked'), 'a coding in a field of its own', { status: 501 })

// CL.TE and TE.CL
for (const size of ['0', '1', '4', '6', String(CHUNKED_SMUGGLED.length), '99999'])
  for (const [name, both] of [
    ['CL.TE', `Content-Length: ${size}\r\n${TE}`],
    ['TE.CL', `${TE}Content-Length: ${size}\r\n`],
  ] as const)
    f.strict(post(both, `0\r\n\r\n${SMUGGLED}`), `${name}, length ${size}`)
f.strict(post(`${TE}Content-Length: 0\r\n`, '0\r\n\r\n'), 'both, and both say the same')
f.strict(get(`${TE}Content-Length: 5\r\n`, `0\r\n\r\n${SMUGGLED}`), 'both on GET')
f.strict(post(`content-length: 5\r\nTRANSFER-ENCODING: CHUNKED\r\n`, `0\r\n\r\n${SMUGGLED}`), 'both, in other cases')
f.refuse(post(`Content-Length: x\r\n${TE}`, '0\r\n\r\n'), 'a bad length and chunked')
f.refuse(post(`Content-Length:\r\n${TE}`, '0\r\n\r\n'), 'an empty length and chunked')
f.strict(get('', post(`${TE}Content-Length: 5\r\n`, `0\r\n\r\n${SMUGGLED}`)), 'both in the second request', {
  requests: 1,
})
// TE.TE: names that only some readers take
for (const name of [
  'Transfer-Encoding ',
  'Transfer-Encoding\t',
  'Transfer-Encoding\x0b',
  'Transfer-Encoding\0',
  'Transfer-Encoding\xa0',
  'Transfer Encoding',
  '"Transfer-Encoding"',
])
  for (const before of ['', 'Content-Length: 5\r\n', TE])
    f.refuse(
      post(`${before}${name}: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`),
      `${JSON.stringify(name)} ${before.split(':')[0]}`,
    )
for (const before of ['', 'Content-Length: 5\r\n', TE]) {
  f.strict(
    post(`${before} Transfer-Encoding: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`),
    'Transfer-Encoding in a folded line',
  )
  f.strict(post(`${before}X: y\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`), 'behind a bare LF')
  f.refuse(post(`${before}X: y\rTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${SMUGGLED}`), 'behind a bare CR')
  f.strict(post(`${before}Transfer-Encoding:\r\n chunked\r\n`, `0\r\n\r\n${SMUGGLED}`), 'folded behind the colon')
  f.strict(post(`${before}Transfer-Encoding: chunked\r\n ,identity\r\n`, `0\r\n\r\n${SMUGGLED}`), 'folded on')
}
for (const connection of ['', 'Connection: keep-alive\r\n'])
  f.refuse(`POST /x HTTP/1.0\r\n${H}${connection}${TE}\r\n${CHUNKED_SMUGGLED}`, 'Transfer-Encoding in HTTP/1.0')
f.refuse(`POST /x HTTP/1.0\r\n${H}Content-Length: 5\r\n${TE}\r\n0\r\n\r\n${SMUGGLED}`, 'both in HTTP/1.0')
f.accept(`POST /x HTTP/1.0\r\n${H}Content-Length: 5\r\n\r\nabcde`, 'a length in HTTP/1.0', {
  seen: [`POST /x ${HOST} abcde`],
})

// CL.0, 0.CL and TE.0: a body where nobody expects one
for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'PATCH', 'POST', 'PROPFIND']) {
  const start = `${method} /x HTTP/1.1\r\n${H}`
  const seen = [`${method} /x ${HOST} ${SMUGGLED}`]
  f.accept(`${start}${length(SMUGGLED)}\r\n${SMUGGLED}`, `CL.0: ${method} with a length`, { seen })
  f.accept(`${start}${TE}\r\n${CHUNKED_SMUGGLED}`, `TE.0: ${method} with chunks`, { seen })
  f.accept(`${start}Content-Length: 0\r\n\r\n${get()}`, `0.CL: ${method} with length 0`, { requests: 2 })
}
f.accept(`${post(length('abc'), 'abc')}${post(length('de'), 'de')}`, 'two bodies', {
  requests: 2,
  seen: [`POST /x ${HOST} abc`, `POST /x ${HOST} de`],
})
f.cut(cl(' 5', ''), 'no byte of the body')
f.cut(cl(' 5', 'abcd'), 'a byte too few')
f.cut(cl(' 4294967301', 'abcde'), 'a length over 32 bits')
f.cut(cl(' 9007199254740991', 'abcde'), 'the largest length')
f.cut(post(length(SMUGGLED) + 'X: y\r\n', SMUGGLED.slice(0, -1)), 'a request as a body, cut')
f.cut(`${post(length('abc'), 'abc')}${cl(' 5', 'ab')}`, 'a second body, cut', { requests: 1 })
f.refuse(cl(' 5', `abcdeX${SMUGGLED.slice(0, 20)}`).replace('XGET', '\0GET'), 'a byte too many', { requests: 1 })

export const framing = f.rows
