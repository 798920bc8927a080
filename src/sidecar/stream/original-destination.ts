/**
 * The address behind an ORIGINAL_DST cluster: where a captured connection meant to go, or whom the forward proxy was
 * asked for. The proxy must not become a way into its own host: loopback, link-local and unspecified are refused.
 */
import { splitAuthority } from '../codec/http1/target.ts'
import type { Address } from '../pool/dial.ts'
import { isForbiddenHost } from '../pool/forbidden.ts'
import type { ConnectionInfo } from './context.ts'

export function originalDestination(
  info: ConnectionInfo,
  forwardProxy: boolean,
  authority: string,
): Address | 'refused' | null {
  if (info.originalDst !== null) return allowed(info.originalDst)
  if (!forwardProxy) return null
  const { host, port } = splitAuthority(authority)
  return host === '' ? null : allowed({ host, port: port === 0 ? 80 : port })
}

/** Names are checked when they are resolved (`publicOnly`). */
export function allowed(address: Address): Address | 'refused' {
  if ('path' in address) return 'refused'
  return isForbiddenHost(address.host) ? 'refused' : { host: address.host, port: address.port, publicOnly: true }
}
