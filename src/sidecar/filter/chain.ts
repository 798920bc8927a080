/**
 * Filters: what looks at a request (or a connection) between its route and its cluster, in the order of the listener.
 * In: the exchange. Out: CONTINUE, or REPLY with `x.fault` set, which the table of local replies answers. A filter touches
 * no socket and holds nothing of a request: one serves all requests of its listener.
 */
import type { Exchange } from '../exchange.ts'

export const CONTINUE = 0
export const REPLY = 1
export type FilterStatus = typeof CONTINUE | typeof REPLY

export interface HttpFilter {
  onRequestHead(x: Exchange): FilterStatus
}

export interface NetworkFilter {
  /** Before anything is dialled, and again when rules change. REPLY: the connection is reset. */
  onConnection(x: Exchange): FilterStatus
}

/** The filters of a chain. A push swaps `list`, so that connections that are there ask the new ones. */
export interface HttpFilterCell {
  list: readonly HttpFilter[]
}

export interface NetworkFilterCell {
  list: readonly NetworkFilter[]
}

// hot
export function runHttpFilters(list: readonly HttpFilter[], x: Exchange): FilterStatus {
  for (const filter of list) if (filter.onRequestHead(x) === REPLY) return REPLY
  return CONTINUE
}

export function runNetworkFilters(list: readonly NetworkFilter[], x: Exchange): FilterStatus {
  for (const filter of list) if (filter.onConnection(x) === REPLY) return REPLY
  return CONTINUE
}
