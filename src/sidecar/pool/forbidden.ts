/**
 * Addresses that a caller may not reach through the proxy by naming them: this host itself and its links, what is no
 * single host, and the mesh's own ranges, where only a listener leads to somebody.
 */
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { POD_PREFIX4, POD_PREFIX6, VIRTUAL_PREFIX6 } from '../../xds/address-ranges.ts'

const NETWORKS = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // virtual addresses of services; the broadcast address
  [`${POD_PREFIX4}0.0`, 16],
  ['::', 96], // unspecified, loopback, IPv4-compatible
  ['fe80::', 10],
  ['ff00::', 8],
  [POD_PREFIX6, 64],
  [VIRTUAL_PREFIX6, 48],
] as const

const forbidden = new BlockList()
for (const [network, prefix] of NETWORKS) forbidden.addSubnet(network, prefix, familyOf(network))

/** Interfaces come and go (VPN, Wi-Fi), but asking the system costs. */
const OWN_ADDRESSES_MS = 3000
let own = new BlockList()
let ownReadAtMs = -Infinity

function ownAddresses(): BlockList {
  const nowMs = performance.now()
  if (nowMs - ownReadAtMs < OWN_ADDRESSES_MS) return own
  ownReadAtMs = nowMs
  own = new BlockList()
  for (const list of Object.values(networkInterfaces()))
    for (const { address } of list ?? []) own.addAddress(address, familyOf(address))
  return own
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}

/** Of an IP address; a name is never forbidden itself, except `localhost`. */
export function isForbiddenHost(host: string): boolean {
  if (isIP(host) === 0) return /^localhost\.?$/i.test(host) || /\.localhost\.?$/i.test(host)
  const zone = host.indexOf('%')
  const address = zone < 0 ? host : host.slice(0, zone)
  // BlockList looks into IPv4-mapped IPv6 addresses itself
  return forbidden.check(address, familyOf(address)) || ownAddresses().check(address, familyOf(address))
}

export const REFUSED_TARGET = 'EREFUSEDTARGET'

/** Resolves a name to addresses that are not forbidden; fails with code REFUSED_TARGET where none is left. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0)
      return
    }
    const open = addresses.filter((a) => !isForbiddenHost(a.address))
    const first = open[0]
    if (first === undefined) {
      callback(Object.assign(new Error(`${hostname} is not a target for a proxy`), { code: REFUSED_TARGET }), '', 0)
    } else if (options.all === true) callback(null, open)
    else callback(null, first.address, first.family)
  })
}
