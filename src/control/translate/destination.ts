/** From a destination of a rule to the name of a cluster. Pure; says nothing about whether that cluster exists. */
import { clusterName } from '../../xds/names.ts'
import { resolveHost } from './hosts.ts'
import type { Service } from './snapshot.ts'
import type { Destination, WeightedDestination } from './spec.ts'

export type ServicesByHost = ReadonlyMap<string, Service>

export interface Weighted {
  cluster: string
  weight: number
}

/** Without a port: the service's only one, or else the port that the request came to. */
function destinationCluster(
  destination: Destination,
  namespace: string,
  port: number,
  services: ServicesByHost,
): string {
  const host = resolveHost(destination.host, namespace)
  const ports = services.get(host)?.ports
  const only = ports?.length === 1 ? ports[0]?.port : undefined
  return clusterName('outbound', destination.port?.number ?? only ?? port, destination.subset ?? '', host)
}

/** A single destination gets everything, whatever its weight; of several those with weight 0 are dropped. */
export function weightedClusters(
  route: readonly WeightedDestination[],
  namespace: string,
  port: number,
  services: ServicesByHost,
): Weighted[] {
  const used = route.length === 1 ? route : route.filter(({ weight }) => (weight ?? 0) > 0)
  return used.map(({ destination, weight }) => ({
    cluster: destinationCluster(destination, namespace, port, services),
    weight: weight ?? 0,
  }))
}
