/**
 * NDS: names of Services and their virtual addresses, for one client namespace. `altHosts` are all the other names that
 * resolve for this client; `shortname` alone does so only where it stands among them too.
 */
import { serviceNames } from './routes.ts'
import { toResource, type Resources } from './resource.ts'
import type { Service } from './snapshot.ts'

const NAME_TABLE = 'nds'

export function nameTable(services: readonly Service[], clientNamespace: string): Resources {
  const sorted = [...services].sort((a, b) => (a.host < b.host ? -1 : 1))
  const table = Object.fromEntries(
    sorted.map((service) => {
      const { host, name: shortname, namespace, address, address6 } = service
      const altHosts = serviceNames(service, clientNamespace).filter((name) => name !== host && name !== `${host}.`)
      return [host, { ips: [address, address6], registry: 'Kubernetes', shortname, namespace, altHosts }]
    }),
  )
  return new Map([[NAME_TABLE, toResource('NDS', NAME_TABLE, { table })]])
}
