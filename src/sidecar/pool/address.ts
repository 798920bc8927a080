/**
 * Where things are, and the two ends of a socket. IPv4 is written as IPv4 (a socket of both families says
 * `::ffff:10.0.0.1`), link-local addresses without their zone. Leaf.
 */
import type { Socket } from 'node:net'

export interface IpAddress {
  host: string
  port: number
}

/** `publicOnly`: named by a caller; what it resolves to must not be this host. `family`: of a name's addresses only these. */
export type Address = { host: string; port: number; publicOnly?: boolean; family?: 4 | 6 } | { path: string }

/** `127.0.0.1:8080`, `[::1]:8080` or the path. */
export function addressLabel(address: Address): string {
  if ('path' in address) return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** `null` for a UNIX socket, or one that is gone. */
export function localEnd({ localAddress, localPort }: Socket): IpAddress | null {
  return localAddress === undefined ? null : { host: plainHost(localAddress), port: localPort ?? 0 }
}

/** '' for a UNIX socket. */
export function localLabel(socket: Socket): string {
  const end = localEnd(socket)
  return end === null ? '' : addressLabel(end)
}

export function remoteEnd({ remoteAddress, remotePort }: Socket): IpAddress | null {
  return remoteAddress === undefined ? null : { host: plainHost(remoteAddress), port: remotePort ?? 0 }
}

function plainHost(host: string): string {
  if (host.startsWith('::ffff:') && host.includes('.')) return host.slice('::ffff:'.length)
  const zone = host.indexOf('%')
  return zone < 0 ? host : host.slice(0, zone)
}
