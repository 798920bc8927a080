/**
 * Istio's metric labels of one exchange, as strings. Cold: runs once per new series, never per request.
 * Source: istio.io "Istio Standard Metrics"; empty values are `unknown`, no response flags are `-`.
 */
import type { Exchange } from '../exchange.ts'
import type { Workload } from '../workload.ts'

export type Labels = Readonly<Record<string, string>>

const UNKNOWN = 'unknown'

/** `ownPrincipal` is the SPIFFE ID of the sidecar that reports. */
export function httpLabels(x: Exchange, ownPrincipal: string): Labels {
  const { response_flags, ...common } = commonLabels(x, ownPrincipal)
  return { ...common, response_code: String(x.responseCode), response_flags, grpc_response_status: x.grpcStatus }
}

/** The TCP series lack response_code and grpc_response_status. */
export function tcpLabels(x: Exchange, ownPrincipal: string): Labels {
  return commonLabels(x, ownPrincipal)
}

function commonLabels(x: Exchange, ownPrincipal: string): Record<string, string> & { response_flags: string } {
  const own = x.mutualTls ? ownPrincipal : ''
  const sourcePrincipal = x.inbound ? x.downstreamPrincipal : own
  const destinationPrincipal = x.inbound ? own : x.upstreamPrincipal
  return {
    reporter: x.inbound ? 'destination' : 'source',
    ...workloadLabels('source', x.source, sourcePrincipal),
    ...workloadLabels('destination', x.destination, destinationPrincipal),
    ...serviceLabels(x),
    request_protocol: x.protocol,
    response_flags: orElse(x.responseFlags, '-'),
    connection_security_policy: securityPolicy(x),
  }
}

/** Only the receiving side knows what the caller really used; Istio's sources say `unknown`. */
function securityPolicy(x: Exchange): string {
  if (!x.inbound) return UNKNOWN
  return x.mutualTls ? 'mutual_tls' : 'none'
}

function workloadLabels(side: 'source' | 'destination', workload: Workload, principal: string): Record<string, string> {
  return {
    [`${side}_workload`]: orElse(workload.workload),
    [`${side}_workload_namespace`]: orElse(workload.namespace),
    [`${side}_principal`]: orElse(principal),
    [`${side}_app`]: orElse(workload.app),
    [`${side}_version`]: orElse(workload.version),
    [`${side}_cluster`]: orElse(workload.cluster),
    [`${side}_canonical_service`]: orElse(workload.canonicalService),
    [`${side}_canonical_revision`]: orElse(workload.canonicalRevision),
  }
}

function serviceLabels(x: Exchange): Record<string, string> {
  const host = x.destinationService
  if (host === '') {
    // PassthroughCluster, BlackHoleCluster: Istio names the cluster; the host itself would be a label without bound
    const name = x.clusterName.includes('|') ? '' : x.clusterName
    return named(UNKNOWN, orElse(name), orElse(x.destination.namespace))
  }
  const [name = '', namespace = '', svc] = host.split('.')
  return svc === 'svc' ? named(host, name, namespace) : named(host, host, orElse(x.destination.namespace))
}

function named(service: string, name: string, namespace: string): Record<string, string> {
  return { destination_service: service, destination_service_name: name, destination_service_namespace: namespace }
}

function orElse(value: string, otherwise = UNKNOWN): string {
  return value === '' ? otherwise : value
}
