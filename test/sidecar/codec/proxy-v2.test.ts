import t from 'tap'
import { decodeProxyHeader, encodeProxyHeader } from '../../../src/sidecar/codec/proxy-v2.ts'

void t.test('what was encoded is decoded, in any pieces, TLVs skipped', async (t) => {
  for (const [from, to] of [
    ['127.0.0.1', '240.240.0.5'],
    ['::1', '2001:2::5'],
    ['2001:db8:1:2:3:4:5:6', '2001:0:0:1::'],
    ['fe80::1:0:0:1', '1::'],
  ] as const) {
    const header = encodeProxyHeader({ host: from, port: 1 }, { host: to, port: 65_535 })
    for (let i = 0; i < header.length; i++) t.equal(decodeProxyHeader(header.subarray(0, i)).kind, 'more')
    const whole = decodeProxyHeader(Buffer.concat([header, Buffer.from('rest')]))
    t.match(whole, { kind: 'proxy', bytes: header.length, source: { port: 1 }, destination: { port: 65_535 } })
    const expanded = (host: string): string => new URL(`http://${host.includes(':') ? `[${host}]` : host}/`).hostname
    t.equal(whole.kind === 'proxy' && expanded(whole.source.host), expanded(from))
    t.equal(whole.kind === 'proxy' && expanded(whole.destination.host), expanded(to))
    const tlv = Buffer.concat([header, Buffer.from([0x20, 0, 1, 9])])
    tlv.writeUInt16BE(header.length - 16 + 4, 14)
    t.match(decodeProxyHeader(tlv), { kind: 'proxy', bytes: header.length + 4 })
  }
})

void t.test('of two families both are written as IPv6, and read as what they are', (t) => {
  for (const [from, to] of [
    ['10.244.0.7', '2001:db8::1'],
    ['2001:db8::1', '10.244.0.7'],
  ] as const) {
    const source = { host: from, port: 1 }
    const destination = { host: to, port: 2 }
    const header = encodeProxyHeader(source, destination)
    t.equal(header[13], 0x21)
    t.match(decodeProxyHeader(header), { kind: 'proxy', source, destination })
  }
  const dotted = encodeProxyHeader({ host: '::ffff:1.2.3.4', port: 1 }, { host: '64:ff9b::10.0.255.1', port: 2 })
  t.match(decodeProxyHeader(dotted), { source: { host: '1.2.3.4' }, destination: { host: '64:ff9b::a00:ff01' } })
  t.end()
})

void t.test('what is refused', async (t) => {
  const good = encodeProxyHeader({ host: '127.0.0.1', port: 1 }, { host: '127.0.0.1', port: 2 })
  const broken = (at: number, byte: number): Buffer => Buffer.from(good.map((b, i) => (i === at ? byte : b)))
  t.equal(decodeProxyHeader(Buffer.from('GET / HTTP/1.1\r\n')).kind, 'bad')
  t.equal(decodeProxyHeader(Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n')).kind, 'bad', 'version 1')
  t.equal(decodeProxyHeader(broken(12, 0x11)).kind, 'bad', 'version')
  t.equal(decodeProxyHeader(broken(13, 0x12)).kind, 'bad', 'UDP')
  t.equal(decodeProxyHeader(broken(14, 0xff)).kind, 'bad', 'length')
  t.equal(decodeProxyHeader(broken(15, 4)).kind, 'bad', 'cut short')
  t.match(decodeProxyHeader(broken(12, 0x20)), { kind: 'local', bytes: good.length })
})
