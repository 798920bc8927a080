/**
 * Which VirtualService rules which host, for one client. In: all VirtualServices, oldest first. Out: a lookup by host.
 * One VirtualService per host: the oldest; of several patterns the most specific. Only those of the mesh, not of gateways.
 */
import type { Client } from './client.ts'
import { HostMap, isVisible, resolveHost } from './hosts.ts'
import type { ConfigObject } from './snapshot.ts'
import type { HttpRule, TcpRule, TlsRule, VirtualServiceSpec } from './spec.ts'

export interface VirtualService {
  /** Of this state of the object: what was made of one id holds for it. */
  id: number
  name: string
  namespace: string
  http: readonly HttpRule[]
  tcp: readonly TcpRule[]
  tls: readonly TlsRule[]
}

export function virtualServicesFor(objects: readonly ConfigObject[], client: Client): HostMap<VirtualService> {
  const byHost = new HostMap<VirtualService>()
  for (const object of objects) {
    const { metadata, spec } = object
    const { hosts = [], gateways, exportTo, http = [], tcp = [], tls = [] } = spec as VirtualServiceSpec
    const inMesh = gateways === undefined || gateways.length === 0 || gateways.includes('mesh')
    if (!inMesh || !isVisible(exportTo, metadata.namespace, client.namespace)) continue
    const virtualService = { id: idOf(object), name: metadata.name, namespace: metadata.namespace, http, tcp, tls }
    for (const host of hosts) byHost.add(resolveHost(host, metadata.namespace), virtualService)
  }
  return byHost
}

const ids = new WeakMap<ConfigObject, number>()
let lastId = 0

function idOf(object: ConfigObject): number {
  let id = ids.get(object)
  if (id === undefined) ids.set(object, (id = ++lastId))
  return id
}
