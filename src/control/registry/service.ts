/**
 * From a Kubernetes Service to the mesh's. In: the object and its virtual address. Out: a frozen Service, or nothing
 * for an ExternalName, which is a name of the world outside.
 *
 * A headless Service (`clusterIP: None`) is treated as any other: its name resolves to a virtual address, and the
 * caller's sidecar chooses among the ready pods. UDP and SCTP ports are no part of a mesh.
 */
import type { ConfigObject, Service, ServicePort } from '../translate/snapshot.ts'
import { address4, address6 } from './addresses.ts'
import { portProtocol } from './protocol.ts'

/** What is read of a Service's spec. */
interface ServiceSpec {
  type?: string
  selector?: Record<string, string>
  ports?: { name?: string; port: number; targetPort?: number | string; protocol?: string; appProtocol?: string }[]
}

const EXPORT_TO = 'networking.istio.io/exportTo'
const PUBLISH = 'pocketmesh.dev/publish'

/** Is it a Service that gets a virtual address? */
export function isMeshService(object: ConfigObject): boolean {
  return (object.spec as ServiceSpec).type !== 'ExternalName'
}

export function toService(object: ConfigObject, addressNumber: number): Service {
  const spec = object.spec as ServiceSpec
  const { name, namespace, annotations } = object.metadata
  const ports: ServicePort[] = []
  for (const port of spec.ports ?? []) {
    if (port.protocol !== undefined && port.protocol !== 'TCP') continue
    const protocol = portProtocol(port.name ?? '', port.appProtocol, port.port)
    ports.push(
      Object.freeze({ name: port.name ?? '', port: port.port, targetPort: port.targetPort ?? port.port, protocol }),
    )
  }
  const exportTo = annotations[EXPORT_TO]
  const publish = Number(annotations[PUBLISH])
  return Object.freeze({
    name,
    namespace,
    host: `${name}.${namespace}.svc.cluster.local`,
    address: address4(addressNumber),
    address6: address6(addressNumber),
    selector: spec.selector ?? {},
    ports: Object.freeze(ports),
    ...(exportTo === undefined ? {} : { exportTo: exportTo.split(',').map((ns) => ns.trim()) }),
    ...(Number.isInteger(publish) && publish > 0 ? { publish } : {}),
  })
}
