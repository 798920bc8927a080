/**
 * The PROXY v2 header that stands before the TLS records on a link between two proxies (haproxy.org/download/2.9/doc/
 * proxy-protocol.txt section 2.2). In: the bytes of one direction. Out: its length, and who is said to call.
 */
export type HeaderVerdict = { ok: true; bytes: number; source: string } | { ok: false; reason: string }

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const HEAD_BYTES = 16
const VERSION_2_PROXY = 0x21
/** Bytes of one address, by family and protocol: TCP over IPv4, over IPv6. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x11: 4, 0x21: 16 }

export function readProxyHeader(stream: Buffer): HeaderVerdict {
  if (stream.length < HEAD_BYTES || !stream.subarray(0, SIGNATURE.length).equals(SIGNATURE))
    return { ok: false, reason: 'no PROXY v2 header at the start' }
  const width = ADDRESS_BYTES[stream[13] ?? 0]
  if (stream[12] !== VERSION_2_PROXY || width === undefined) return { ok: false, reason: 'a header without addresses' }
  const bytes = HEAD_BYTES + stream.readUInt16BE(14)
  if (bytes < HEAD_BYTES + 2 * width + 4 || stream.length < bytes) return { ok: false, reason: 'a header cut short' }
  return { ok: true, bytes, source: hostOf(stream.subarray(HEAD_BYTES, HEAD_BYTES + width)) }
}

function hostOf(address: Buffer): string {
  if (address.length === 4) return address.join('.')
  if (address.readUIntBE(0, 6) === 0 && address.readUIntBE(6, 6) === 0xffff) return address.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(2 * i).toString(16))
  // the URL parser shortens as RFC 5952 has it
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
