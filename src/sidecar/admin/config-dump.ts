/**
 * The accepted configuration in the form of Envoy's /config_dump (admin.v3.ConfigDump), as proto3 JSON.
 * Keys never stand in it: certificates are named by SDS secret only. Loaded lazily, with the whole schema.
 */
import { resourceToJson } from '../../xds/json.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { Held } from '../xds-client/snapshot.ts'

export const DUMP_SECTIONS = ['clusters', 'endpoints', 'listeners', 'routes'] as const
export type DumpSection = (typeof DUMP_SECTIONS)[number]

const dumpType = (name: string): string => `type.googleapis.com/envoy.admin.v3.${name}`

/** Per section: the message, the list in it, and how one resource stands in that list. */
const FORM: Record<DumpSection, [XdsType, string, string, (held: Held) => unknown]> = {
  clusters: [
    'CDS',
    'ClustersConfigDump',
    'dynamicActiveClusters',
    (h) => ({ versionInfo: h.version, cluster: resourceToJson(h.any) }),
  ],
  endpoints: [
    'EDS',
    'EndpointsConfigDump',
    'dynamicEndpointConfigs',
    (h) => ({ versionInfo: h.version, endpointConfig: resourceToJson(h.any) }),
  ],
  listeners: [
    'LDS',
    'ListenersConfigDump',
    'dynamicListeners',
    (h) => ({ name: h.name, activeState: { versionInfo: h.version, listener: resourceToJson(h.any) } }),
  ],
  routes: [
    'RDS',
    'RoutesConfigDump',
    'dynamicRouteConfigs',
    (h) => ({ versionInfo: h.version, routeConfig: resourceToJson(h.any) }),
  ],
}

/** All of `sections`, resources by name. */
export function configDump(
  held: (type: XdsType) => Iterable<Held>,
  sections: readonly DumpSection[],
): { configs: unknown[] } {
  const configs = sections.map((section) => {
    const [type, message, list, form] = FORM[section]
    const resources = [...held(type)].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    return { '@type': dumpType(message), [list]: resources.map(form) }
  })
  return { configs }
}
