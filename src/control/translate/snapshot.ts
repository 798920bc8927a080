/**
 * All that a translation may read, frozen: configuration, Services, pods. Built by the registry from the store;
 * one per revision. In: nothing of sockets, time or connections. So a translation is a pure function of it.
 */
import type { Pod, Protocol } from '../../client/contract.ts'
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
