/**
 * The part of the Envoy v3 API that the two planes speak: message -> fields (names as in the .proto files).
 *
 * In: nothing. Out: the table that `protos.ts` prunes the published schema to. A field that is not here is not
 * compiled, so neither plane can read or write it: adding one is one word in this table.
 * Message types that a field refers to must be listed too; enums come along whole.
 */
export const XDS_FIELDS: Record<string, string> = {
  // discovery service
  'envoy.service.discovery.v3.DiscoveryRequest':
    'version_info node resource_names type_url response_nonce error_detail',
  'envoy.service.discovery.v3.DiscoveryResponse': 'version_info resources type_url nonce control_plane',
  'envoy.service.discovery.v3.DeltaDiscoveryRequest':
    'node type_url resource_names_subscribe resource_names_unsubscribe initial_resource_versions response_nonce error_detail',
  'envoy.service.discovery.v3.DeltaDiscoveryResponse':
    'system_version_info resources type_url removed_resources nonce control_plane',
  'envoy.service.discovery.v3.Resource': 'name aliases version resource',
  'google.rpc.Status': 'code message',
  'google.protobuf.Any': 'type_url value',
  'google.protobuf.Duration': 'seconds nanos',
  'google.protobuf.Struct': 'fields',
  'google.protobuf.Value': 'null_value number_value string_value bool_value struct_value list_value',
  'google.protobuf.ListValue': 'values',
  'google.protobuf.BoolValue': 'value',
  'google.protobuf.UInt32Value': 'value',
  'google.protobuf.UInt64Value': 'value',
  'google.protobuf.DoubleValue': 'value',

  // core
  'envoy.config.core.v3.Node': 'id cluster metadata locality user_agent_name user_agent_version client_features',
  'envoy.config.core.v3.Locality': 'region zone sub_zone',
  'envoy.config.core.v3.ControlPlane': 'identifier',
  'envoy.config.core.v3.Metadata': 'filter_metadata',
  'envoy.config.core.v3.Address': 'socket_address pipe',
  'envoy.config.core.v3.SocketAddress': 'protocol address port_value ipv4_compat',
  'envoy.config.core.v3.Pipe': 'path mode',
  'envoy.config.core.v3.ConfigSource': 'ads resource_api_version',
  'envoy.config.core.v3.AggregatedConfigSource': '',
  'envoy.config.core.v3.TypedExtensionConfig': 'name typed_config',
  'envoy.config.core.v3.TransportSocket': 'name typed_config',
  'envoy.config.core.v3.RuntimeFractionalPercent': 'default_value',
  'envoy.config.core.v3.DataSource': 'filename inline_bytes inline_string',
  'envoy.config.core.v3.HeaderValue': 'key value',
  'envoy.config.core.v3.HeaderValueOption': 'header append append_action',
  'envoy.config.core.v3.TcpKeepalive': 'keepalive_probes keepalive_time keepalive_interval',
  'envoy.config.core.v3.HttpProtocolOptions':
    'idle_timeout max_connection_duration max_headers_count max_stream_duration max_requests_per_connection headers_with_underscores_action',
  'envoy.config.core.v3.Http1ProtocolOptions':
    'allow_absolute_url accept_http_10 default_host_for_http_10 enable_trailers',
  'envoy.config.core.v3.Http2ProtocolOptions':
    'hpack_table_size max_concurrent_streams initial_stream_window_size initial_connection_window_size allow_connect max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream max_inbound_window_update_frames_per_data_frame_sent override_stream_error_on_invalid_http_message connection_keepalive',
  'envoy.config.core.v3.KeepaliveSettings': 'interval timeout',
  'envoy.type.v3.FractionalPercent': 'numerator denominator',
  'envoy.type.v3.Percent': 'value',
  'envoy.type.v3.Int64Range': 'start end',
  'envoy.type.matcher.v3.StringMatcher': 'exact prefix suffix safe_regex contains ignore_case',
  'envoy.type.matcher.v3.RegexMatcher': 'google_re2 regex',
  'envoy.type.matcher.v3.RegexMatcher.GoogleRE2': '',
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': 'pattern substitution',

  // listeners
  'envoy.config.listener.v3.Listener':
    'name address additional_addresses filter_chains use_original_dst default_filter_chain metadata listener_filters listener_filters_timeout continue_on_listener_filters_timeout traffic_direction bind_to_port api_listener per_connection_buffer_limit_bytes tcp_backlog_size',
  'envoy.config.listener.v3.AdditionalAddress': 'address',
  'envoy.config.listener.v3.ApiListener': 'api_listener',
  'envoy.config.listener.v3.FilterChain': 'filter_chain_match filters transport_socket name metadata',
  'envoy.config.listener.v3.FilterChainMatch': 'destination_port server_names transport_protocol application_protocols',
  'envoy.config.listener.v3.Filter': 'name typed_config',
  'envoy.config.listener.v3.ListenerFilter': 'name typed_config',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': '',
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': '',
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': '',
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': '',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy':
    'stat_prefix cluster weighted_clusters idle_timeout access_log',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': 'clusters',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': 'name weight',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager':
    'codec_type stat_prefix rds route_config http_filters tracing common_http_protocol_options http_protocol_options server_name access_log use_remote_address forward_client_cert_details set_current_client_cert_details stream_idle_timeout request_headers_timeout request_timeout drain_timeout delayed_close_timeout max_request_headers_kb generate_request_id http2_protocol_options upgrade_configs normalize_path merge_slashes path_with_escaped_slashes_action',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig':
    'upgrade_type enabled',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing':
    'client_sampling random_sampling overall_sampling',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails':
    'subject uri dns',
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': 'config_source route_config_name',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': 'name typed_config',
  'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit': 'stat_prefix max_connections',
  'envoy.extensions.filters.http.router.v3.Router': '',
  'envoy.config.accesslog.v3.AccessLog': 'name typed_config',
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': 'path log_format',
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': 'log_format',
  'envoy.config.core.v3.SubstitutionFormatString': 'text_format_source json_format',

  // access rules
  'envoy.extensions.filters.http.rbac.v3.RBAC': 'rules',
  'envoy.extensions.filters.network.rbac.v3.RBAC': 'rules stat_prefix',
  'envoy.config.rbac.v3.RBAC': 'action policies',
  'envoy.config.rbac.v3.Policy': 'permissions principals',
  'envoy.config.rbac.v3.Permission': 'and_rules or_rules any header url_path not_rule',
  'envoy.config.rbac.v3.Permission.Set': 'rules',
  'envoy.config.rbac.v3.Principal': 'and_ids or_ids any authenticated direct_remote_ip not_id',
  'envoy.config.rbac.v3.Principal.Set': 'ids',
  'envoy.config.rbac.v3.Principal.Authenticated': 'principal_name',
  'envoy.config.core.v3.CidrRange': 'address_prefix prefix_len',
  'envoy.type.matcher.v3.PathMatcher': 'path',

  // routes
  'envoy.config.route.v3.RouteConfiguration': 'name virtual_hosts ignore_port_in_host_matching',
  'envoy.config.route.v3.VirtualHost': 'name domains routes include_request_attempt_count',
  'envoy.config.route.v3.Route': 'name match route redirect direct_response metadata decorator',
  'envoy.config.route.v3.Decorator': 'operation',
  'envoy.config.route.v3.RouteMatch': 'prefix path safe_regex connect_matcher case_sensitive headers query_parameters',
  'envoy.config.route.v3.RouteMatch.ConnectMatcher': '',
  'envoy.config.route.v3.HeaderMatcher': 'name present_match string_match invert_match treat_missing_header_as_empty',
  'envoy.config.route.v3.QueryParameterMatcher': 'name string_match present_match',
  'envoy.config.route.v3.RouteAction':
    'cluster weighted_clusters timeout idle_timeout max_stream_duration retry_policy max_grpc_timeout upgrade_configs',
  'envoy.config.route.v3.RouteAction.MaxStreamDuration': 'max_stream_duration grpc_timeout_header_max',
  'envoy.config.route.v3.RouteAction.UpgradeConfig': 'upgrade_type enabled connect_config',
  'envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig': '',
  'envoy.config.route.v3.WeightedCluster': 'clusters total_weight',
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': 'name weight',
  'envoy.config.route.v3.RetryPolicy':
    'retry_on num_retries per_try_timeout retry_back_off retriable_status_codes host_selection_retry_max_attempts retry_host_predicate',
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': 'base_interval max_interval',
  'envoy.config.route.v3.RetryPolicy.RetryHostPredicate': 'name typed_config',
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': '',
  'envoy.config.route.v3.RedirectAction':
    'https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite response_code',
  'envoy.config.route.v3.DirectResponseAction': 'status body',

  // clusters and endpoints
  'envoy.config.cluster.v3.Cluster':
    'name type eds_cluster_config connect_timeout lb_policy dns_lookup_family load_assignment circuit_breakers common_lb_config typed_extension_protocol_options upstream_connection_options transport_socket transport_socket_matches metadata alt_stat_name per_connection_buffer_limit_bytes',
  'envoy.config.cluster.v3.Cluster.EdsClusterConfig': 'eds_config service_name',
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch': 'name match transport_socket',
  'envoy.config.cluster.v3.Cluster.CommonLbConfig': 'healthy_panic_threshold',
  'envoy.config.cluster.v3.UpstreamConnectionOptions': 'tcp_keepalive',
  'envoy.config.cluster.v3.CircuitBreakers': 'thresholds',
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds':
    'priority max_connections max_pending_requests max_requests max_retries retry_budget',
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': 'budget_percent min_retry_concurrency',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions':
    'common_http_protocol_options explicit_http_config use_downstream_protocol_config auto_config',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig':
    'http_protocol_options http2_protocol_options',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig':
    'http_protocol_options http2_protocol_options',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig':
    'http_protocol_options http2_protocol_options',
  'envoy.config.endpoint.v3.ClusterLoadAssignment': 'cluster_name endpoints',
  'envoy.config.endpoint.v3.LocalityLbEndpoints': 'locality lb_endpoints load_balancing_weight priority',
  'envoy.config.endpoint.v3.LbEndpoint': 'endpoint health_status metadata load_balancing_weight',
  'envoy.config.endpoint.v3.Endpoint': 'address hostname',

  // TLS
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': '',
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport': 'config transport_socket',
  'envoy.config.core.v3.ProxyProtocolConfig': 'version',
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': 'common_tls_context require_client_certificate',
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': 'common_tls_context sni',
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext':
    'tls_params alpn_protocols tls_certificates tls_certificate_sds_secret_configs validation_context combined_validation_context',
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters':
    'tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves',
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': 'certificate_chain private_key',
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext':
    'default_validation_context validation_context_sds_secret_config',
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext':
    'trusted_ca match_typed_subject_alt_names trust_chain_verification',
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': 'san_type matcher',
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': 'name',

  // a proxy that stands alone
  'envoy.config.bootstrap.v3.Bootstrap': 'node static_resources admin',
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': 'listeners clusters',
  'envoy.config.bootstrap.v3.Admin': 'address',

  // Istio's own messages (istio.proto in this project)
  'istio.v1.auth.IstioCertificateRequest': 'csr validity_duration metadata',
  'istio.v1.auth.IstioCertificateResponse': 'cert_chain',
  'istio.networking.nds.v1.NameTable': 'table',
  'istio.networking.nds.v1.NameTable.NameInfo': 'ips registry shortname namespace alt_hosts',
}
