/**
 * PROXY protocol version 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt section 2.2), binary only.
 * In: the first bytes of a connection, in any pieces. Out: source and destination, or why it is refused. Leaf.
 * TLVs are skipped. LOCAL carries no addresses.
 */

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const HEAD_BYTES = 16
/** Addresses of a UNIX socket are the longest (216); the rest is room for TLVs. */
const MAX_BODY_BYTES = 1024

const VERSION_LOCAL = 0x20
const VERSION_PROXY = 0x21
const TCP4 = 0x11
const TCP6 = 0x21
/** How an IPv4 address begins that is written as IPv6. */
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex')

export interface ProxyAddress {
  host: string
  port: number
}

export type ProxyHeader =
  | { kind: 'more' }
  | { kind: 'bad'; reason: string }
  | { kind: 'local'; bytes: number }
  | { kind: 'proxy'; bytes: number; source: ProxyAddress; destination: ProxyAddress }

/** Reads the header at the start of `buf`; `bytes` is its length. */
export function decodeProxyHeader(buf: Buffer): ProxyHeader {
  const known = Math.min(buf.length, SIGNATURE.length)
  if (buf.compare(SIGNATURE, 0, known, 0, known) !== 0) return { kind: 'bad', reason: 'no PROXY v2 signature' }
  if (buf.length < HEAD_BYTES) return { kind: 'more' }
  const command = buf[12]!
  const family = buf[13]!
  const bodyBytes = buf.readUInt16BE(14)
  if (command !== VERSION_LOCAL && command !== VERSION_PROXY)
    return { kind: 'bad', reason: `version and command ${command}` }
  if (bodyBytes > MAX_BODY_BYTES) return { kind: 'bad', reason: `${bodyBytes} bytes of addresses` }
  const bytes = HEAD_BYTES + bodyBytes
  if (command === VERSION_PROXY) {
    const wanted = family === TCP4 ? 12 : family === TCP6 ? 36 : 0
    if (wanted === 0) return { kind: 'bad', reason: `address family ${family}` }
    if (bodyBytes < wanted) return { kind: 'bad', reason: 'addresses are cut short' }
  }
  if (buf.length < bytes) return { kind: 'more' }
  if (command === VERSION_LOCAL) return { kind: 'local', bytes }
  const width = family === TCP4 ? 4 : 16
  const ports = HEAD_BYTES + 2 * width
  return {
    kind: 'proxy',
    bytes,
    source: { host: hostAt(buf, HEAD_BYTES, width), port: buf.readUInt16BE(ports) },
    destination: { host: hostAt(buf, HEAD_BYTES + width, width), port: buf.readUInt16BE(ports + 2) },
  }
}

/** A PROXY header for a connection from `source` to `destination`; where one is IPv6, both are written as IPv6. */
export function encodeProxyHeader(source: ProxyAddress, destination: ProxyAddress): Buffer {
  const v6 = source.host.includes(':') || destination.host.includes(':')
  const width = v6 ? 16 : 4
  const header = Buffer.alloc(HEAD_BYTES + 2 * width + 4)
  SIGNATURE.copy(header)
  header[12] = VERSION_PROXY
  header[13] = v6 ? TCP6 : TCP4
  header.writeUInt16BE(2 * width + 4, 14)
  putHost(header, HEAD_BYTES, source.host, width)
  putHost(header, HEAD_BYTES + width, destination.host, width)
  header.writeUInt16BE(source.port, HEAD_BYTES + 2 * width)
  header.writeUInt16BE(destination.port, HEAD_BYTES + 2 * width + 2)
  return header
}

function hostAt(buf: Buffer, at: number, width: number): string {
  if (width === 4) return buf.subarray(at, at + 4).join('.')
  if (buf.compare(MAPPED, 0, 12, at, at + 12) === 0) return buf.subarray(at + 12, at + 16).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => buf.readUInt16BE(at + 2 * i).toString(16))
  return compressIpv6(groups)
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`. */
function compressIpv6(groups: string[]): string {
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === '0') length++
    if (length > bestLength) [best, bestLength] = [i, length]
    i += length
  }
  if (best < 0) return groups.join(':')
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + bestLength).join(':')}`
}

function putHost(buf: Buffer, at: number, host: string, width: number): void {
  if (!host.includes(':')) {
    if (width === 16) MAPPED.copy(buf, at)
    host.split('.').forEach((part, i) => (buf[at + width - 4 + i] = Number(part)))
    return
  }
  const [left = '', right] = host.replace(DOTTED_TAIL, hexTail).split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const middle = right === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0')
  ;[...head, ...middle, ...tail].forEach((group, i) => buf.writeUInt16BE(Number.parseInt(group, 16), at + 2 * i))
}

/** `::ffff:10.0.0.1` is written so by people. */
const DOTTED_TAIL = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/

function hexTail(_text: string, ...parts: string[]): string {
  const [a, b, c, d] = parts.map(Number) as [number, number, number, number]
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}
