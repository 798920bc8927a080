/**
 * What a proxy in a pod's own network (mode `ns`) has in place of the loopback ports of mode `env`: one listener for all
 * that the program sends, on every captured port, and the way out of the mesh through the gateway's UNIX socket. Pure.
 * The local address of a connection is its original destination (Envoy: use_original_dst).
 */
import type { Pod, PodTransparent } from '../../client/contract.ts'
import { BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER, VIRTUAL_OUTBOUND } from '../../xds/names.ts'
import { capturedPorts } from './captured-ports.ts'
import { ORIGINAL_DST, tcpProxy } from './filters.ts'
import { ContentCache, memo } from './memo.ts'
import { pipeCluster } from './opaque.ts'
import { anyAddress, toResource, type Resources } from './resource.ts'
import type { Resource, Service } from './snapshot.ts'
import { httpOptions } from './upstream-http.ts'

const OUTBOUND = 2
/** Istio's port of virtualOutbound: nobody calls it, but people look for it. */
const VIRTUAL_OUTBOUND_PORT = 15001

const made = new ContentCache<Resource>()

/** `services`: those that the pod sees. */
export function captureListener(pod: Pod, services: readonly Service[], allowAny: boolean): Resources {
  const ports = capturedPorts(services, pod.transparent?.includePorts ?? [])
  const cluster = allowAny ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER
  const resource = made.get(pod, VIRTUAL_OUTBOUND, `${cluster} ${ports.join(' ')}`, () =>
    toResource('LDS', VIRTUAL_OUTBOUND, {
      name: VIRTUAL_OUTBOUND,
      address: anyAddress(VIRTUAL_OUTBOUND_PORT),
      additionalAddresses: ports.map((port) => ({ address: anyAddress(port) })),
      trafficDirection: OUTBOUND,
      useOriginalDst: { value: true },
      listenerFilters: [ORIGINAL_DST],
      defaultFilterChain: {
        name: 'virtualOutbound-catchall-tcp',
        filters: [tcpProxy(cluster, [{ cluster, weight: 0 }])],
      },
    }),
  )
  return new Map([[VIRTUAL_OUTBOUND, resource]])
}

/** Where connections go that no Service is for: to the gateway, which goes where their header says. */
export const passthroughByPipe = memo(({ egressPipe }: PodTransparent): Resource =>
  pipeCluster(PASSTHROUGH_CLUSTER, egressPipe, httpOptions('client')),
)
