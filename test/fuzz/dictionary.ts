/**
 * What a part of an HTTP/1.1 message may be replaced by: the spellings on which parsers disagree (RFC 9112 sections 2 to
 * 7, and the smuggling families CL.TE, TE.CL, TE.TE, CL.0, chunk extensions and terminators). Latin-1 text.
 */
export type Kind = 'method' | 'space' | 'target' | 'version' | 'end' | 'name' | 'colon' | 'value' | 'size' | 'data'

/** A whole request that a reader sees who believes that a body ended too early. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: inner\r\n\r\n'

export const DICTIONARY: Readonly<Record<Kind, readonly string[]>> = {
  method: [
    'GET',
    'POST',
    'HEAD',
    'OPTIONS',
    'DELETE',
    'get',
    'GET:',
    '',
    'CONNECT',
    'TRACE',
    'PRI',
    'G\x00T',
    'G"T',
    ' GET',
    '\xc7ET',
  ],
  space: ['', '  ', '\t', '\x0b', '\x0c', '\r', ' \t', '\x00', '\xa0'],
  target: [
    '*', '', 'http://other/x', 'HTTP://other:81/', 'http://u@other/', 'https://other/', 'http://', 'http://a:99999/', '/a#b', '/a b', '/\x00',
    '/\x80', '//x', '/../x', '/%2e%2e/%zz', 'other:80', '/a\rb', '/a?b=/../c', '?x', 'x',
  ], // prettier-ignore
  version: [
    'HTTP/1.0',
    'HTTP/1.1',
    'HTTP/1.2',
    'HTTP/2.0',
    'HTTP/0.9',
    'http/1.1',
    'HTTP/1.10',
    'HTTP/01.1',
    'HTTP/1,1',
    '',
    'HTTP/1.1 ',
    'HTTP/1.',
    'XTTP/1.1',
  ],
  end: [
    '\n',
    '\r',
    '\r\r\n',
    '\n\r',
    '\r\n\r\n',
    '',
    ' \r\n',
    '\t\r\n',
    '\x00\r\n',
    '\r\n ',
    '\r\n\t',
    '\x85',
    '\r\n\n',
    '\n\n',
  ],
  name: [
    'Content-Length', 'content-length', 'Transfer-Encoding', 'transfer-encoding', 'Transfer_Encoding', 'Content_Length', 'Content-Length ',
    ' Content-Length', 'Content-Length\x00', 'Host', 'Connection', 'Expect', 'Upgrade', 'TE', 'Trailer', 'Keep-Alive', 'Proxy-Connection', '',
    'X\x80', 'X:Y', 'Content Length', '\tHost', 'Transfer-Encoding\x0b', 'X-Y\r', 'Max-Forwards', 'HTTP2-Settings', 'X-Forwarded-For', '(X)',
  ], // prettier-ignore
  colon: [':', ': ', ' : ', ':\t', ':\x0b', '', ':\r', ':\n', '\x00:', ': \r\n ', '\t:', '::'],
  value: [
    'chunked', 'Chunked', 'CHUNKED', 'chunked,chunked', 'chunked, chunked', 'identity', 'xchunked', 'chunked\x0b', '"chunked"', 'chunked;q=1',
    ',chunked', 'chunked,', 'gzip, chunked', 'chunked, identity', 'chunk', '\x85chunked', 'chunked\xa0', ' chunked ', 'chunked\r\n ',
    '0', '1', '5', '38', '+5', '-1', '0x5', '05', '010', '5,5', '5, 6', '5 5', '1e1', '5.0', '5_0', '4294967301', '18446744073709551621', '9'.repeat(30),
    '', 'close', 'keep-alive', 'close, x', 'host', 'content-length', 'transfer-encoding, close', '100-continue', 'x 100-continue', 'websocket',
    'upgrade', 'upgrade, HTTP2-Settings', 'h2c', 'a\x00b', 'a\rb', 'a\nb', 'a\x7fb', '\xff\x80', 'trailers', 'other:1', 'a b', 'a,b', 'u@h', 'h:99999', '[::1]:80',
  ], // prettier-ignore
  size: [
    '0', '00', '000000000000000000000', '0x5', '+5', '-1', '5 ', ' 5', '5\t', 'G', '', '5', '26', '100000005', '10000000000000005', 'ffffffffffffffff',
    'FFFFFFFFFFFFFFFFF0', '0_5', '5\r', '5;', '5;a=b', '5;a="x;y"', '5;a="\r\n"', '5;\x00', '5\n', '5;\n', '0;a\n', '\xb2', '0\r', '5\r\r;x',
  ], // prettier-ignore
  data: [
    '',
    'X',
    'XX',
    '\r\n',
    '\n',
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    SMUGGLED,
    `0\r\n\r\n${SMUGGLED}`,
    `\r\n${SMUGGLED}`,
  ],
}
