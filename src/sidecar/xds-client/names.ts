/**
 * Names by which programs of this pod call services. In: Istio's name table (NDS). Out: lower-case name -> addresses,
 * short forms included, as the search list of a Kubernetes pod has them: NS.svc.DOMAIN, svc.DOMAIN, DOMAIN.
 */
import type { istio } from '../../xds/generated/xds.js'

/** Full names win over short ones; `svc` alone works in its own namespace only. */
export function expandNames(table: istio.networking.nds.v1.NameTable, namespace: string): Map<string, string[]> {
  const names = new Map<string, string[]>()
  const short = new Map<string, string[]>()
  for (const [host, info] of Object.entries(table.table ?? {})) {
    const addresses = info.ips ?? []
    if (addresses.length === 0) continue
    for (const name of [host, ...(info.altHosts ?? [])]) names.set(name.toLowerCase(), addresses)
    const [service, ns, svc, ...domain] = host.toLowerCase().split('.')
    if (service === undefined || ns === undefined || svc !== 'svc' || domain.length === 0) continue
    short.set(`${service}.${ns}`, addresses)
    short.set(`${service}.${ns}.svc`, addresses)
    if (ns === namespace) short.set(service, addresses)
  }
  for (const [name, addresses] of short) if (!names.has(name)) names.set(name, addresses)
  return names
}
