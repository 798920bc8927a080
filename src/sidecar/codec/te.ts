/** `TE: trailers`, the one member of TE that is not of one hop only (RFC 9110 section 10.1.4). Leaf. */
import { ascii, COMMA, equalsIgnoreCase, HTAB, SP } from './bytes.ts'
import type { Head } from './head.ts'
import { nameId } from './names.ts'

const TE = nameId('te')
const TRAILERS = ascii('trailers')

/** Whoever sent this head takes trailers: a member that is this word alone, in any of its TE fields. */
// hot
export function takesTrailers(head: Head): boolean {
  for (let i = 0; i < head.count; i++) if (head.id(i) === TE && listsTrailers(head, i)) return true
  return false
}

/** Of one TE field. */
export function listsTrailers(head: Head, field: number): boolean {
  const buf = head.bytes
  const end = head.valueEnd(field)
  for (let i = head.valueStart(field); i < end; i++) {
    let stop = buf.indexOf(COMMA, i)
    if (stop < 0 || stop > end) stop = end
    while (i < stop && (buf[i] === SP || buf[i] === HTAB)) i++
    let last = stop
    while (last > i && (buf[last - 1] === SP || buf[last - 1] === HTAB)) last--
    if (equalsIgnoreCase(buf, i, last, TRAILERS)) return true
    i = stop
  }
  return false
}
