/**
 * EDS: the endpoints of each outbound cluster, for one client. In: Services, the pods behind them, subsets, mTLS modes.
 * Out: a ClusterLoadAssignment per cluster, empty where nothing is ready, so that no cluster waits for one.
 */
import type { envoy } from '../../xds/generated/xds.js'
import { clusterName, ISTIO_METADATA, TLS_MODE_LABEL, TRANSPORT_SOCKET_MATCH } from '../../xds/names.ts'
import type { MtlsModes } from './authn.ts'
import type { Backend, Backends } from './backends.ts'
import type { DestinationRules } from './destination-rule.ts'
import { ContentCache } from './memo.ts'
import { pipe, socketAddress, struct, toResource, type ClusterLoadAssignment, type Resources } from './resource.ts'
import { hasLabels, type Resource, type Service } from './snapshot.ts'

type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint

interface Endpoint {
  address: string
  port: number
  /** UNIX socket, in place of address and port. */
  path?: string
  mutualTls: boolean
  /** `workload;namespace;canonical name;canonical revision;cluster`. */
  workload: string
}

const CLUSTER_ID = 'Kubernetes'
const made = new ContentCache<Resource>()

export function endpointResources(
  services: readonly Service[],
  backends: Backends,
  rules: DestinationRules,
  modes: MtlsModes,
  proxyless: boolean,
): Resources {
  const resources = new Map<string, Resource>()
  for (const service of services) {
    const subsets = [{ name: '', labels: {} }, ...(rules.lookup(service)?.subsets ?? [])]
    for (const { port } of service.ports) {
      const all = backends.get(service)?.byPort.get(port) ?? []
      for (const subset of subsets) {
        const name = clusterName('outbound', port, subset.name, service.host)
        const endpoints = all
          .filter((b) => hasLabels(b.pod.labels, subset.labels ?? {}))
          .map((b) => endpointOf(b, modes, proxyless))
        const content = JSON.stringify(endpoints)
        resources.set(
          name,
          made.get(service, proxyless ? `grpc ${name}` : name, content, () =>
            toResource('EDS', name, loadAssignment(name, endpoints)),
          ),
        )
      }
    }
  }
  return resources
}

/** Through a pipe where the pod has one; the gRPC library knows no pipes. */
function endpointOf({ pod, port }: Backend, modes: MtlsModes, proxyless: boolean): Endpoint {
  const { labels } = pod
  const canonicalName = labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels['app']
  const canonicalRevision =
    labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels['version']
  const path = proxyless ? undefined : (port.advertisedPipe ?? port.pipe)
  return {
    address: pod.address,
    port: port.advertisedPort ?? port.listenPort,
    ...(path === undefined ? {} : { path }),
    mutualTls: pod.sidecar && modes.modeOf(pod, port.containerPort) !== 'DISABLE',
    workload: [
      pod.workload,
      pod.namespace,
      canonicalName ?? pod.workload,
      canonicalRevision ?? 'latest',
      CLUSTER_ID,
    ].join(';'),
  }
}

/** One locality, weighted: the gRPC library skips localities without a weight. */
function loadAssignment(clusterName: string, endpoints: readonly Endpoint[]): ClusterLoadAssignment {
  if (endpoints.length === 0) return { clusterName }
  const lbEndpoints = endpoints.map(lbEndpoint)
  return { clusterName, endpoints: [{ locality: {}, lbEndpoints, loadBalancingWeight: { value: lbEndpoints.length } }] }
}

function lbEndpoint({ address, port, path, mutualTls, workload }: Endpoint): LbEndpoint {
  return {
    endpoint: { address: path === undefined ? socketAddress(address, port) : pipe(path) },
    metadata: {
      filterMetadata: {
        ...(mutualTls ? { [TRANSPORT_SOCKET_MATCH]: struct({ [TLS_MODE_LABEL]: 'istio' }) } : {}),
        [ISTIO_METADATA]: struct({ workload }),
      },
    },
    loadBalancingWeight: { value: 1 },
  }
}
