/**
 * A DNS query as read from its bytes (RFC 1035 4.1, RFC 6891 6.1). In: a message of whoever can reach the socket. Out: its one
 * question and EDNS, or which answer its fault deserves. Pure, in one pass: no pointer is ever followed, for a query that
 * needs one is not a query, and chains of them cost the reader time.
 */

/** Codes of RFC 1035 4.1.1; `badVers` (RFC 6891) has its upper bits in the OPT record. */
export const RCODE = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
} as const

export const HEADER_BYTES = 12
const RESPONSE = 0x8000
const OPCODE = 0x7800
const CLASS_IN = 1
const CLASS_ANY = 255
const MAX_LABEL_BYTES = 63
const MAX_NAME_BYTES = 255
/** Type, class, TTL, length of data. */
const RECORD_BYTES = 10
const QUESTION_BYTES = 4

export interface Query {
  id: number
  flags: number
  /** The question as it came, mixed case and all: an answer repeats these very bytes. Empty: there was none to repeat. */
  asked: Buffer
  /** Lower case, without the closing dot; '' is the root. */
  name: string
  type: number
  /** What the OPT record says; null: none. */
  edns: { udpBytes: number } | null
}

export type Parsed =
  | { kind: 'query'; query: Query }
  /** To be answered with this code, as far as the question was understood. */
  | { kind: 'fault'; query: Query; rcode: number }
  /** Not even a header, or itself an answer: two servers could go on for ever. */
  | { kind: 'silence' }

export function parseQuery(message: Buffer): Parsed {
  if (message.length < HEADER_BYTES) return { kind: 'silence' }
  const id = message.readUInt16BE(0)
  const flags = message.readUInt16BE(2)
  if ((flags & RESPONSE) !== 0) return { kind: 'silence' }
  const query: Query = { id, flags, asked: message.subarray(0, 0), name: '', type: 0, edns: null }
  const fault = (rcode: number): Parsed => ({ kind: 'fault', query, rcode })
  if ((flags & OPCODE) !== 0) return fault(RCODE.notImp)
  const numAnswers = message.readUInt16BE(6)
  if (message.readUInt16BE(4) !== 1 || numAnswers !== 0) return fault(RCODE.formErr)

  const nameEnd = endOfName(message, HEADER_BYTES)
  const end = nameEnd + QUESTION_BYTES
  if (nameEnd === 0 || end > message.length) return fault(RCODE.formErr)
  query.asked = message.subarray(HEADER_BYTES, end)
  query.type = message.readUInt16BE(nameEnd)
  const name = textOf(message, HEADER_BYTES)
  const edns = parseRecords(message, end, message.readUInt16BE(8) + message.readUInt16BE(10))
  if (edns === undefined) return fault(RCODE.formErr)
  query.edns = edns
  const klass = message.readUInt16BE(nameEnd + 2)
  if (edns !== null && edns.version !== 0) return fault(RCODE.badVers)
  // no name of a host has such bytes, here or elsewhere
  if (name === undefined || (klass !== CLASS_IN && klass !== CLASS_ANY)) return fault(RCODE.refused)
  query.name = name
  return { kind: 'query', query }
}

/** Behind the name's closing zero; 0: it is broken, or goes on elsewhere. */
function endOfName(message: Buffer, from: number): number {
  let at = from
  for (;;) {
    const length = message[at]
    if (length === undefined || length > MAX_LABEL_BYTES) return 0
    at += 1 + length
    if (at - from > MAX_NAME_BYTES) return 0
    if (length === 0) return at
  }
}

/** `undefined`: bytes that a name in dots cannot show without escapes. */
function textOf(message: Buffer, from: number): string | undefined {
  const labels: string[] = []
  let at = from
  for (let length = message[at]!; length !== 0; length = message[at]!) {
    const label = message.toString('latin1', at + 1, at + 1 + length)
    if (!/^[!-\-/-[\]-~]+$/.test(label)) return undefined
    labels.push(label.toLowerCase())
    at += 1 + length
  }
  return labels.join('.')
}

interface Edns {
  udpBytes: number
  version: number
}

/** The one OPT among the records behind the question; `undefined`: they are broken, or it is there twice. */
function parseRecords(message: Buffer, from: number, count: number): Edns | null | undefined {
  let edns: Edns | null = null
  let at = from
  for (let i = 0; i < count; i++) {
    const isRoot = message[at] === 0
    const nameEnd = skipName(message, at)
    if (nameEnd === 0 || nameEnd + RECORD_BYTES > message.length) return undefined
    if (message.readUInt16BE(nameEnd) === TYPE.OPT) {
      if (edns !== null || !isRoot) return undefined
      edns = { udpBytes: message.readUInt16BE(nameEnd + 2), version: message[nameEnd + 5]! }
    }
    at = nameEnd + RECORD_BYTES + message.readUInt16BE(nameEnd + 8)
    if (at > message.length) return undefined
  }
  return edns
}

/** As `endOfName`, but a pointer may end it. */
function skipName(message: Buffer, from: number): number {
  let at = from
  while (message[at] !== undefined && message[at]! > 0 && message[at]! <= MAX_LABEL_BYTES) at += 1 + message[at]!
  if (message[at] === 0) return at + 1
  return message[at] !== undefined && message[at]! >= 0xc0 ? at + 2 : 0
}
