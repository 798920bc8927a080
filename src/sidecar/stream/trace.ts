/**
 * Trace headers, W3C Trace Context: the trace of the caller with a span of our own, or a new trace. Nothing is reported
 * yet; programs and the sidecars behind find their spans' parent. B3 headers are not touched.
 * In: a head, shares that are sampled. Out: the value that goes on. Owns nothing; ids come from ids.ts.
 */
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

/** Version ff is none, and ids of zeros are none either; what a later version adds behind the flags is left out. */
const WELL_FORMED = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/

// hot
export function traceParentOf(head: Head, settings: TraceSettings, random: () => number): string {
  const field = head.find(TRACEPARENT)
  const parent = field < 0 ? '' : head.value(field)
  if (field >= 0) head.setId(field, DROPPED)
  const isKnown = parent !== '' && WELL_FORMED.test(parent) && (parent.length === 55 || !parent.startsWith('00'))
  if (isKnown && head.find(TRACEPARENT) < 0) return withNewSpan(parent)
  if (field >= 0) dropAll(head) // a state without its parent belongs to nobody
  return newTraceParent(isSampled(head, settings, random))
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
