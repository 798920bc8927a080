/** A bootstrap file as text: what is read, what is refused, and where. */
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { checkBootstrap } from '../../../src/sidecar/standalone/check.ts'
import { faultText } from '../../../src/sidecar/standalone/fault.ts'
import { bootstrap, cluster, httpListener, TYPE } from './rig.ts'

type Json = Record<string, unknown>

const faultsOf = (text: string): string[] =>
  checkBootstrap(text).faults.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))

const good = (): Json => bootstrap([httpListener('in', 'app')], [cluster('app', 8080)])
const MANAGER = 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config'
const CLUSTER = 'static_resources.clusters[0]'

t.test('one bootstrap in three spellings is the same', (t) => {
  const snake = JSON.stringify(good())
  const camel = snake.replaceAll(/"([a-z]+(?:_[a-z]+)+)":/g, (_, name: string) => {
    return `"${name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())}":`
  })
  const yaml = `
admin: { address: &here { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
    - name: in
      address: *here
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": ${TYPE.manager}
                stat_prefix: in
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: app } }] }
                http_filters: [{ name: router, typed_config: { "@type": ${TYPE.router} } }]
  clusters:
    - name: app
      connect_timeout: 2s
      load_assignment:
        cluster_name: app
        endpoints:
          - lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8080 } } } }]
`
  const expected = checkBootstrap(snake)
  t.same(expected.faults, [])
  t.same(checkBootstrap(camel), expected)
  t.same(checkBootstrap(yaml), expected)
  t.end()
})

t.test('values of every kind are read as proto3 JSON has them', (t) => {
  const text = JSON.stringify(
    bootstrap(
      [
        httpListener(
          'in',
          'app',
          {},
          {
            codec_type: 1,
            stream_idle_timeout: '1.25s',
            generate_request_id: false,
            max_request_headers_kb: '32',
            forward_client_cert_details: 'SANITIZE',
          },
        ),
      ],
      [
        cluster('app', 8080, {
          type: 'STRICT_DNS',
          lb_policy: 'RANDOM',
          metadata: { filter_metadata: { a: { b: [1, null] } } },
        }),
      ],
    ),
  )
  const { bootstrap: read, faults } = checkBootstrap(text)
  t.same(faults, [])
  t.match(read?.clusters[0], { type: 1, lbPolicy: 3, connectTimeout: { seconds: 2, nanos: 0 } })
  t.same(read?.clusters[0]?.metadata?.filterMetadata?.['a']?.fields?.['b']?.listValue?.values, [
    { numberValue: 1 },
    { nullValue: 0 },
  ])
  t.end()
})

/** What is put where, and what is said of it. */
const REFUSALS: [string, (config: Json) => void, RegExp][] = [
  [
    'a mistyped field',
    (c) => (c['static_resource'] = {}),
    /^static_resource: there is no such field; did you mean "static_resources"\?$/,
  ],
  [
    'a field that Envoy has and we have not',
    (c) => (c['layered_runtime'] = {}),
    /^layered_runtime: not supported: limits stand in listeners and clusters$/,
  ],
  [
    'the same in an extension',
    (c) => (manager(c)['server_header_transformation'] = 'PASS_THROUGH'),
    at(MANAGER, '.server_header_transformation: not supported'),
  ],
  [
    'a field that is compiled for the mesh and that nobody reads',
    (c) => (manager(c)['set_current_client_cert_details'] = { uri: true }),
    at(MANAGER, '.set_current_client_cert_details: not supported'),
  ],
  [
    'a field with a younger one beside it',
    (c) => (route(c)['match'] = { prefix: '/', headers: [{ name: 'x', exact_match: 'y' }] }),
    /exact_match: not supported: use string_match$/,
  ],
  [
    'the other value of a field that is honoured with one',
    (c) => (manager(c)['use_remote_address'] = true),
    at(MANAGER, '.use_remote_address: not supported: x-forwarded-for goes on as it came'),
  ],
  [
    'a second threshold',
    (c) => (first(c, 'clusters')['circuit_breakers'] = { thresholds: [{ priority: 'HIGH', max_requests: 1 }] }),
    at(CLUSTER, '.circuit_breakers.thresholds[0].max_requests: not supported'),
  ],
  [
    'an enum',
    (c) => (manager(c)['codec_type'] = 'HTTP9'),
    at(MANAGER, '.codec_type: must be one of AUTO, HTTP1, HTTP2, HTTP3'),
  ],
  [
    'an enum that we cannot do',
    (c) => (manager(c)['codec_type'] = 'HTTP3'),
    at(MANAGER, '.codec_type: HTTP/3 is not supported'),
  ],
  [
    'a name for callers where there are none',
    (c) => (manager(c)['forward_client_cert_details'] = 'SANITIZE_SET'),
    at(MANAGER, '.forward_client_cert_details: callers are told of by inbound listeners only'),
  ],
  [
    'a duration',
    (c) => (manager(c)['request_timeout'] = 5),
    at(MANAGER, '.request_timeout: must be a duration in seconds, as "1.5s"'),
  ],
  [
    'a number as a text',
    (c) => (manager(c)['stat_prefix'] = 7),
    at(MANAGER, '.stat_prefix: must be a text: put it in quotes'),
  ],
  ['a map for a list', (c) => (manager(c)['http_filters'] = {}), at(MANAGER, '.http_filters: must be a list')],
  [
    'an unknown extension',
    (c) => (manager(c)['@type'] = TYPE.manager.replace('Manager', 'Manger')),
    /filters\[0\]\.typed_config\.@type: type .* is not supported; did you mean ".*HttpConnectionManager"\?/,
  ],
  ['an extension without a type', (c) => delete manager(c)['@type'], at(MANAGER, ': must be a map with "@type"')],
  [
    'two of a oneof',
    (c) => (route(c)['match'] = { prefix: '/', path: '/x' }),
    /routes\[0\]\.match\.path: stands beside prefix: only one of them may be given/,
  ],
  [
    'a cluster that is not there',
    (c) => (route(c)['route'] = { cluster: 'ap' }),
    /routes\[0\]\.route\.cluster: there is no cluster "ap"; did you mean "app"\?/,
  ],
  [
    'RDS',
    (c) => {
      delete manager(c)['route_config']
      manager(c)['rds'] = { route_config_name: 'x', config_source: { ads: {} } }
    },
    at(MANAGER, '.rds.route_config_name: RDS needs a control plane; give the routes as route_config'),
  ],
  [
    'EDS',
    (c) => (first(c, 'clusters')['type'] = 'EDS'),
    at(CLUSTER, '.type: EDS needs a control plane; name the endpoints in load_assignment'),
  ],
  [
    'a port',
    (c) => (first(c, 'listeners')['address'] = { socket_address: { address: '127.0.0.1', port_value: 70_000 } }),
    /^static_resources\.listeners\[0\]\.address\.socket_address\.port_value: must be at most 65535$/,
  ],
  [
    'UDP',
    (c) =>
      (first(c, 'listeners')['address'] = {
        socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: 53 },
      }),
    /UDP is not supported/,
  ],
  [
    'two clusters of a name',
    (c) => list(c, 'clusters').push(cluster('app', 1)),
    /^static_resources\.clusters\[1\]: the name "app" stands twice$/,
  ],
  ['no listeners', (c) => (list(c, 'listeners').length = 0), /static_resources\.listeners is empty/],
  [
    'a node id for a header field',
    (c) => (c['node'] = { id: 'a\r\nb' }),
    /^node\.id: must be visible ASCII characters$/,
  ],
  [
    'the mesh’s identity',
    (c) =>
      Object.assign(first(c, 'clusters'), {
        transport_socket: { name: 'tls', typed_config: { '@type': TYPE.upstreamTls, sni: 'x' } },
      }),
    at(CLUSTER, ".transport_socket: a TLS context without certificate files is the mesh's"),
  ],
  [
    'a server that anybody could be',
    (c) => upstreamTls(c, { tls_params: {} }),
    /without validation_context\.trusted_ca anybody could answer/,
  ],
  [
    'TLS 1.1',
    (c) => upstreamTls(c, { tls_params: { tls_minimum_protocol_version: 'TLSv1_1' } }),
    /tls_minimum_protocol_version: TLS below version 1\.2 is not supported/,
  ],
  [
    'a weak cipher suite',
    (c) => upstreamTls(c, { tls_params: { cipher_suites: ['AES128-SHA'] } }),
    /cipher_suites\[0\]: cipher suite AES128-SHA is not supported; there are TLS_AES_128_GCM_SHA256/,
  ],
  [
    'a file that is not there',
    (c) => upstreamTls(c, { validation_context: { trusted_ca: { filename: '/nowhere/ca.pem' } } }),
    at(CLUSTER, '.transport_socket: /nowhere/ca.pem: ENOENT: no such file or directory'),
  ],
]

const RETRIES = (more: Json): Json => ({ cluster: 'app', retry_policy: { retry_on: '5xx', ...more } })
const logText = (text: string): Json => ({ text_format_source: { inline_string: text } })
const hosts = (c: Json): Json[] => (manager(c)['route_config'] as { virtual_hosts: Json[] }).virtual_hosts
const answer = (c: Json, direct: Json): unknown =>
  Object.assign(route(c), { route: undefined, direct_response: direct })
const redirect = (c: Json, to: Json): unknown => Object.assign(route(c), { route: undefined, redirect: to })

/** What would otherwise be taken, and mean nothing, or something else. */
const NOT_IN_SILENCE: typeof REFUSALS = [
  [
    'TLS by its name alone, of a cluster',
    (c) => (first(c, 'clusters')['transport_socket'] = { name: 'envoy.transport_sockets.tls' }),
    at(CLUSTER, '.transport_socket.name: transport socket "envoy.transport_sockets.tls" says nothing by its name'),
  ],
  [
    'TLS by its name alone, of a chain',
    (c) => (chain(c)['transport_socket'] = { name: 'envoy.transport_sockets.tls' }),
    /filter_chains\[0\]\.transport_socket\.name: .*it needs a typed_config with "@type"$/,
  ],
  [
    'a filter by its name alone',
    (c) => (manager(c)['http_filters'] = [{ name: 'envoy.filters.http.router' }]),
    at(MANAGER, '.http_filters[0].name: HTTP filter "envoy.filters.http.router" says nothing by its name'),
  ],
  [
    'a listener filter by its name alone',
    (c) => (first(c, 'listeners')['listener_filters'] = [{ name: 'envoy.filters.listener.tls_inspector' }]),
    /listener_filters\[0\]\.name: .* says nothing by its name/,
  ],
  [
    'an HTTP filter among listener filters',
    (c) => (first(c, 'listeners')['listener_filters'] = [{ name: 'x', typed_config: { '@type': TYPE.router } }]),
    /listener_filters\[0\]\.typed_config: listener filter .*Router is not supported$/,
  ],
  [
    'a condition of retries',
    (c) => (route(c)['route'] = RETRIES({ retry_on: '5xx,unavailable, cancelled' })),
    /retry_on: "unavailable, cancelled" is not supported; there are 5xx, gateway-error/,
  ],
  [
    'a predicate of hosts by its name',
    (c) => (route(c)['route'] = RETRIES({ retry_host_predicate: [{ name: 'omit_canary_hosts' }] })),
    /retry_host_predicate\[0\]\.name: .* says nothing by its name/,
  ],
  ['a status', (c) => answer(c, { status: 99 }), /direct_response\.status: must be at least 200 and less than 600$/],
  ['no status', (c) => answer(c, {}), /direct_response\.status: is missing: must be at least 200/],
  [
    'a body where there can be none',
    (c) => answer(c, { status: 204, body: { inline_string: 'x' } }),
    /direct_response\.body: an answer with status 204 has no body$/,
  ],
  [
    'a header that no line tells of',
    (c) =>
      (manager(c)['access_log'] = [
        { typed_config: { '@type': TYPE.fileLog, path: '/x', log_format: logText('%REQ(X-OTHER)%') } },
      ]),
    at(MANAGER, '.access_log[0].typed_config.log_format.text_format_source.inline_string: %REQ(X-OTHER)% is not supp'),
  ],
  [
    'a format in a file',
    (c) =>
      (manager(c)['access_log'] = [
        {
          typed_config: {
            '@type': TYPE.fileLog,
            path: '/x',
            log_format: { text_format_source: { filename: '/format' } },
          },
        },
      ]),
    at(MANAGER, '.access_log[0].typed_config.log_format.text_format_source: a format needs an inline_string'),
  ],
  [
    'a label that is no text',
    (c) => (first(c, 'clusters')['transport_socket_matches'] = [{ name: 'a', match: { tls: true } }]),
    at(CLUSTER, '.transport_socket_matches[0].match: tls must be a text'),
  ],
  ['a line end in a header', (c) => redirect(c, { host_redirect: 'a\r\nb' }), /host_redirect: must have no line ends/],
  ['a scheme', (c) => redirect(c, { scheme_redirect: 'h s' }), /scheme_redirect: is no scheme/],
  ['no match', (c) => (route(c)['match'] = {}), /routes\[0\]\.match: needs one of prefix, path, safe_regex/],
  [
    'a header without a name',
    (c) => (route(c)['match'] = { prefix: '/', headers: [{ string_match: { exact: 'x' } }] }),
    /headers\[0\]\.name: is missing: must not be empty$/,
  ],
  [
    'a text that matches nothing',
    (c) => (route(c)['match'] = { prefix: '/', headers: [{ name: 'x', string_match: {} }] }),
    /headers\[0\]\.string_match: needs one of exact, prefix/,
  ],
  [
    'a parameter that must be absent',
    (c) => (route(c)['match'] = { prefix: '/', query_parameters: [{ name: 'x', present_match: false }] }),
    /query_parameters\[0\]\.present_match: a parameter can be asked for, not its absence$/,
  ],
  [
    'weights of nothing',
    (c) => (route(c)['route'] = { weighted_clusters: { clusters: [{ name: 'app', weight: 0 }] } }),
    /weighted_clusters\..*: the weights of these clusters add up to 0$/,
  ],
  [
    'a cluster that is not there and gets nothing yet',
    (c) => {
      const clusters = [
        { name: 'app', weight: 1 },
        { name: 'none', weight: 0 },
      ]
      route(c)['route'] = { weighted_clusters: { clusters } }
    },
    /clusters\[1\]\.name: there is no cluster "none"$/,
  ],
  [
    'any host twice',
    (c) => hosts(c).push({ name: 'more', domains: ['*'], routes: [] }),
    /virtual_hosts\[1\]\.domains\[0\]: domain \* stands in two virtual hosts$/,
  ],
  ['a host for nobody', (c) => delete hosts(c)[0]?.['domains'], /virtual_hosts\[0\]\.domains: is missing/],
  [
    'a star in the middle of a domain',
    (c) => (hosts(c)[0] = { ...hosts(c)[0], domains: ['a.*.b'] }),
    /domains: "a\.\*\.b": a star may only stand at the beginning or at the end$/,
  ],
  [
    'a star in the middle of a server name',
    (c) => (chain(c)['filter_chain_match'] = { server_names: ['a*.b'] }),
    /server_names: "a\*\.b": a star may only stand before the first dot/,
  ],
  [
    'a chain that nobody gets to',
    (c) => (first(c, 'listeners')['filter_chains'] as Json[]).push(chain(good())),
    /listeners\[0\]\.filter_chains\[1\]: an earlier chain matches the same: none gets here$/,
  ],
  [
    'an address of two listeners',
    (c) => {
      first(c, 'listeners')['address'] = { socket_address: { address: '127.0.0.1', port_value: 9 } }
      list(c, 'listeners').push({ ...first(c, 'listeners'), name: 'second' })
    },
    /^static_resources\.listeners\[1\]: 127\.0\.0\.1:9 is another listener's already$/,
  ],
  [
    'windows out of range',
    (c) => (manager(c)['http2_protocol_options'] = { initial_stream_window_size: 100 }),
    /initial_stream_window_size: must be at least 65535 and at most 2147483647$/,
  ],
  [
    'room for no header',
    (c) => (manager(c)['max_request_headers_kb'] = 0),
    /max_request_headers_kb: must be more than 0 and at most 8192$/,
  ],
  [
    'no time to connect',
    (c) => (first(c, 'clusters')['connect_timeout'] = '0s'),
    /connect_timeout: must be more than 0$/,
  ],
  [
    'a type of an older API',
    (c) => (manager(c)['@type'] = 'type.googleapis.com/envoy.config.filter.x.v2.HttpConnectionManager'),
    /is not supported; did you mean "type\.googleapis\.com\/envoy\.extensions\..*\.v3\.HttpConnectionManager"\?$/,
  ],
  [
    'a type that is like none',
    (c) =>
      (manager(c)['http_filters'] = [
        { name: 'x', typed_config: { '@type': TYPE.router.replaceAll('router', 'lua').replace('Router', 'Lua') } },
      ]),
    /Lua is not supported$/,
  ],
]

t.test('what is not honoured is refused with its path', (t) => {
  for (const [what, spoil, wanted] of [...REFUSALS, ...NOT_IN_SILENCE]) {
    const config = good()
    spoil(config)
    const faults = faultsOf(JSON.stringify(config))
    t.match(faults.join('\n'), wanted, what)
    t.equal(faults.length, 1, `${what}: one fault`)
  }
  t.end()
})

t.test('all faults come at once, in the order of the file, with line and column', (t) => {
  const text = `admin:
  access_log_path: /dev/null
static_resources:
  listeners: []
  clusters:
    - { name: a, dns_refresh_rate: 5s }
    - name: b
      lb_policy: MAGLEV
      alt_stat_nam: x
`
  t.equal(
    faultText('f.yaml', checkBootstrap(text).faults),
    `f.yaml:2:3: admin.access_log_path: not supported: its requests are not logged; leave it out
f.yaml:6:18: static_resources.clusters[0].dns_refresh_rate: not supported: names are resolved when a connection is made; leave it out
f.yaml:9:7: static_resources.clusters[1].alt_stat_nam: there is no such field; did you mean "alt_stat_name"?
`,
  )
  t.end()
})

t.test('a text that is no document of ours is refused, with its place', (t) => {
  for (const [text, wanted] of [
    ['', /the file is empty/],
    ['a: [', /1:\d+: /],
    ['a: 1\na: 2\n', /2:1: .*unique/],
    ['--- {}\n--- {}\n', /2:\d+: a second document: one is allowed/],
    ['- x\n', /1:1: must be a map of fields/],
    [`{a: &a [x], b: &b ${'[*a,'.repeat(250)}x${']'.repeat(250)}}`, /nested deeper|no such field/],
  ] as [string, RegExp][])
    t.match(faultText('f', checkBootstrap(text).faults), wanted, JSON.stringify(text.slice(0, 20)))
  t.end()
})

t.test('names for people, and what is at its default, are no faults', (t) => {
  const config = good()
  Object.assign(first(config, 'clusters'), { alt_stat_name: 'x', metadata: { filter_metadata: { a: { b: 'c' } } } })
  Object.assign(manager(config), { merge_slashes: false, server_name: '' })
  t.same(faultsOf(JSON.stringify(config)), [])
  t.end()
})

t.test('what this proxy does anyhow may be asked for, and nothing else', (t) => {
  const upstream = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const asked = (http1: Json, spoil: Json): string[] => {
    const config = good()
    const typed = { '@type': `type.googleapis.com/${upstream}`, explicit_http_config: { http_protocol_options: http1 } }
    Object.assign(first(config, 'clusters'), { typed_extension_protocol_options: { [upstream]: typed } })
    Object.assign(manager(config), {
      normalize_path: true,
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      http_protocol_options: { accept_http_10: true, allow_absolute_url: true },
      http2_protocol_options: { max_concurrent_streams: 7 },
      ...spoil,
    })
    return faultsOf(JSON.stringify(config))
  }
  t.same(asked({}, {}), [])
  t.match(asked({ default_host_for_http_10: 'a' }, {}), [/default_host_for_http_10: .*set it on the listener$/])
  t.match(asked({}, { normalize_path: false }), [/normalize_path: paths are always brought into one form$/])
  t.match(asked({ allow_absolute_url: false }, {}), [/allow_absolute_url: targets in absolute form are always read$/])
  t.end()
})

t.test('a weight of 0 takes nothing, and is no fault', (t) => {
  const config = good()
  list(config, 'clusters').push(cluster('none', 8081))
  const clusters = [
    { name: 'app', weight: 1 },
    { name: 'none', weight: 0 },
  ]
  route(config)['route'] = { weighted_clusters: { clusters } }
  t.same(faultsOf(JSON.stringify(config)), [])
  t.end()
})

t.test('limits of connections and of HTTP are honoured, on both sides where they have two', (t) => {
  const upstream = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  const config = good()
  const common = { max_connection_duration: '60s', max_headers_count: 50, max_stream_duration: '5s' }
  const http2 = {
    connection_keepalive: { interval: '5s', timeout: '1s' },
    override_stream_error_on_invalid_http_message: false,
  }
  const typed = {
    '@type': `type.googleapis.com/${upstream}`,
    common_http_protocol_options: { ...common, max_requests_per_connection: 3 },
    explicit_http_config: { http2_protocol_options: http2 },
  }
  Object.assign(first(config, 'clusters'), {
    typed_extension_protocol_options: { [upstream]: typed },
    per_connection_buffer_limit_bytes: 65_536,
    circuit_breakers: { thresholds: [{ max_retries: 1, retry_budget: { budget_percent: { value: 50 } } }] },
  })
  Object.assign(first(config, 'listeners'), { per_connection_buffer_limit_bytes: 65_536 })
  const connect = { upgrade_type: 'CONNECT', connect_config: {} }
  const action = {
    cluster: 'app',
    idle_timeout: '1s',
    max_stream_duration: { max_stream_duration: '2s', grpc_timeout_header_max: '3s' },
    upgrade_configs: [connect, { upgrade_type: 'websocket', enabled: false }],
  }
  Object.assign(manager(config), {
    common_http_protocol_options: {
      ...common,
      max_requests_per_connection: 3,
      headers_with_underscores_action: 'REJECT_REQUEST',
    },
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'old.test', enable_trailers: true },
    http2_protocol_options: http2,
    request_timeout: '10s',
    drain_timeout: '1s',
    delayed_close_timeout: '0s',
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT',
    tracing: { random_sampling: { value: 50 }, client_sampling: { value: 100 }, overall_sampling: { value: 75 } },
    upgrade_configs: [{ upgrade_type: 'CONNECT' }, { upgrade_type: 'websocket' }],
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { connect_matcher: {} }, route: action }] }],
    },
  })
  t.same(faultsOf(JSON.stringify(config)), [])
  Object.assign(connect, { connect_config: undefined })
  t.match(faultsOf(JSON.stringify(config)), [/CONNECT without connect_config is not supported/])
  t.end()
})

t.test('what Envoy takes and means the same here is taken', (t) => {
  for (const [what, change] of [
    [
      'a cluster that gets nothing yet',
      (c) => {
        list(c, 'clusters').push(cluster('next', 1))
        const clusters = [
          { name: 'app', weight: 100 },
          { name: 'next', weight: 0 },
        ]
        route(c)['route'] = { weighted_clusters: { clusters } }
      },
    ],
    [
      'a parameter that must be there',
      (c) => (route(c)['match'] = { prefix: '/', query_parameters: [{ name: 'x', present_match: true }] }),
    ],
    [
      'the one engine of expressions by its name',
      (c) => (route(c)['match'] = { safe_regex: { google_re2: {}, regex: '/a.*' } }),
    ],
    ['a redirect to https', (c) => redirect(c, { https_redirect: true })],
    [
      'addresses of one family',
      (c) => Object.assign(first(c, 'clusters'), { type: 'LOGICAL_DNS', dns_lookup_family: 'V4_ONLY' }),
    ],
    ['the client’s address as it is told', (c) => (manager(c)['use_remote_address'] = false)],
    [
      'conditions of retries',
      (c) => (route(c)['route'] = RETRIES({ retry_on: 'connect-failure, refused-stream,reset', num_retries: 1 })),
    ],
    [
      'one port on two addresses',
      (c) => {
        first(c, 'listeners')['address'] = { socket_address: { address: '127.0.0.1', port_value: 9 } }
        list(c, 'listeners').push({
          ...first(good(), 'listeners'),
          name: 'six',
          address: { socket_address: { address: '::1', port_value: 9 } },
        })
      },
    ],
  ] as [string, (config: Json) => void][]) {
    const config = good()
    change(config)
    t.same(faultsOf(JSON.stringify(config)), [], what)
  }
  t.end()
})

t.test('the examples are good', (t) => {
  const folder = 'examples/standalone'
  for (const name of readdirSync(folder).filter((f) => f.endsWith('.yaml'))) {
    // certificates are made by a script, and missing here
    const faults = faultsOf(readFileSync(`${folder}/${name}`, 'utf8')).filter((f) => !f.includes('certs/'))
    t.same(faults, [], name)
  }
  t.end()
})

function at(path: string, rest: string): RegExp {
  return new RegExp(`^${(path + rest).replaceAll(/[.[\]()"?]/g, String.raw`\$&`)}`)
}

function list(config: Json, kind: 'listeners' | 'clusters'): Json[] {
  return (config['static_resources'] as Record<string, Json[]>)[kind] ?? []
}

function first(config: Json, kind: 'listeners' | 'clusters'): Json {
  return list(config, kind)[0] ?? {}
}

function chain(config: Json): Json {
  return (first(config, 'listeners')['filter_chains'] as Json[])[0] ?? {}
}

function manager(config: Json): Json {
  return (chain(config)['filters'] as { typed_config: Json }[])[0]?.typed_config ?? {}
}

function route(config: Json): Json {
  const { virtual_hosts: hosts } = manager(config)['route_config'] as { virtual_hosts: { routes: Json[] }[] }
  return hosts[0]?.routes[0] ?? {}
}

function upstreamTls(config: Json, common: Json): void {
  const typed = { '@type': TYPE.upstreamTls, common_tls_context: common }
  first(config, 'clusters')['transport_socket'] = { name: 'tls', typed_config: typed }
}
