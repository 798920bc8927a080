/**
 * Names of the mesh as DNS asks for them. In: lower-case name -> addresses (NDS). Out: lookups both ways. Immutable.
 *
 *   web.default.svc.cluster.local, web.default, web   the name and its short forms
 *   *.example.com                                     all names below, at any depth; a longer entry wins
 */
import { isIP, isIPv6 } from 'node:net'

const CLUSTER_DOMAIN = 'cluster.local'

/** What is below these exists in the mesh or nowhere: it is not asked elsewhere. */
const OWN_ZONES = [
  CLUSTER_DOMAIN,
  'svc',
  'localhost',
  // addresses: of services (240.240/16, 2001:2::/48), of pods (10.244/16, fd00:10:244::/64), link-local, loopback
  '240.240.in-addr.arpa',
  '0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa',
  '244.10.in-addr.arpa',
  '0.0.0.0.4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa',
  '254.169.in-addr.arpa',
  '127.in-addr.arpa',
]

/** The zone that a name is certain to be in; one label alone is such a name (a search list makes it so). */
export function ownZone(name: string): string | undefined {
  if (!name.includes('.')) return name
  return OWN_ZONES.find((zone) => name === zone || name.endsWith(`.${zone}`))
}

export class DnsTable {
  readonly #names = new Map<string, readonly string[]>()
  /** `5.0.240.240.in-addr.arpa` -> the longest name with that address: short forms are of this pod only. */
  readonly #reverse = new Map<string, string>([
    [reverseName('127.0.0.1'), 'localhost'],
    [reverseName('::1'), 'localhost'],
  ])
  readonly #above = new Set<string>([CLUSTER_DOMAIN])

  constructor(names: ReadonlyMap<string, readonly string[]>) {
    for (const [name, listed] of names) {
      const addresses = listed.filter((address) => isIP(address) !== 0)
      this.#names.set(name, addresses)
      if (name.startsWith('*.')) continue
      for (const address of addresses) {
        const key = reverseName(address)
        if ((this.#reverse.get(key)?.length ?? 0) < name.length) this.#reverse.set(key, name)
      }
      if (!name.endsWith(`.${CLUSTER_DOMAIN}`)) continue
      for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
        const parent = name.slice(dot + 1)
        if (this.#above.has(parent)) break
        this.#above.add(parent)
      }
    }
  }

  /** Addresses of a lower-case name without a closing dot. */
  lookup(name: string): readonly string[] | undefined {
    const exact = this.#names.get(name)
    if (exact !== undefined) return exact
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const wide = this.#names.get(`*${name.slice(dot)}`)
      if (wide !== undefined) return wide
    }
    return undefined
  }

  /** The name of an address, itself asked for as a name (RFC 1035 3.5, RFC 3596 2.5). */
  reverse(name: string): string | undefined {
    return this.#reverse.get(name)
  }

  /** A name of the cluster that has nothing but names below it: it exists (RFC 8020), else those would not. */
  isAbove(name: string): boolean {
    return this.#above.has(name)
  }
}

function reverseName(address: string): string {
  if (!isIPv6(address)) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const middle = Array<string>(8 - left.length - right.length).fill('0')
  const digits = [...left, ...middle, ...right].map((group) => group.padStart(4, '0')).join('')
  return `${digits.split('').toReversed().join('.')}.ip6.arpa`
}
