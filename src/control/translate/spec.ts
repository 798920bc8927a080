/** Names for the parts of the specs that translation reads. The fields themselves stand in config/kinds. Types only. */
import type { AuthorizationPolicySpec } from '../../config/kinds/authorization-policy.ts'
import type { DestinationRuleSpec } from '../../config/kinds/destination-rule.ts'
import type { PeerAuthenticationSpec } from '../../config/kinds/peer-authentication.ts'
import type { VirtualServiceSpec } from '../../config/kinds/virtual-service.ts'

export type { MeshPolicySpec } from '../../config/kinds/mesh-policy.ts'
export type { AuthorizationPolicySpec, DestinationRuleSpec, PeerAuthenticationSpec, VirtualServiceSpec }

export type HttpRule = NonNullable<VirtualServiceSpec['http']>[number]
export type HttpMatch = NonNullable<HttpRule['match']>[number]
export type StringMatch = NonNullable<HttpMatch['uri']>
export type HttpRedirect = NonNullable<HttpRule['redirect']>
export type HttpRetry = NonNullable<HttpRule['retries']>
export type TcpRule = NonNullable<VirtualServiceSpec['tcp']>[number]
export type TlsRule = NonNullable<VirtualServiceSpec['tls']>[number]
export type WeightedDestination = TcpRule['route'][number]
export type Destination = WeightedDestination['destination']

/** By whom and where a rule is used: known when a proxy's configuration is built, so never looked at per request. */
export type SourceMatch = Pick<HttpMatch, 'port' | 'gateways' | 'sourceLabels' | 'sourceNamespace'>

export type TrafficPolicy = NonNullable<DestinationRuleSpec['trafficPolicy']>
/** What a subset or a port may set for itself. */
export type TrafficBlocks = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool' | 'tls'>
export type Subset = NonNullable<DestinationRuleSpec['subsets']>[number]
export type ConnectionPool = NonNullable<TrafficPolicy['connectionPool']>
export type HttpPool = NonNullable<ConnectionPool['http']>
export type ClientTls = NonNullable<TrafficPolicy['tls']>

export type AuthorizationRule = NonNullable<AuthorizationPolicySpec['rules']>[number]
export type AuthorizationSource = NonNullable<AuthorizationRule['from']>[number]['source']
export type AuthorizationOperation = NonNullable<AuthorizationRule['to']>[number]['operation']

export type MtlsMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE'
export type PeerMode = NonNullable<NonNullable<PeerAuthenticationSpec['mtls']>['mode']>
