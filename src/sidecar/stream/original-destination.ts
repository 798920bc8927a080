/**
 * The endpoint of a cluster for one connection or request; of a passthrough what leads to where a captured connection
 * meant to go, or to whom the forward proxy was asked for.
 * The proxy must not become a way into its own host or into the mesh: what it dials itself is checked here; where it
 * only tells another proxy, that one checks.
 */
import { isIP } from 'node:net'
import type { Cluster } from '../cluster/cluster.ts'
import type { Endpoint } from '../cluster/endpoint.ts'
import type { ClusterSpec } from '../cluster/spec.ts'
import { splitAuthority } from '../codec/http1/target.ts'
import type { IpAddress } from '../pool/address.ts'
import { isForbiddenHost } from '../pool/forbidden.ts'
import type { ConnectionInfo } from './context.ts'

type Passthrough = NonNullable<ClusterSpec['passthrough']>

/** `authority`: of a request on the forward proxy's port, else ''. `avoid`, `attempts`: see Cluster.pick. */
export function endpointFor(
  cluster: Cluster,
  info: ConnectionInfo,
  authority: string,
  avoid: readonly Endpoint[],
  attempts: number,
): Endpoint | 'refused_target' | 'no_endpoint' {
  const { passthrough } = cluster.spec
  if (passthrough === null) return cluster.pick(avoid, attempts) ?? 'no_endpoint'
  const wanted = originalDestination(passthrough, info, authority)
  if (wanted === 'refused') return 'refused_target'
  return (wanted === null ? null : cluster.originalDestination(wanted)) ?? 'no_endpoint'
}

/** `null`: nobody said. */
function originalDestination(
  passthrough: Passthrough,
  info: ConnectionInfo,
  authority: string,
): (IpAddress & { publicOnly?: boolean }) | 'refused' | null {
  const wanted = info.originalDst ?? named(authority)
  if (wanted === null) return null
  if (passthrough === 'relayed') return isIP(wanted.host) === 0 ? null : wanted // a header has room for addresses only
  // names are checked when they are resolved (`publicOnly`)
  return isForbiddenHost(wanted.host) ? 'refused' : { host: wanted.host, port: wanted.port, publicOnly: true }
}

function named(authority: string): IpAddress | null {
  const { host, port } = splitAuthority(authority)
  return host === '' ? null : { host, port: port === 0 ? 80 : port }
}
