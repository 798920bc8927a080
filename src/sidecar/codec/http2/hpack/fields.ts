/**
 * What one field of HTTP/2 is worth by itself (RFC 9113 sections 8.2 and 8.3): decided once per table entry.
 * In: a line `name: value CRLF`. Out: its kind: an id of names.ts, a pseudo-header, or INVALID. Leaf.
 */
import { equalsIgnoreCase, ascii, FIELD, HTAB, isDigit, latin1, SP, TARGET, TCHAR } from '../../bytes.ts'
import { isAuthority } from '../../http1/target.ts'
import { DROPPED, lookupName, nameId, nameSet } from '../../names.ts'

export const METHOD = -2
export const SCHEME = -3
export const PATH = -4
export const AUTHORITY = -5
export const PROTOCOL = -6
export const STATUS = -7
/** Makes its message malformed wherever it stands. */
export const INVALID = -8

export type PseudoName = 'method' | 'scheme' | 'path' | 'authority' | 'protocol'

/** Of `Head.sensitivePseudos`. */
export const PSEUDO_BIT: Record<PseudoName, number> = {
  method: 1 << -METHOD,
  scheme: 1 << -SCHEME,
  path: 1 << -PATH,
  authority: 1 << -AUTHORITY,
  protocol: 1 << -PROTOCOL,
}

const PSEUDOS: [kind: number, name: Uint8Array][] = [
  [METHOD, ascii(':method')],
  [SCHEME, ascii(':scheme')],
  [PATH, ascii(':path')],
  [AUTHORITY, ascii(':authority')],
  [PROTOCOL, ascii(':protocol')],
  [STATUS, ascii(':status')],
]

const COLON = 0x3a
const SLASH = 0x2f
const STAR = 0x2a
/** 1 for what a name may hold: `tchar` but no capitals. */
const NAME = TCHAR.map((allowed, byte) => (byte >= 0x41 && byte <= 0x5a ? 0 : allowed))
/** RFC 3986 section 3.1, after the first letter. */
const SCHEME_CHAR = Uint8Array.from({ length: 256 }, (_, b) => (/[A-Za-z0-9+.-]/.test(String.fromCharCode(b)) ? 1 : 0))
/** A length of 16 digits is below 2^53. */
const MAX_LENGTH_DIGITS = 16

/** Those of HTTP/1.1 connections, RFC 9113 section 8.2.2. */
const CONNECTION_SPECIFIC = nameSet('connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade')
/** Names that are invalid with some values. */
const BY_VALUE = nameSet('te', 'host', 'content-length')
const TE = nameId('te')
const HOST = nameId('host')
const CONTENT_LENGTH = nameId('content-length')
const TRAILERS = ascii('trailers')

/** Kind of the line `buf[start, end)`, whose name ends at `nameEnd` and has the hash `hash`. */
export function classify(buf: Buffer, start: number, nameEnd: number, end: number, hash: number): number {
  const valueStart = nameEnd + 2
  const valueEnd = end - 2
  if (nameEnd === start || !isValue(buf, valueStart, valueEnd)) return INVALID
  if (buf[start] === COLON) return classifyPseudo(buf, start, nameEnd, valueStart, valueEnd)
  for (let i = start; i < nameEnd; i++) if (NAME[buf[i]!] !== 1) return INVALID
  const id = lookupName(buf, start, nameEnd, hash)
  if (id <= 0) return id
  if (CONNECTION_SPECIFIC[id] === 1) return INVALID
  if (id === TE && !equalsIgnoreCase(buf, valueStart, valueEnd, TRAILERS)) return INVALID
  if (id === HOST && !isAuthority(latin1(buf, valueStart, valueEnd))) return INVALID
  if (id === CONTENT_LENGTH && !isLength(buf, valueStart, valueEnd)) return INVALID
  return id
}

/** The same for a name that an entry of this kind has: only what hangs on the value is looked at again. */
// hot
export function classifyKnown(
  buf: Buffer,
  start: number,
  nameEnd: number,
  end: number,
  hash: number,
  kind: number,
): number {
  if (kind < DROPPED || (kind > 0 && BY_VALUE[kind] === 1)) return classify(buf, start, nameEnd, end, hash)
  return isValue(buf, nameEnd + 2, end - 2) ? kind : INVALID
}

function isValue(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (FIELD[buf[i]!] !== 1) return false
  return start === end || !(isSpace(buf[start]!) || isSpace(buf[end - 1]!))
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB
}

function isLength(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!isDigit(buf[i]!)) return false
  return end > start && end - start <= MAX_LENGTH_DIGITS
}

function classifyPseudo(buf: Buffer, start: number, nameEnd: number, valueStart: number, valueEnd: number): number {
  const kind = pseudoKind(buf, start, nameEnd)
  return kind !== INVALID && isPseudoValue(kind, buf, valueStart, valueEnd) ? kind : INVALID
}

function pseudoKind(buf: Buffer, start: number, end: number): number {
  for (const [kind, name] of PSEUDOS) {
    let i = 0
    while (i < name.length && buf[start + i] === name[i]) i++
    if (i === name.length && end - start === i) return kind
  }
  return INVALID
}

function isPseudoValue(kind: number, buf: Buffer, start: number, end: number): boolean {
  if (start === end) return false
  const first = buf[start]!
  switch (kind) {
    case METHOD:
    case PROTOCOL:
      return all(TCHAR, buf, start, end)
    case SCHEME:
      return !isDigit(first) && first > SLASH && all(SCHEME_CHAR, buf, start, end)
    case PATH:
      return (first === SLASH || (first === STAR && end - start === 1)) && all(TARGET, buf, start, end)
    case AUTHORITY:
      return isAuthority(latin1(buf, start, end))
    default: // STATUS
      return end - start === 3 && first > 0x30 && isLength(buf, start, end)
  }
}

function all(allowed: Uint8Array, buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (allowed[buf[i]!] !== 1) return false
  return true
}
