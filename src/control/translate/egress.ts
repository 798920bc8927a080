/**
 * What the gateway has where pods are in mode `ns`: the listener that takes what leaves them, and a listener per pod
 * address, so that a pod's own address leads to its inbound side in plain text, as in Kubernetes. Pure.
 */
import type { Pod } from '../../client/contract.ts'
import { BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER } from '../../xds/names.ts'
import { ORIGINAL_DST, PROXY_PROTOCOL, tcpProxy } from './filters.ts'
import { memo } from './memo.ts'
import type { MeshConfig } from './mesh-config.ts'
import { opaqueListener, pipeCluster } from './opaque.ts'
import { pipe, toResource, type Resources } from './resource.ts'
import type { Resource } from './snapshot.ts'

const OUTBOUND = 2
const EGRESS = 'egress'

interface Egress {
  CDS: Resources
  LDS: Resources
}

const egressListener = memo(({ egressPipe = '' }: Pod, { allowAny }: MeshConfig): Resource => {
  const cluster = allowAny ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER
  return toResource('LDS', EGRESS, {
    name: EGRESS,
    address: pipe(egressPipe),
    trafficDirection: OUTBOUND,
    useOriginalDst: { value: true },
    listenerFilters: [PROXY_PROTOCOL, ORIGINAL_DST],
    defaultFilterChain: { filters: [tcpProxy(cluster, [{ cluster, weight: 0 }])] },
  })
})

/** Where nothing may leave the mesh, the gateway lets nothing out either, whoever asks. */
export function egressResources(gateway: Pod, pods: ReadonlyMap<string, Pod>, config: MeshConfig): Egress {
  const { CDS, LDS } = podAddresses(pods)
  return { CDS, LDS: new Map([[EGRESS, egressListener(gateway, config)], ...LDS]) }
}

const podAddresses = memo((pods: ReadonlyMap<string, Pod>): Egress => {
  const CDS = new Map<string, Resource>()
  const LDS = new Map<string, Resource>()
  for (const pod of pods.values()) {
    const own = addressesOf(pod)
    for (const [name, resource] of own.CDS) CDS.set(name, resource)
    for (const [name, resource] of own.LDS) LDS.set(name, resource)
  }
  return { CDS, LDS }
})

const addressesOf = memo((pod: Pod): Egress => {
  const CDS = new Map<string, Resource>()
  const LDS = new Map<string, Resource>()
  for (const { containerPort, pipe: path } of pod.transparent === undefined ? [] : pod.ports) {
    if (path === undefined) continue
    const cluster = `pod|${containerPort}|${pod.namespace}|${pod.name}`
    CDS.set(cluster, pipeCluster(cluster, path))
    for (const address of [pod.address, pod.address6]) {
      if (address === undefined) continue
      const listener = opaqueListener(address, containerPort, cluster)
      LDS.set(listener.name, listener)
    }
  }
  return { CDS, LDS }
})
