/**
 * Trace headers, W3C Trace Context: the trace of the caller with a span of our own, or a new trace. Nothing is reported
 * yet; programs and the sidecars behind find their spans' parent. B3 headers are not touched.
 * In: a head, shares that are sampled. Out: the value that goes on. Owns nothing; ids come from ids.ts.
 */
import { HEX, LOWER } from '../codec/bytes.ts'
import type { Head } from '../codec/head.ts'
import { DROPPED, nameId } from '../codec/names.ts'
import { newTraceParent, withNewSpan } from './ids.ts'

/** In percent of the requests. */
export interface TraceSettings {
  /** Of those that begin a trace. */
  randomSampling: number
  /** Of those whose client asks for it, by x-client-trace-id. */
  clientSampling: number
  /** Upper bound for both. */
  overallSampling: number
}

const TRACEPARENT = nameId('traceparent')
const TRACESTATE = nameId('tracestate')
const CLIENT_TRACE = 'x-client-trace-id'

/** `VERSION-TRACE-SPAN-FLAGS`: where each part ends. */
const VERSION_END = 2
const TRACE_END = 35
const SPAN_END = 52
const FLAGS_END = 55
const DASH = 0x2d
const ZERO = 0x30
const F = 0x66

// hot
export function traceParentOf(head: Head, settings: TraceSettings, random: () => number): string {
  const field = head.find(TRACEPARENT)
  if (field < 0) return newTraceParent(isSampled(head, settings, random))
  head.setId(field, DROPPED)
  const start = head.valueStart(field)
  if (isWellFormed(head.bytes, start, head.valueEnd(field)) && head.find(TRACEPARENT) < 0)
    return withNewSpan(head.bytes, start)
  dropAll(head) // a state without its parent belongs to nobody
  return newTraceParent(isSampled(head, settings, random))
}

/** Version ff is none, and ids of zeros are none either; what a later version adds behind the flags is left out. */
function isWellFormed(buf: Buffer, start: number, end: number): boolean {
  const length = end - start
  const isFirst = buf[start] === ZERO && buf[start + 1] === ZERO
  if (length < FLAGS_END || (length > FLAGS_END && (isFirst || buf[start + FLAGS_END] !== DASH))) return false
  if (buf[start] === F && buf[start + 1] === F) return false
  if (buf[start + VERSION_END] !== DASH || buf[start + TRACE_END] !== DASH || buf[start + SPAN_END] !== DASH)
    return false
  return (
    isHex(buf, start, start + VERSION_END) &&
    isId(buf, start + VERSION_END + 1, start + TRACE_END) &&
    isId(buf, start + TRACE_END + 1, start + SPAN_END) &&
    isHex(buf, start + SPAN_END + 1, start + FLAGS_END)
  )
}

/** In lower case. */
function isHex(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (HEX[buf[i]!]! < 0 || LOWER[buf[i]!] !== buf[i]) return false
  return true
}

function isId(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buf[i] !== ZERO) return isHex(buf, start, end)
  return false
}

function isSampled(head: Head, settings: TraceSettings, random: () => number): boolean {
  const { randomSampling, clientSampling, overallSampling } = settings
  if (randomSampling >= 100 && overallSampling >= 100) return true
  const share = head.getByName(CLIENT_TRACE) === undefined ? randomSampling : Math.max(randomSampling, clientSampling)
  return random() * 100 < Math.min(share, overallSampling)
}

function dropAll(head: Head): void {
  for (let i = 0; i < head.count; i++)
    if (head.id(i) === TRACEPARENT || head.id(i) === TRACESTATE) head.setId(i, DROPPED)
}
