/** Small stand-ins for translated resources. */
import type { ProxyResources, Resource } from '../../../src/control/translate/snapshot.ts'
import { TYPE_URL, XDS_TYPES, type XdsType } from '../../../src/xds/type-urls.ts'

/** Name -> version, as resources without content. */
export function resources(versions: Record<string, string>): Map<string, Resource> {
  const entries = Object.entries(versions).map(([name, version]): [string, Resource] => [
    name,
    { name, version, any: { typeUrl: TYPE_URL.CDS, value: new Uint8Array(0) } },
  ])
  return new Map(entries)
}

/** All five types; those not given are empty. */
export function proxyResources(byType: Partial<Record<XdsType, Record<string, string>>>): ProxyResources {
  const out: Partial<Record<XdsType, Map<string, Resource>>> = {}
  for (const type of XDS_TYPES) out[type] = resources(byType[type] ?? {})
  return out as ProxyResources
}
