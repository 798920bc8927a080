/** What to write instead of a field that Envoy has and this proxy has not, where there is something. Leaf. */

const CORE = 'envoy.config'
const TLS = 'envoy.extensions.transport_sockets.tls.v3'
const HTTP_OPTIONS = 'give typed_extension_protocol_options with explicit_http_config'
const BY_TEXT = 'use string_match'
const DNS = 'names are resolved when a connection is made; leave it out'
const LIMITS = 'limits stand in listeners and clusters'
const STATISTICS = 'statistics are read from the admin interface, at /stats and /stats/prometheus'

/** `MESSAGE.FIELD`, as the API writes it. */
const REMEDIES: Readonly<Record<string, string>> = {
  [`${CORE}.bootstrap.v3.Admin.access_log`]: 'its requests are not logged; leave it out',
  [`${CORE}.bootstrap.v3.Admin.access_log_path`]: 'its requests are not logged; leave it out',
  [`${CORE}.bootstrap.v3.Bootstrap.dynamic_resources`]: 'listeners and clusters stand in static_resources',
  [`${CORE}.bootstrap.v3.Bootstrap.layered_runtime`]: LIMITS,
  [`${CORE}.bootstrap.v3.Bootstrap.overload_manager`]: LIMITS,
  [`${CORE}.bootstrap.v3.Bootstrap.stats_sinks`]: STATISTICS,
  [`${CORE}.bootstrap.v3.Bootstrap.stats_flush_interval`]: STATISTICS,
  [`${CORE}.bootstrap.v3.Bootstrap.StaticResources.secrets`]: 'name certificate files by tls_certificates',
  [`${CORE}.cluster.v3.Cluster.dns_refresh_rate`]: DNS,
  [`${CORE}.cluster.v3.Cluster.respect_dns_ttl`]: DNS,
  [`${CORE}.cluster.v3.Cluster.http_protocol_options`]: HTTP_OPTIONS,
  [`${CORE}.cluster.v3.Cluster.http2_protocol_options`]: HTTP_OPTIONS,
  [`${CORE}.listener.v3.Listener.enable_reuse_port`]: 'one process serves with one thread; leave it out',
  [`${CORE}.route.v3.HeaderMatcher.exact_match`]: BY_TEXT,
  [`${CORE}.route.v3.HeaderMatcher.prefix_match`]: BY_TEXT,
  [`${CORE}.route.v3.HeaderMatcher.suffix_match`]: BY_TEXT,
  [`${CORE}.route.v3.HeaderMatcher.contains_match`]: BY_TEXT,
  [`${CORE}.route.v3.HeaderMatcher.safe_regex_match`]: BY_TEXT,
  [`${CORE}.route.v3.VirtualHost.retry_policy`]: 'give it to each route',
  [`${CORE}.route.v3.WeightedCluster.total_weight`]: 'it is what the weights add up to; leave it out',
  [`${TLS}.CertificateValidationContext.match_subject_alt_names`]: 'use match_typed_subject_alt_names',
  [`${TLS}.CommonTlsContext.combined_validation_context`]: 'use validation_context',
  [`${TLS}.CommonTlsContext.tls_certificate_sds_secret_configs`]:
    'name certificate files by tls_certificates; they are read again when they change',
}

/** `field` in snake case. */
export function notSupported(type: string, field: string): string {
  const remedy = REMEDIES[`${type}.${field}`]
  return remedy === undefined ? 'not supported' : `not supported: ${remedy}`
}
