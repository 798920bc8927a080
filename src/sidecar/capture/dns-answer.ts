/**
 * Answers to DNS questions (RFC 1035, RFC 6891 for EDNS). In: the bytes of a query, the table of names. Out: the bytes of
 * an answer, or that the question is for others. Pure; takes any bytes.
 */
import { isIPv4 } from 'node:net'
import packet, { type Answer, type Packet, type Question } from 'dns-packet'
import { DnsTable } from './dns-table.ts'

const TTL_SECONDS = 30
const HEADER_BYTES = 12
const PLAIN_UDP_BYTES = 512
/** What passes any network in one piece; cables of pods carry more, other resolvers may not. */
const MAX_UDP_BYTES = 1232

const AUTHORITATIVE = 0x400
const TRUNCATED = 0x200
const RECURSION_DESIRED = 0x100
const RECURSION_AVAILABLE = 0x80

export const RCODE = { noError: 0, formErr: 1, servFail: 2, nxDomain: 3, notImp: 4, refused: 5 } as const

export type Verdict =
  | { kind: 'answer'; message: Buffer }
  /** Not the mesh's: to be asked elsewhere. */
  | { kind: 'forward'; query: Packet }
  /** Not even a header. */
  | { kind: 'silence' }

export function answerQuery(message: Buffer, table: DnsTable): Verdict {
  if (message.length < HEADER_BYTES) return { kind: 'silence' }
  // an answer is never answered: two servers could go on for ever
  if ((message[2]! & 0x80) !== 0) return { kind: 'silence' }
  let query: Packet
  try {
    query = packet.decode(message)
  } catch {
    return { kind: 'answer', message: failure(message.readUInt16BE(0), RCODE.formErr) }
  }
  if (((message[2]! >> 3) & 0xf) !== 0) return { kind: 'answer', message: reply(query, [], RCODE.notImp) }
  const [question, second] = query.questions ?? []
  if (question === undefined || second !== undefined)
    return { kind: 'answer', message: reply(query, [], RCODE.formErr) }
  if (question.class !== undefined && question.class !== 'IN' && question.class !== 'ANY')
    return { kind: 'answer', message: reply(query, [], RCODE.refused) }
  return answerQuestion(query, question, table)
}

function answerQuestion(query: Packet, question: Question, table: DnsTable): Verdict {
  const name = question.name.toLowerCase().replace(/\.$/, '')
  const found = recordsOf(name, question, table)
  if (found !== undefined) return { kind: 'answer', message: reply(query, found, RCODE.noError) }
  if (DnsTable.isOwn(name)) return { kind: 'answer', message: reply(query, [], RCODE.nxDomain) }
  return { kind: 'forward', query }
}

/** `undefined`: the mesh has no such name. An empty list: it has it, without such records. */
function recordsOf(name: string, { name: asked, type }: Question, table: DnsTable): Answer[] | undefined {
  // RFC 6761: localhost is never asked elsewhere
  const addresses = name === 'localhost' || name.endsWith('.localhost') ? ['127.0.0.1', '::1'] : table.lookup(name)
  if (addresses !== undefined) {
    const wanted = addresses.filter((address) => (isIPv4(address) ? type === 'A' : type === 'AAAA'))
    // the name as it was asked: some resolvers write it in mixed case and compare
    return wanted.map((data) => ({ name: asked, type: isIPv4(data) ? 'A' : 'AAAA', ttl: TTL_SECONDS, data }))
  }
  const host = table.reverse(name)
  if (host === undefined) return undefined
  return type === 'PTR' ? [{ name: asked, type: 'PTR', ttl: TTL_SECONDS, data: host }] : []
}

/** An answer to `query`; what is not said of the mesh is not authoritative. */
export function reply(query: Packet, answers: readonly Answer[], rcode: number, authoritative = true): Buffer {
  const flags =
    ((query.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | (authoritative ? AUTHORITATIVE : 0) | rcode
  const opt = query.additionals?.find((record) => record.type === 'OPT')
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags,
    questions: query.questions ?? [],
    answers: [...answers],
    ...(opt === undefined ? {} : { additionals: [{ ...OPT }] }),
  })
}

const OPT = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: MAX_UDP_BYTES,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
} as const satisfies Answer

function failure(id: number, rcode: number): Buffer {
  return packet.encode({ type: 'response', id, flags: RECURSION_AVAILABLE | rcode, questions: [] })
}

/** What goes into one datagram: the answer, or its head alone with the mark that TCP has the rest. */
export function fitUdp(query: Buffer, answer: Buffer): Buffer {
  if (answer.length <= PLAIN_UDP_BYTES || answer.length <= udpSizeOf(query)) return answer
  const { id = 0, flags = 0, questions = [] } = packet.decode(answer)
  return packet.encode({ type: 'response', id, flags: flags | TRUNCATED, questions })
}

function udpSizeOf(query: Buffer): number {
  try {
    const opt = packet.decode(query).additionals?.find((record) => record.type === 'OPT')
    return Math.min(opt?.udpPayloadSize ?? PLAIN_UDP_BYTES, MAX_UDP_BYTES)
  } catch {
    return PLAIN_UDP_BYTES
  }
}
