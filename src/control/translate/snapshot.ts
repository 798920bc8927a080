/**
 * All that a translation may read, frozen: configuration, Services, pods. Built by the registry from the store;
 * one per revision. In: nothing of sockets, time or connections. So a translation is a pure function of it.
 */
import type { Pod, PodPort, Protocol } from '../../client/contract.ts'
import type { MeshObject } from '../../config/object.ts'
import type { Any, XdsType } from '../../xds/type-urls.ts'

export interface ServicePort {
  name: string
  port: number
  /** Number or name, as the Service has it; by default the same as `port`. */
  targetPort: number | string
  protocol: Protocol
}

export interface Service {
  name: string
  namespace: string
  /** `checkout-service.default.svc.cluster.local` */
  host: string
  /** Virtual addresses from 240.240.0.0/16 and 2001:2::/48: given once, kept in the store. */
  address: string
  address6: string
  selector: Record<string, string>
  ports: readonly ServicePort[]
  /** Namespaces that see it: annotation `networking.istio.io/exportTo`; absent: all. */
  exportTo?: readonly string[]
  /** Annotation `pocketmesh.dev/publish`: the port of 127.0.0.1 where browsers reach it. */
  publish?: number
}

/** Does every label of `selector` stand in `labels`? */
export function hasLabels(labels: Record<string, string>, selector: Record<string, string>): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false
  return true
}

/** As in Kubernetes: by label, in the same namespace; an empty selector selects nothing. */
export function selectsPod(service: Service, pod: Pod): boolean {
  if (service.namespace !== pod.namespace) return false
  for (const _ in service.selector) return hasLabels(pod.labels, service.selector)
  return false
}

/** The pod's port behind a service port, by name or number of `targetPort`. */
export function podPortOf(port: ServicePort, pod: Pod): PodPort | undefined {
  const { targetPort } = port
  return pod.ports.find((p) =>
    typeof targetPort === 'number' ? p.containerPort === targetPort : p.name === targetPort,
  )
}

/** May requests be sent to it now? */
export function isServing(pod: Pod): boolean {
  return pod.ready && !pod.terminating
}

export interface ConfigObject extends MeshObject {
  /** Order of creation: the earliest wins where Istio says "oldest". */
  createRevision: number
}

export interface Snapshot {
  revision: number
  trustDomain: string
  rootNamespace: string
  services: readonly Service[]
  /** Key `namespace/name`. */
  pods: ReadonlyMap<string, Pod>
  /** By kind (`VirtualService`, ...), oldest first. */
  objects: ReadonlyMap<string, readonly ConfigObject[]>
}

/** Whom a translation is for. */
export interface Proxy {
  pod: Pod
  /** A proxyless gRPC client (node metadata `GENERATOR: grpc`). */
  grpc: boolean
}

export interface Resource {
  name: string
  /** Hash of the bytes: equal content has an equal version, over restarts too. */
  version: string
  any: Any
}

/** What one proxy is to have, by type and name. */
export type ProxyResources = Readonly<Record<XdsType, ReadonlyMap<string, Resource>>>
