/**
 * What the proxy of a pod without a sidecar has (mode `ns`): kube-proxy's role. Service ports lead to their endpoints as
 * bytes, without identity and without rules, and so do the pod's own ports. Pure.
 */
import type { Pod } from '../../client/contract.ts'
import { clusterName } from '../../xds/names.ts'
import { PROXY_PROTOCOL, tcpProxy } from './filters.ts'
import { memo } from './memo.ts'
import { opaqueListener } from './opaque.ts'
import { ADS_SOURCE, duration, pipe, socketAddress, toResource, type Cluster, type Resources } from './resource.ts'
import type { Resource, Service } from './snapshot.ts'
import { RAW_BUFFER, withProxyHeader } from './tls.ts'

const INBOUND = 1
const EDS = 3
const CONNECT_TIMEOUT_MS = 10_000

/** Unbound listeners and clusters of all Services that a pod sees. */
export const plainOutbound = memo((services: readonly Service[]): { CDS: Resources; LDS: Resources } => {
  const CDS = new Map<string, Resource>()
  const LDS = new Map<string, Resource>()
  for (const { host, address, address6, ports } of services) {
    for (const { port } of ports) {
      const cluster = clusterName('outbound', port, '', host)
      CDS.set(cluster, toResource('CDS', cluster, endpointCluster(cluster)))
      for (const virtual of [address, address6]) {
        const listener = opaqueListener(virtual, port, cluster)
        LDS.set(listener.name, listener)
      }
    }
  }
  return { CDS, LDS }
})

function endpointCluster(name: string): Cluster {
  return {
    name,
    type: EDS,
    edsClusterConfig: { edsConfig: ADS_SOURCE, serviceName: name },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    transportSocket: withProxyHeader(RAW_BUFFER),
  }
}

/** The pod's own ports: whoever comes through the pipe is connected to the program. */
export const plainInbound = memo((pod: Pod): { CDS: Resources; LDS: Resources } => {
  const CDS = new Map<string, Resource>()
  const LDS = new Map<string, Resource>()
  for (const { containerPort, appPort, listenPort, pipe: path } of pod.ports) {
    if (path === undefined) continue
    const cluster = clusterName('inbound', containerPort, '', '')
    const endpoint = { address: socketAddress(pod.address, appPort) }
    CDS.set(
      cluster,
      toResource('CDS', cluster, {
        name: cluster,
        type: 0,
        connectTimeout: duration(CONNECT_TIMEOUT_MS),
        loadAssignment: { clusterName: cluster, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
      }),
    )
    const name = `inbound_${pod.address}_${listenPort}`
    LDS.set(
      name,
      toResource('LDS', name, {
        name,
        address: pipe(path),
        trafficDirection: INBOUND,
        listenerFilters: [PROXY_PROTOCOL],
        filterChains: [{ filters: [tcpProxy(cluster, [{ cluster, weight: 0 }])] }],
      }),
    )
  }
  return { CDS, LDS }
})
