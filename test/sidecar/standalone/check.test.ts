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
  ['a field that Envoy has and we have not', (c) => (c['layered_runtime'] = {}), /^layered_runtime: not supported$/],
  [
    'the same in an extension',
    (c) => (manager(c)['server_header_transformation'] = 'PASS_THROUGH'),
    at(MANAGER, '.server_header_transformation: not supported'),
  ],
  [
    'a field that is compiled for the mesh and that nobody reads',
    (c) => (manager(c)['use_remote_address'] = true),
    at(MANAGER, '.use_remote_address: not supported'),
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
      manager(c)['rds'] = { route_config_name: 'x' }
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
    /^static_resources\.listeners\[0\]\.address\.socket_address\.port_value: there is no port 70000$/,
  ],
  [
    'UDP',
    (c) => (first(c, 'listeners')['address'] = { socket_address: { protocol: 'UDP', address: '127.0.0.1' } }),
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

t.test('what is not honoured is refused with its path', (t) => {
  for (const [what, spoil, wanted] of REFUSALS) {
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
    - { name: a, dns_lookup_family: V4_ONLY }
    - name: b
      lb_policy: MAGLEV
      alt_stat_nam: x
`
  t.equal(
    faultText('f.yaml', checkBootstrap(text).faults),
    `f.yaml:2:3: admin.access_log_path: not supported
f.yaml:6:18: static_resources.clusters[0].dns_lookup_family: not supported
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

function manager(config: Json): Json {
  const chains = first(config, 'listeners')['filter_chains'] as { filters: { typed_config: Json }[] }[]
  return chains[0]?.filters[0]?.typed_config ?? {}
}

function route(config: Json): Json {
  const { virtual_hosts: hosts } = manager(config)['route_config'] as { virtual_hosts: { routes: Json[] }[] }
  return hosts[0]?.routes[0] ?? {}
}

function upstreamTls(config: Json, common: Json): void {
  const typed = { '@type': TYPE.upstreamTls, common_tls_context: common }
  first(config, 'clusters')['transport_socket'] = { name: 'tls', typed_config: typed }
}
