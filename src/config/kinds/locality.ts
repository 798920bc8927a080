/** Checks of load-balancer settings that are sums and sets rather than shapes. */
import type { Report } from '../schema.ts'

/** Envoy's limit for a Maglev table. */
export const MAX_MAGLEV_SIZE = 5_000_011

export function isPrime(x: number): boolean {
  if (x < 2 || (x > 2 && x % 2 === 0)) return false
  for (let factor = 3; factor * factor <= x; factor += 2) if (x % factor === 0) return false
  return true
}

interface Locality {
  distribute?: { from?: string; to?: Record<string, number> }[]
  failover?: { from?: string; to?: string }[]
  failoverPriority?: string[]
}

/** One way at a time; shares sum to 100; regions of a failover are plain and differ. */
export function checkLocality(setting: Locality, report: Report): void {
  const { distribute = [], failover = [], failoverPriority = [] } = setting
  if (distribute.length > 0 && failover.length > 0)
    report('PM0164', ['failover'], 'distribute and failover exclude each other')
  if (failover.length > 0) {
    const i = failoverPriority.findIndex((label) => label.startsWith('topology.'))
    if (i !== -1)
      report(
        'PM0164',
        ['failoverPriority', i],
        'failover already orders places: a topology label may not stand beside it',
      )
  }
  checkPlaces(distribute.map((entry) => entry.from ?? ''), (i) => ['distribute', i, 'from'], report) // prettier-ignore
  for (const [i, entry] of distribute.entries()) {
    const shares = Object.entries(entry.to ?? {})
    for (const [place, share] of shares)
      if (share < 1 || share > 100) report('PM0164', ['distribute', i, 'to', place], `a share of ${share}: 1 to 100`)
    const sum = shares.reduce((total, [, share]) => total + share, 0)
    if (sum !== 100) report('PM0164', ['distribute', i, 'to'], `the shares sum to ${sum} instead of 100`)
    checkPlaces(shares.map(([place]) => place), (j) => ['distribute', i, 'to', shares[j]?.[0] ?? ''], report) // prettier-ignore
  }
  for (const [i, { from = '', to = '' }] of failover.entries()) {
    if (from === to) report('PM0164', ['failover', i, 'to'], 'a region cannot fail over to itself')
    for (const [end, region] of [
      ['from', from],
      ['to', to],
    ] as const) {
      // prettier-ignore
      if (/[/*]/.test(region)) report('PM0164', ['failover', i, end], `${region} is not a plain region`)
    }
  }
}

/** `*` only at the end of a place, and no place inside another of the same list. */
function checkPlaces(places: readonly string[], at: (i: number) => (string | number)[], report: Report): void {
  for (const [i, place] of places.entries()) {
    if (place.indexOf('*') !== -1 && place.indexOf('*') !== place.length - 1)
      report('PM0164', at(i), 'a * may only stand at the end of a place')
    const twin = places.findIndex((other, j) => j < i && (covers(other, place) || covers(place, other)))
    if (twin !== -1) report('PM0164', at(i), `${place} overlaps ${places[twin]}`)
  }
}

function covers(a: string, b: string): boolean {
  if (a === b || a === '*') return true
  return a.endsWith('*') ? b.startsWith(a.slice(0, -1)) : b.startsWith(`${a}/`)
}
