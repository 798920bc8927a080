/**
 * Fields that are read by nobody and still no fault: names for people and for statistics that this proxy does not keep,
 * and what marks a thing without changing what is done with it. In: a message's name and a field. Leaf.
 */

/** `MESSAGE.FIELD`. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'envoy.config.accesslog.v3.AccessLog.name',
  'envoy.config.cluster.v3.Cluster.altStatName',
  'envoy.config.cluster.v3.Cluster.metadata',
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch.name',
  'envoy.config.core.v3.TransportSocket.name',
  'envoy.config.core.v3.TypedExtensionConfig.name',
  'envoy.config.endpoint.v3.ClusterLoadAssignment.clusterName',
  'envoy.config.endpoint.v3.LbEndpoint.metadata',
  'envoy.config.endpoint.v3.LocalityLbEndpoints.locality',
  'envoy.config.listener.v3.Filter.name',
  'envoy.config.listener.v3.FilterChain.metadata',
  'envoy.config.listener.v3.FilterChain.name',
  'envoy.config.listener.v3.Listener.metadata',
  'envoy.config.listener.v3.ListenerFilter.name',
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate.name',
  'envoy.config.route.v3.Route.metadata',
  // there is no other engine
  'envoy.type.matcher.v3.RegexMatcher.googleRe2',
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit.statPrefix',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.statPrefix',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter.name',
  'envoy.extensions.filters.network.rbac.v3.RBAC.statPrefix',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.statPrefix',
])

export function isForPeople(type: string, key: string): boolean {
  return WITHOUT_EFFECT.has(`${type}.${key}`)
}
