/**
 * How far a request may still go. Max-Forwards of OPTIONS (RFC 9110 section 7.6.2), and a count of our own: proxies whose
 * routes lead to each other would pass one request around until something gives way.
 * In: a head. Out: what goes on, or a fault, in the record. A caller of the mesh has counted: its peer adds nothing.
 */
import type { Head } from '../codec/head.ts'
import { DROPPED, nameId } from '../codec/names.ts'
import type { Exchange } from '../exchange.ts'

const HOPS = nameId('x-pocketmesh-hops')
const MAX_FORWARDS = nameId('max-forwards')
/** A chain of services that pass all fields on is shorter, a loop is not. */
const MAX_HOPS = 10
const FEW_DIGITS = /^\d{1,9}$/

// hot
export function countHops(x: Exchange, head: Head, isCounted: boolean): void {
  const field = head.find(HOPS)
  const text = field < 0 ? '' : head.value(field)
  x.hops = (FEW_DIGITS.test(text) ? Number(text) : 0) + (isCounted ? 0 : 1)
  if (x.hops > MAX_HOPS) x.fault = 'loop'
  if (x.method === 'OPTIONS') countForwards(x, head)
}

function countForwards(x: Exchange, head: Head): void {
  const field = head.find(MAX_FORWARDS)
  if (field < 0) return
  const text = head.value(field)
  head.setId(field, DROPPED)
  if (!FEW_DIGITS.test(text) || head.find(MAX_FORWARDS) >= 0) x.fault = 'bad_max_forwards'
  else if (Number(text) === 0) x.fault = 'last_hop'
  else x.maxForwards = Number(text) - 1
}
