/** Addresses that a caller may not reach through the proxy by naming them: this host itself and its links. */
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

const forbidden = new BlockList()
forbidden.addSubnet('127.0.0.0', 8, 'ipv4')
forbidden.addSubnet('0.0.0.0', 8, 'ipv4')
forbidden.addSubnet('169.254.0.0', 16, 'ipv4')
forbidden.addAddress('::1', 'ipv6')
forbidden.addAddress('::', 'ipv6')
forbidden.addSubnet('fe80::', 10, 'ipv6')

/** Of an IP address; a name is never forbidden itself, except `localhost`. */
export function isForbiddenHost(host: string): boolean {
  const version = isIP(host)
  if (version === 0) return /^localhost\.?$/i.test(host) || /\.localhost\.?$/i.test(host)
  // BlockList looks into IPv4-mapped IPv6 addresses itself
  return forbidden.check(host, version === 4 ? 'ipv4' : 'ipv6')
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
