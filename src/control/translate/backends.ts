/**
 * The pods behind each Service. In: Services and pods. Out: per Service its identities, and per port its endpoints.
 * Proxy-independent, and made anew only when Services or pods change.
 */
import type { Pod, PodPort } from '../../client/contract.ts'
import { memo } from './memo.ts'
import { isServing, podPortOf, selectsPod, type Service } from './snapshot.ts'

export interface Backend {
  pod: Pod
  port: PodPort
}

export interface ServiceBackends {
  /** Sorted SPIFFE paths `ns/NS/sa/SA` of the pods with a sidecar, ready or not: a pod that becomes ready must be known. */
  identities: readonly string[]
  /** By service port; only those that take requests now. */
  byPort: ReadonlyMap<number, readonly Backend[]>
}

export type Backends = ReadonlyMap<Service, ServiceBackends>

/** Whether proxies reach each other through UNIX sockets: a mesh has one way. */
export const usesPipes = memo((pods: ReadonlyMap<string, Pod>): boolean =>
  [...pods.values()].some((pod) => pod.ports.some((port) => port.pipe !== undefined)),
)

export const backendsOf = memo((services: readonly Service[], pods: ReadonlyMap<string, Pod>): Backends => {
  const inOrder = sortedPods(pods)
  return new Map(services.map((service) => [service, serviceBackends(service, inOrder)]))
})

function serviceBackends(service: Service, pods: readonly Pod[]): ServiceBackends {
  const selected = pods.filter((pod) => selectsPod(service, pod))
  const identities = new Set<string>()
  for (const pod of selected) if (pod.sidecar) identities.add(`ns/${pod.namespace}/sa/${pod.serviceAccount}`)
  const byPort = new Map<number, Backend[]>()
  for (const servicePort of service.ports) {
    const backends: Backend[] = []
    for (const pod of selected) {
      const port = isServing(pod) ? podPortOf(servicePort, pod) : undefined
      if (port !== undefined) backends.push({ pod, port })
    }
    byPort.set(servicePort.port, backends)
  }
  return { identities: [...identities].sort(), byPort }
}

/** By namespace and name, whatever order they came in: equal content must give equal bytes. */
function sortedPods(pods: ReadonlyMap<string, Pod>): Pod[] {
  return [...pods.keys()].sort().flatMap((key) => pods.get(key) ?? [])
}
