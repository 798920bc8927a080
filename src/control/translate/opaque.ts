/**
 * Bytes as they are, from an address to a cluster, or into a UNIX socket between proxies: what gateway, plain proxies and
 * transparent pods share. Pure.
 */
import { tcpProxy } from './filters.ts'
import { duration, pipe, socketAddress, toResource, type Cluster } from './resource.ts'
import type { Resource } from './snapshot.ts'
import { RAW_BUFFER, withProxyHeader } from './tls.ts'

const OUTBOUND = 2
const STATIC = 0
const CONNECT_TIMEOUT_MS = 10_000

/** An unbound listener for one destination. */
export function opaqueListener(address: string, port: number, cluster: string): Resource {
  const name = `${address}_${port}`
  return toResource('LDS', name, {
    name,
    address: socketAddress(address, port),
    bindToPort: { value: false },
    trafficDirection: OUTBOUND,
    filterChains: [{ filters: [tcpProxy(cluster, [{ cluster, weight: 0 }])] }],
  })
}

/** One UNIX socket, behind a PROXY header and without TLS. `http`: what requests speak there, if any come. */
export function pipeCluster(name: string, path: string, http: Cluster = {}): Resource {
  return toResource('CDS', name, {
    name,
    type: STATIC,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address: pipe(path) } }] }] },
    ...http,
    transportSocket: withProxyHeader(RAW_BUFFER),
  })
}
