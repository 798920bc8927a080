/** The registry's view for people and for the supervisor: Services with the endpoints they have now. Pure. */
import type { ServiceList, ServiceView } from '../../client/contract.ts'
import { isServing, podPortOf, selectsPod, type Service, type Snapshot } from '../translate/snapshot.ts'

export function serviceList(snapshot: Snapshot): ServiceList {
  return { revision: snapshot.revision, items: snapshot.services.map((service) => serviceView(service, snapshot)) }
}

function serviceView(service: Service, snapshot: Snapshot): ServiceView {
  const endpoints: ServiceView['endpoints'] = []
  for (const pod of snapshot.pods.values()) {
    if (!isServing(pod) || !selectsPod(service, pod)) continue
    for (const port of service.ports) {
      const behind = podPortOf(port, pod)
      if (behind === undefined) continue
      const { name, namespace, address, sidecar } = pod
      const endpointPort = behind.advertisedPort ?? behind.listenPort
      endpoints.push({ pod: name, namespace, servicePort: port.port, address, port: endpointPort, sidecar })
    }
  }
  return {
    host: service.host,
    name: service.name,
    namespace: service.namespace,
    addresses: [service.address, service.address6],
    selector: service.selector,
    ports: service.ports.map(({ name, port, targetPort, protocol }) => ({ name, port, targetPort, protocol })),
    endpoints,
    ...(service.publish === undefined ? {} : { publish: service.publish }),
  }
}
