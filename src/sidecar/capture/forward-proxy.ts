/**
 * CONNECT on the HTTP proxy's port: a tunnel to `host:port` becomes a connection to an original destination, as if it
 * had been captured. In: an authority, the client's link. Out: the socket for the listener of that destination.
 * Names of the mesh resolve to their virtual addresses, which may be given themselves; others by DNS. What forbidden.ts
 * lists is refused.
 */
import { isIP } from 'node:net'
import { splitAuthority } from '../codec/http1/target.ts'
import type { Downlink } from '../listener/connection.ts'
import { isForbiddenHost, lookupPublic, REFUSED_TARGET } from '../pool/forbidden.ts'

export const CONNECT_ESTABLISHED = 'HTTP/1.1 200 OK\r\n\r\n'

/** `dispatch` is given the address; `names`: lower-case mesh names to addresses. */
export function connectTo(
  authority: string,
  link: Downlink,
  names: ReadonlyMap<string, readonly string[]>,
  dispatch: (host: string, port: number) => void,
  refuse: (status: number) => void,
): void {
  const { host, port } = splitAuthority(authority)
  const name = host.toLowerCase()
  const known = (names.get(name) ?? names.get(name.replace(/\.$/, '')))?.[0]
  if (port === 0) refuse(400)
  else if (known !== undefined) dispatch(known, port)
  else if (isForbiddenHost(host) && !isVirtual(host, names)) refuse(403)
  else if (isIP(host) !== 0) dispatch(host, port)
  else {
    lookupPublic(host, { all: false }, (error, address) => {
      if (link.raw.destroyed) return
      if (error !== null || typeof address !== 'string') refuse(error !== null && isRefusal(error) ? 403 : 502)
      else dispatch(address, port)
    })
  }
}

function isVirtual(host: string, names: ReadonlyMap<string, readonly string[]>): boolean {
  for (const addresses of names.values()) if (addresses.includes(host)) return true
  return false
}

function isRefusal(error: NodeJS.ErrnoException): boolean {
  return error.code === REFUSED_TARGET
}
