/**
 * Virtual addresses of mesh services, and the PROXY protocol v2 header that carries one to the capture listener.
 * In: text or numbers. Out: bytes. Source: haproxy `doc/proxy-protocol.txt`, section 2.2.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** `\r\n\r\n\0\r\nQUIT\n`, then version 2 with command PROXY. */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21]
const TCP4 = 0x11
const TCP6 = 0x21
const LOOPBACK4 = Buffer.from([127, 0, 0, 1])
const LOOPBACK6 = Buffer.from('00000000000000000000000000000001', 'hex')

/** The address in its plain form when it lies in 240.240.0.0/16 or 2001:2::/48; otherwise `undefined`. */
export function virtualAddress(host: string): string | undefined {
  if (isIPv4(host)) return host.startsWith('240.240.') ? host : undefined
  if (!host.includes(':') || !isIPv6(host)) return undefined
  const bytes = parseIPv6(host)
  if (bytes.readUInt32BE(0) === 0x20010002 && bytes.readUInt16BE(4) === 0) return host
  const mapped = bytes.readBigUInt64BE(0) === 0n && bytes.readUInt32BE(8) === 0xffff
  return mapped && bytes[12] === 240 && bytes[13] === 240 ? [...bytes.subarray(12)].join('.') : undefined
}

/** Header for a connection from this machine's `sourcePort` to the virtual address `host`, `port`. */
export function proxyHeader(host: string, port: number, sourcePort: number): Buffer {
  const v4 = isIPv4(host)
  const destination = v4 ? Buffer.from(host.split('.').map(Number)) : parseIPv6(host)
  const tail = Buffer.alloc(4)
  tail.writeUInt16BE(sourcePort, 0)
  tail.writeUInt16BE(port, 2)
  const addresses = Buffer.concat([v4 ? LOOPBACK4 : LOOPBACK6, destination, tail])
  return Buffer.concat([Buffer.from([...SIGNATURE, v4 ? TCP4 : TCP6, 0, addresses.length]), addresses])
}

/** 16 bytes of a valid IPv6 address (RFC 4291, 2.2), with or without an embedded IPv4 one; a zone is cut. */
function parseIPv6(text: string): Buffer {
  const plain = text
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${hex(a, b)}:${hex(c, d)}`)
  const [head = '', tail] = plain.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = groups(tail ?? '')
  const gap = Array.from({ length: 8 - left.length - right.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [i, group] of [...left, ...gap, ...right].entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2)
  return bytes
}

function hex(high: unknown, low: unknown): string {
  return (Number(high) * 256 + Number(low)).toString(16)
}
