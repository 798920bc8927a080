/**
 * Answers as bytes (RFC 1035 4.1, RFC 2308 for the SOA of what is not there, RFC 6891). In: a query, and what is known. Out: a
 * message; cut to what a datagram holds where it goes by UDP. Pure.
 */
import packet, { type Answer, type MxAnswer, type SrvAnswer, type StringAnswer, type TxtAnswer } from 'dns-packet'
import { HEADER_BYTES, type Query, RCODE, TYPE } from './dns-query.ts'

/** Type and data of a record of the name that was asked for. */
export type RecordData =
  | Pick<StringAnswer, 'type' | 'data'>
  | Pick<MxAnswer, 'type' | 'data'>
  | Pick<SrvAnswer, 'type' | 'data'>
  | Pick<TxtAnswer, 'type' | 'data'>

export type Rdata = RecordData & { ttl: number }

export interface Reply {
  rcode: number
  records?: readonly Rdata[]
  /** Said of the mesh's own names: whoever knows them is asked no further. */
  authoritative?: boolean
  /** The zone that an empty answer, or a name that is not there, may be remembered by. */
  zone?: string
}

const RESPONSE = 0x8000
const AUTHORITATIVE = 0x0400
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100
const RECURSION_AVAILABLE = 0x0080
const CHECKING_DISABLED = 0x0010
const LOW_RCODE = 0x0f

const PLAIN_UDP_BYTES = 512
/** What passes any network in one piece (DNS flag day 2020). */
const MAX_UDP_BYTES = 1232
/** What two octets of length can say, less an OPT record. */
const MAX_MESSAGE_BYTES = 65_000
/** `TC` asks for TCP, which has no more than that either: longer lists are cut. */
const MAX_RECORDS = 1000
/** How long resolvers may remember that something is not there: as short as CoreDNS has it, pods come and go. */
const NEGATIVE_TTL_SECONDS = 5
/** A pointer to the question's name. */
const ASKED_NAME = Buffer.from([0xc0, HEADER_BYTES])

export function encodeReply(query: Query, { rcode, records = [], authoritative = false, zone }: Reply): Buffer {
  const answers = query.asked.length === 0 ? [] : records.slice(0, MAX_RECORDS).map(encodeRecord)
  const authority = zone === undefined ? [] : [encodeSoa(zone)]
  const message = assemble(query, authoritative ? AUTHORITATIVE : 0, rcode, answers, authority)
  return message.length <= MAX_MESSAGE_BYTES ? message : assemble(query, 0, RCODE.servFail, [], [])
}

function assemble(query: Query, flags: number, rcode: number, answers: Buffer[], authority: Buffer[]): Buffer {
  const { id, asked, edns } = query
  const header = Buffer.alloc(HEADER_BYTES)
  const kept = query.flags & (RECURSION_DESIRED | CHECKING_DISABLED)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(RESPONSE | flags | kept | RECURSION_AVAILABLE | (rcode & LOW_RCODE), 2)
  header.writeUInt16BE(asked.length === 0 ? 0 : 1, 4)
  header.writeUInt16BE(answers.length, 6)
  header.writeUInt16BE(authority.length, 8)
  header.writeUInt16BE(edns === null ? 0 : 1, 10)
  return Buffer.concat([header, asked, ...answers, ...authority, ...(edns === null ? [] : [optRecord(rcode)])])
}

/** Root, type, size, the code's upper eight bits, version 0, no flags, no options. */
function optRecord(rcode: number): Buffer {
  return Buffer.from([0, 0, TYPE.OPT, MAX_UDP_BYTES >> 8, MAX_UDP_BYTES & 0xff, rcode >> 4, 0, 0, 0, 0, 0])
}

/** As the codec writes it for the root, whose name is one octet: put behind a pointer instead, it is for any name. */
function encodeRecord(record: Rdata): Buffer {
  return Buffer.concat([ASKED_NAME, packet.encode({ answers: [{ ...record, name: '.' }] }).subarray(HEADER_BYTES + 1)])
}

function encodeSoa(zone: string): Buffer {
  const data = {
    mname: 'ns.dns.cluster.local',
    rname: 'hostmaster.cluster.local',
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: NEGATIVE_TTL_SECONDS,
  }
  const answers: Answer[] = [{ type: 'SOA', name: zone, ttl: NEGATIVE_TTL_SECONDS, data }]
  return packet.encode({ answers }).subarray(HEADER_BYTES)
}

/** The question alone, without EDNS or anything else that the asker wrote: for whoever is asked next. */
export function encodeQuery({ flags, asked }: Query, id: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(flags & (RECURSION_DESIRED | CHECKING_DISABLED), 2)
  header.writeUInt16BE(1, 4)
  return Buffer.concat([header, asked])
}

/** The answer to `encodeQuery` as one to `query`; `undefined`: it is none. */
export function adoptReply(query: Query, id: number, reply: Buffer): Buffer | undefined {
  const { asked, edns } = query
  if (reply.length < HEADER_BYTES + asked.length || reply.length > MAX_MESSAGE_BYTES) return undefined
  if (reply.readUInt16BE(0) !== id || (reply.readUInt16BE(2) & RESPONSE) === 0) return undefined
  // the bytes asked, behind one question and before no record of the additional section
  if (reply.readUInt16BE(4) !== 1 || reply.readUInt16BE(10) !== 0) return undefined
  if (asked.compare(reply, HEADER_BYTES, HEADER_BYTES + asked.length) !== 0) return undefined
  const adopted = edns === null ? Buffer.from(reply) : Buffer.concat([reply, optRecord(0)])
  adopted.writeUInt16BE(query.id, 0)
  if (edns !== null) adopted.writeUInt16BE(1, 10)
  return adopted
}

/** What goes into one datagram: the answer, or its head alone with the mark that TCP has the rest. */
export function fitUdp(query: Query, reply: Buffer): Buffer {
  const limit = Math.min(Math.max(query.edns?.udpBytes ?? 0, PLAIN_UDP_BYTES), MAX_UDP_BYTES)
  if (reply.length <= limit) return reply
  const flags = reply.readUInt16BE(2)
  return assemble(query, TRUNCATED | (flags & AUTHORITATIVE), flags & LOW_RCODE, [], [])
}
