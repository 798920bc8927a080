/** Filters of a listener to objects. In: decoded xDS. Out: filters in order; throws an Error for one that is not known. */
import type { envoy } from '../../xds/generated/xds.js'
import { EXTENSION, typedConfigOf, unpack } from '../../xds/type-urls.ts'
import type { HttpFilter, NetworkFilter } from './chain.ts'
import { RbacFilter } from './rbac.ts'

type XdsHttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter
type XdsNetworkFilter = envoy.config.listener.v3.Filter

/** Up to the router, which is what the stream does by itself. */
export function compileHttpFilters(filters: readonly XdsHttpFilter[]): HttpFilter[] {
  const compiled: HttpFilter[] = []
  for (const filter of filters) {
    const config = typedConfigOf('HTTP filter', filter)
    if (config.typeUrl === EXTENSION.router[0]) break
    const rbac = unpack(EXTENSION.httpRbac, config)
    if (rbac === undefined) throw new Error(`HTTP filter ${config.typeUrl ?? ''} is not supported`)
    if (rbac.rules) compiled.push(new RbacFilter(rbac.rules))
  }
  return compiled
}

/** `undefined`: it is none of those that stand before the one that ends the chain. `null`: it has nothing to do. */
export function compileNetworkFilter({ typedConfig }: XdsNetworkFilter): NetworkFilter | null | undefined {
  const rbac = unpack(EXTENSION.networkRbac, typedConfig)
  if (rbac === undefined) return undefined
  return rbac.rules ? new RbacFilter(rbac.rules) : null
}
