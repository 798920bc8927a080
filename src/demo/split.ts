/**
 * The canary's split, asked and measured. In: VirtualService objects; readings of the counters, or counts.
 * Out: a row per version with the band that chance explains.
 */
import type { StoredObject } from '../client/contract.ts'
import type { Band } from './binomial.ts'
import { binomialBand } from './binomial.ts'
import type { Reading } from './edges.ts'
import { growth } from './edges.ts'

export interface SplitRow {
  version: string
  /** 0..1 */
  asked: number
  count: number
  band: Band
  inBand: boolean
}

interface RouteDestination {
  weight?: number
  destination?: { host?: string; subset?: string }
}

interface RoutesOfHost {
  hosts?: string[]
  http?: { route?: RouteDestination[] }[]
}

/** Share by subset that the first VirtualService for this host asks for; undefined where none splits it. */
export function askedSplit(items: readonly StoredObject[], host: string): Map<string, number> | undefined {
  for (const item of items) {
    const spec = item.spec as RoutesOfHost
    const names = spec.hosts?.map((name) => name.split('.', 1)[0])
    const route = spec.http?.[0]?.route
    if (names?.includes(host) !== true || route === undefined) continue
    const total = route.reduce((sum, { weight = 0 }) => sum + weight, 0)
    return new Map(
      route.map(({ destination, weight = 0 }) => [destination?.subset ?? '', total === 0 ? 1 : weight / total]),
    )
  }
  return undefined
}

/** Requests by version that callers sent to this service between two readings. */
export function countByVersion(before: Reading, after: Reading, service: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { name, labels, value } of growth(before, after)) {
    if (name !== 'istio_requests_total' || labels['reporter'] !== 'source') continue
    if (labels['destination_service_name'] !== service) continue
    const version = labels['destination_version'] ?? 'unknown'
    counts.set(version, (counts.get(version) ?? 0) + value)
  }
  return counts
}

export function splitRows(asked: ReadonlyMap<string, number>, counts: ReadonlyMap<string, number>): SplitRow[] {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  return [...asked].map(([version, share]) => {
    const count = counts.get(version) ?? 0
    const band = binomialBand(total, share)
    return { version, asked: share, count, band, inBand: count >= band.low && count <= band.high }
  })
}
