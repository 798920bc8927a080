/**
 * Which VirtualService rules which host, for one client. In: all VirtualServices, oldest first. Out: a lookup by host.
 * One VirtualService per host: the oldest; of several patterns the most specific. Only those of the mesh, not of gateways.
 */
import type { Client } from './client.ts'
import { HostMap, isVisible, resolveHost } from './hosts.ts'
import type { ConfigObject } from './snapshot.ts'
import type { HttpRule, TcpRule, VirtualServiceSpec } from './spec.ts'

export interface VirtualService {
  name: string
  namespace: string
  http: readonly HttpRule[]
  tcp: readonly TcpRule[]
}

export function virtualServicesFor(objects: readonly ConfigObject[], client: Client): HostMap<VirtualService> {
  const byHost = new HostMap<VirtualService>()
  for (const { metadata, spec } of objects) {
    const { hosts = [], gateways, exportTo, http = [], tcp = [] } = spec as VirtualServiceSpec
    const inMesh = gateways === undefined || gateways.length === 0 || gateways.includes('mesh')
    if (!inMesh || !isVisible(exportTo, metadata.namespace, client.namespace)) continue
    const virtualService = { name: metadata.name, namespace: metadata.namespace, http, tcp }
    for (const host of hosts) byHost.add(resolveHost(host, metadata.namespace), virtualService)
  }
  return byHost
}
