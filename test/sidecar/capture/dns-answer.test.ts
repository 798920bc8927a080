/** What the mesh answers, byte by byte, read by a codec that nobody here wrote; and bytes that no resolver would send. */
import packet, { type DecodedPacket } from 'dns-packet'
import * as fc from 'fast-check'
import t from 'tap'
import { answerQuery } from '../../../src/sidecar/capture/dns-answer.ts'
import { parseQuery, RCODE } from '../../../src/sidecar/capture/dns-query.ts'
import { encodeReply, fitUdp } from '../../../src/sidecar/capture/dns-reply.ts'
import { DnsTable } from '../../../src/sidecar/capture/dns-table.ts'
import { NAMES, query } from './dns-rig.ts'

const TABLE = new DnsTable(NAMES)

/** What the server makes of a message, without sockets; `undefined`: it stays silent, 'forward': it asks elsewhere. */
function replyTo(message: Buffer): Buffer | 'forward' | undefined {
  const parsed = parseQuery(message)
  if (parsed.kind === 'silence') return undefined
  if (parsed.kind === 'fault') return fitUdp(parsed.query, encodeReply(parsed.query, { rcode: parsed.rcode }))
  const reply = answerQuery(parsed.query, TABLE)
  return reply === undefined ? 'forward' : fitUdp(parsed.query, encodeReply(parsed.query, reply))
}

function decoded(message: Buffer): DecodedPacket & { rcode: string } {
  const reply = replyTo(message)
  if (!Buffer.isBuffer(reply)) throw new Error(`no answer: ${reply}`)
  return packet.decode(reply) as DecodedPacket & { rcode: string }
}

t.test('a name of the mesh that is not there is denied with authority, for a short time', async (t) => {
  for (const [name, type, rcode, zone] of [
    ['nobody.default.svc.cluster.local', 'A', 'NXDOMAIN', 'cluster.local'],
    ['nobody', 'A', 'NXDOMAIN', 'nobody'],
    ['1.0.244.10.in-addr.arpa', 'PTR', 'NXDOMAIN', '244.10.in-addr.arpa'],
    ['four.default.svc.cluster.local', 'AAAA', 'NOERROR', 'cluster.local'],
    ['any.wide.example', 'AAAA', 'NOERROR', 'any.wide.example'],
  ] as const) {
    const soa = [{ type: 'SOA', name: zone, ttl: 5, data: { minimum: 5 } }]
    t.match(decoded(query(name, type)), { rcode, flag_aa: true, answers: [], authorities: soa }, name)
  }
})

t.test('an answer keeps the question as it was asked, and says EDNS to who does', async (t) => {
  const name = 'wEb.DefAult.svc.cluster.local'
  const plain = decoded(query(name, 'A'))
  t.match(plain, { id: 7, flag_rd: true, flag_ra: true, questions: [{ name }], additionals: [] })
  t.match(plain.answers, [{ name, type: 'A', data: '240.240.0.5', ttl: 30 }])
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as never
  t.match(decoded(query(name, 'A', { additionals: [opt] })).additionals, [{ type: 'OPT', udpPayloadSize: 1232 }])
  const newer = { type: 'OPT', name: '.', udpPayloadSize: 4096, ednsVersion: 1, flags: 0, options: [] } as never
  t.match(decoded(query(name, 'A', { additionals: [newer] })), { additionals: [{ extendedRcode: 1 }], answers: [] })
})

t.test('an answer that does not fit goes by TCP', async (t) => {
  const name = 'many.default.svc.cluster.local'
  const opt = (udpPayloadSize: number) => ({
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize, flags: 0, options: [] } as never],
  })
  for (const [message, tc, count] of [
    [query(name, 'A'), true, 0],
    [query(name, 'A', opt(100)), true, 0],
    [query(name, 'A', opt(900)), true, 0],
    [query(name, 'A', opt(1100)), false, 60],
    [query(name, 'A', opt(65_535)), false, 60],
  ] as const) {
    const answer = decoded(message)
    t.match({ tc: answer.flag_tc, count: answer.answers?.length }, { tc, count })
    t.equal(answer.additionals?.length, packet.decode(message).additionals?.length)
  }
})

t.test('what is no question', async (t) => {
  const twice = [{ type: 'A', name: 'a' } as const, { type: 'A', name: 'b' } as const]
  const head = query('', 'A').subarray(0, 12)
  const raw = (...bytes: number[]): Buffer => Buffer.concat([head, Buffer.from(bytes)])
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 512, flags: 0, options: [] } as never
  const opcode = query('web', 'A')
  opcode[2] = 4 << 3
  const rows: [string, Buffer, string | undefined][] = [
    ['less than a header', Buffer.from('short'), undefined],
    ['an answer', packet.encode({ type: 'response', id: 1, questions: [] }), undefined],
    ['no question', packet.encode({ type: 'query', id: 1, questions: [] }), 'FORMERR'],
    ['two questions', packet.encode({ type: 'query', id: 1, questions: twice }), 'FORMERR'],
    ['another class', query('web', 'A', { questions: [{ type: 'A', name: 'web', class: 'CH' }] } as never), 'REFUSED'],
    ['another opcode', opcode, 'NOTIMP'],
    ['a name that points at itself', raw(0xc0, 12, 0, 1, 0, 1), 'FORMERR'],
    ['a name that points at the header', raw(1, 97, 0xc0, 0, 0, 1, 0, 1), 'FORMERR'],
    ['a label of 64 bytes', raw(64, ...Array<number>(64).fill(97), 0, 0, 1, 0, 1), 'FORMERR'],
    ['a name of 256 bytes', raw(...Array.from({ length: 128 }, () => [1, 97]).flat(), 0, 0, 1, 0, 1), 'FORMERR'],
    ['a name without an end', raw(3, 97, 97), 'FORMERR'],
    ['a dot inside a label', raw(3, 97, 46, 97, 0, 0, 1, 0, 1), 'REFUSED'],
    ['bytes that are no text', raw(60, ...Array<number>(60).fill(0xff), 0, 0, 1, 0, 1), 'REFUSED'],
    ['EDNS twice', query('web', 'A', { additionals: [opt, opt] }), 'FORMERR'],
    [
      'an answer in the question',
      query('web', 'A', { answers: [{ type: 'A', name: 'x', data: '1.1.1.1' }] }),
      'FORMERR',
    ],
    ['the root', query('.', 'NS'), 'REFUSED'],
    ['a whole zone', query('cluster.local', 'AXFR'), 'REFUSED'],
  ]
  for (const [what, message, rcode] of rows) {
    const reply = replyTo(message)
    t.equal(Buffer.isBuffer(reply) ? rcodeOf(reply) : reply, rcode, what)
  }
})

t.test('chains of pointers cost no time, and nothing is followed', async (t) => {
  const chain = Buffer.alloc(65_000)
  query('web', 'A').copy(chain)
  chain.writeUInt16BE(0xffff, 10)
  for (let at = 12 + 9; at + 2 <= chain.length; at += 2) chain.writeUInt16BE(0xc000 | Math.max(12, at - 2), at)
  const reply = replyTo(chain)
  t.equal(Buffer.isBuffer(reply) && rcodeOf(reply), 'FORMERR')
})

t.test('no bytes make it throw, hang, or answer with what is no answer', async () => {
  const seeds = [query('web', 'A'), query('many.default.svc.cluster.local', 'A'), query('\u00ff\u20ac', 'TXT')]
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 8 }), fc.nat(80))
    .map(([seed, changes, cut]) => {
      const message = Buffer.from(seed)
      for (const [at, byte] of changes) if (at < message.length) message[at] = byte
      return message.subarray(0, cut < 12 ? message.length : cut)
    })
  const any = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(mutated, any), (message) => {
      const reply = replyTo(message)
      if (!Buffer.isBuffer(reply)) return true
      packet.decode(reply)
      return reply.length <= 1232 && reply.readUInt16BE(0) === message.readUInt16BE(0) && (reply[2]! & 0x80) !== 0
    }),
    { numRuns: 5000, interruptAfterTimeLimit: 10_000 },
  )
})

function rcodeOf(reply: Buffer): string | undefined {
  const code = reply[3]! & 0xf
  const name = Object.entries(RCODE).find(([, value]) => value === code)?.[0]
  return name?.toUpperCase()
}
