import t from 'tap'
import type { Issue } from '../../src/config/issue.ts'
import type { MeshObject } from '../../src/config/object.ts'
import { parseSources } from '../../src/config/parse.ts'

function parse(
  text: string,
  options: { strict?: boolean; namespace?: string } = {},
): { objects: MeshObject[]; issues: Issue[] } {
  return parseSources([{ file: 'f.yaml', dir: '/d', text }], { namespace: 'default', ...options })
}

const brief = (i: Issue): string => `${i.code} ${i.line}:${i.column} ${i.path}`
const errors = (issues: Issue[]): Issue[] => issues.filter((i) => i.level === 'error')

function indent(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by))
}

const vs = (spec: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n${indent(spec, 2)}\n`
/** A rule of a VirtualService that is sound otherwise; it begins on line 7. */
const rule = (body: string): string => vs(`hosts: [a]\nhttp:\n- route: [{destination: {host: a}}]\n${indent(body, 2)}`)
const dr = (spec: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec:\n${indent(spec, 2)}\n`
/** A traffic policy; it begins on line 7. */
const policy = (body: string): string => dr(`host: a\ntrafficPolicy:\n${indent(body, 2)}`)
const pa = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec:\n${indent(spec, 2)}\n`
const mp = (spec: string): string =>
  `apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\nspec:\n${indent(spec, 2)}\n`
const svc = (spec: string): string => `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n${indent(spec, 2)}\n`
const deploy = (container: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {app: d}}\n  template:\n    metadata: {labels: {app: d}}\n    spec:\n      containers:\n      - name: c\n${indent(container, 8)}\n`

t.test('a route in two documents, parted by "--- ", and a 1.0 MeshPolicy are read as they stand', async (t) => {
  const split = `apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: cart-route
spec:
  hosts:
  - cart
  http:
  - route:
    - destination:
        host: cart
        subset: v1
      weight: 90
    - destination:
        host: cart
        subset: v2
      weight: 10
--- 
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: cart-subsets
spec:
  host: cart
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
`
  const { objects, issues } = parse(split + '---\n' + mp('peers:\n- mtls: {}\n'))
  t.same(issues, [])
  t.same(objects, [
    {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'VirtualService',
      metadata: { name: 'cart-route', namespace: 'default', labels: {}, annotations: {} },
      spec: {
        hosts: ['cart'],
        http: [{ route: [
          { destination: { host: 'cart', subset: 'v1' }, weight: 90 },
          { destination: { host: 'cart', subset: 'v2' }, weight: 10 },
        ] }], // prettier-ignore
      },
      source: { file: 'f.yaml', line: 1, dir: '/d' },
    },
    {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'DestinationRule',
      metadata: { name: 'cart-subsets', namespace: 'default', labels: {}, annotations: {} },
      spec: {
        host: 'cart',
        subsets: [
          { name: 'v1', labels: { version: 'v1' } },
          { name: 'v2', labels: { version: 'v2' } },
        ],
      },
      source: { file: 'f.yaml', line: 19, dir: '/d' },
    },
    {
      apiVersion: 'authentication.istio.io/v1alpha1',
      kind: 'MeshPolicy',
      metadata: { name: 'default', namespace: '', labels: {}, annotations: {} },
      spec: { peers: [{ mtls: {} }] },
      source: { file: 'f.yaml', line: 33, dir: '/d' },
    },
  ])
})

const VALID: [what: string, text: string][] = [
  [
    'weights need not sum to 100',
    vs('hosts: [a]\nhttp:\n- route:\n  - {destination: {host: a}, weight: 1}\n  - {destination: {host: b}, weight: 2}'),
  ],
  ['a single destination may have weight 0', vs('hosts: [a]\nhttp:\n- route: [{destination: {host: a}, weight: 0}]')],
  [
    'an address as host',
    vs('hosts: [10.1.2.3, "*.x.com"]\ngateways: [ns/gw]\nhttp:\n- route: [{destination: {host: a}}]'),
  ],
  ['an empty StringMatch means presence', rule('match: [{headers: {x: {}}, queryParams: {q: {}}}]')],
  ['* in withoutHeaders means presence', rule('match: [{withoutHeaders: {x: {regex: "*"}}}]')],
  ['an empty uri prefix', rule('match: [{uri: {prefix: ""}}]')],
  ['a status among the retry conditions', rule('retries: {attempts: 2, retryOn: "5xx,503,gateway-error"}')],
  ['a direct response', vs('hosts: [a]\nhttp:\n- directResponse: {status: 200, body: {string: hi}}')],
  ['a redirect with the default code', vs('hosts: [a]\nhttp:\n- redirect: {uri: /x, redirectCode: 0}')],
  [
    'tcp with weights',
    vs(
      'hosts: [a]\ntcp:\n- match: [{port: 1, destinationSubnets: [10.0.0.0/8]}]\n  route:\n  - {destination: {host: a}, weight: 1}\n  - {destination: {host: b}, weight: 1}',
    ),
  ],
  ['tcp idle timeout 0s switches it off', policy('connectionPool: {tcp: {idleTimeout: 0s}}')],
  ['port settings', policy('portLevelSettings:\n- port: {number: 80}\n  loadBalancer: {simple: RANDOM}')],
  ['a port mode with a selector', pa('selector: {matchLabels: {app: a}}\nportLevelMtls: {8080: {mode: DISABLE}}')],
  [
    'a PeerAuthentication without spec',
    'apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {name: p}\n',
  ],
  ['a MeshPolicy with `mtls:` and nothing behind it', mp('peers:\n- mtls:\n')],
  [
    'a Service with fields that concern clusters only',
    svc('selector: {app: a}\nports: [{port: 80, nodePort: 30000}]\nexternalTrafficPolicy: Local\ntype: LoadBalancer'),
  ],
  [
    'a ServiceAccount with secrets, a Namespace with labels',
    'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\nsecrets: [{name: y}]\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {istio-injection: enabled}}\n',
  ],
  [
    'what kubectl get prints',
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: n, uid: u, creationTimestamp: null, managedFields: [], resourceVersion: "1"}\nstatus: {phase: Active}\n',
  ],
  [
    'a Deployment of extensions/v1beta1 without selector',
    'apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    metadata: {labels: {app: d}}\n    spec: {containers: [{name: c, image: i}], volumes: [{name: v}]}\n',
  ],
  [
    'probes, env and ports',
    deploy(
      'ports: [{containerPort: 80, name: http}]\nenv: [{name: A, value: "1"}, {name: B}]\nargs: [--x]\nworkingDir: sub\nresources: {limits: {cpu: 1}}\nreadinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}',
    ),
  ],
]

t.test('valid objects are accepted without a word', async (t) => {
  for (const [what, text] of VALID) {
    const { objects, issues } = parse(text)
    t.same(issues.map(brief), [], what)
    t.not(objects.length, 0, what)
  }
})

const INVALID: [what: string, text: string, ...errors: string[]][] = [
  // Fields
  ['unknown field: place of the key', rule('rout: x'), 'PM0101 8:5 spec.http[0].rout'],
  ['wrong type: place of the value', rule('timeout: 5'), 'PM0102 8:14 spec.http[0].timeout'],
  [
    'a number for a label',
    dr('host: a\nsubsets: [{name: v1, labels: {version: 1}}]'),
    'PM0102 6:42 spec.subsets[0].labels.version',
  ],
  [
    'a string for a number',
    vs('hosts: [a]\nhttp:\n- route:\n  - {destination: {host: a}, weight: "1"}'),
    'PM0102 8:40 spec.http[0].route[0].weight',
  ],
  ['a mapping for a list', vs('hosts: a\nhttp: {}'), 'PM0102 5:10 spec.hosts', 'PM0102 6:9 spec.http'],
  ['an empty entry of a list', vs('hosts: [a]\nhttp:\n-\n'), 'PM0102 7:4 spec.http[0]'],
  ['an enum', policy('loadBalancer: {simple: ROUND_ROBBIN}'), 'PM0104 7:28 spec.trafficPolicy.loadBalancer.simple'],
  ['two of one', rule('match: [{uri: {exact: /a, prefix: /b}}]'), 'PM0106 8:31 spec.http[0].match[0].uri.prefix'],
  [
    'one field in two spellings',
    rule('match: [{sourceLabels: {a: b}, source_labels: {a: b}}]'),
    'PM0003 8:36 spec.http[0].match[0].source_labels',
  ],
  ['a refused field', mp('origins: [{jwt: {issuer: x}}]'), 'PM0109 5:3 spec.origins'],
  ['a field beside spec', dr('host: a') + 'trafficPolicy: {}\n', 'PM0101 6:1 trafficPolicy'],
  // What it is
  ['no kind', 'apiVersion: v1\nmetadata: {name: x}\n', 'PM0120 1:1 kind'],
  ['not an object', '- a\n- b\n', 'PM0007 1:1 '],
  [
    'a kind that is unknown',
    'apiVersion: networking.istio.io/v1\nkind: VirtualServic\nmetadata: {name: x}\n',
    'PM0121 2:1 kind',
  ],
  [
    'a kind of another group',
    'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: x}\n',
    'PM0121 2:1 kind',
  ],
  [
    'a version that is unknown',
    'apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: {name: x}\n',
    'PM0122 1:1 apiVersion',
  ],
  ['no name', 'apiVersion: v1\nkind: Namespace\nmetadata: {}\n', 'PM0103 3:11 metadata.name'],
  ['no metadata', 'apiVersion: v1\nkind: Namespace\n', 'PM0103 1:1 metadata'],
  [
    'a bad name',
    'apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\nspec: {ports: [{port: 1}]}\n',
    'PM0123 3:18 metadata.name',
  ],
  [
    'a bad namespace',
    'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: B!}\n',
    'PM0124 3:32 metadata.namespace',
  ],
  [
    'generateName',
    'apiVersion: v1\nkind: ServiceAccount\nmetadata: {generateName: a-}\n',
    'PM0103 3:11 metadata.name',
    'PM0109 3:12 metadata.generateName',
  ],
  [
    'the same object twice',
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n',
    'PM0126 5:1 metadata',
  ],
  // VirtualService
  [
    'all weights 0',
    vs('hosts: [a]\nhttp:\n- route:\n  - {destination: {host: a}}\n  - {destination: {host: b}, weight: 0}'),
    'PM0107 8:5 spec.http[0].route',
  ],
  [
    'a negative weight',
    vs('hosts: [a]\nhttp:\n- route:\n  - {destination: {host: a}, weight: -1}'),
    'PM0105 8:40 spec.http[0].route[0].weight',
  ],
  ['route and redirect', rule('redirect: {uri: /x}'), 'PM0151 7:12 spec.http[0].route'],
  ['no action', vs('hosts: [a]\nhttp:\n- name: x'), 'PM0150 7:5 spec.http[0]'],
  ['a duration without unit', rule('timeout: "5"'), 'PM0131 8:14 spec.http[0].timeout'],
  ['a duration too fine', rule('timeout: 1.5us'), 'PM0131 8:14 spec.http[0].timeout'],
  ['a lookahead', rule('match: [{uri: {regex: "/(?=a)"}}]'), 'PM0132 8:27 spec.http[0].match[0].uri.regex'],
  [
    'a star inside a host',
    vs('hosts: [a.*.com]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0130 5:11 spec.hosts[0]',
  ],
  [
    'overlapping hosts',
    vs('hosts: ["*.com", a.com, b.org, b.org]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0152 5:20 spec.hosts[1]',
    'PM0152 5:34 spec.hosts[3]',
  ],
  ['* in the mesh', vs('hosts: ["*"]\nhttp:\n- route: [{destination: {host: a}}]'), 'PM0153 5:11 spec.hosts[0]'],
  ['nothing to route', vs('hosts: [a]'), 'PM0155 5:3 spec'],
  [
    'retries off and configured',
    rule('retries: {attempts: 0, retryOn: 5xx}'),
    'PM0156 8:37 spec.http[0].retries.retryOn',
  ],
  [
    'a retry condition with a blank',
    rule('retries: {attempts: 1, retryOn: "5xx, reset"}'),
    'PM0104 8:37 spec.http[0].retries.retryOn',
  ],
  ['an empty redirect', vs('hosts: [a]\nhttp:\n- redirect: {}'), 'PM0157 7:15 spec.http[0].redirect'],
  [
    'a gateway name',
    vs('hosts: [a]\ngateways: [n/*]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0133 6:14 spec.gateways[0]',
  ],
  [
    'the host set twice',
    rule('rewrite: {authority: x}\nheaders: {request: {set: {Host: y}}}'),
    'PM0160 9:37 spec.http[0].headers.request.set.Host',
  ],
  [
    'a claim in the mesh',
    rule('match: [{headers: {"@request.auth.claims.a": {exact: b}}}]'),
    'PM0159 8:50 spec.http[0].match[0].headers["@request.auth.claims.a"]',
  ],
  [
    'SNI outside the hosts',
    vs('hosts: [a.com]\ntls:\n- match: [{sniHosts: [b.com]}]\n  route: [{destination: {host: a}}]'),
    'PM0158 7:25 spec.tls[0].match[0].sniHosts[0]',
  ],
  [
    'a delegate with gateways',
    vs('gateways: [g]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0154 5:13 spec.gateways',
  ],
  [
    'no hosts in v1alpha3',
    vs('http:\n- route: [{destination: {host: a}}]').replace('/v1\n', '/v1alpha3\n'),
    'PM0103 5:3 spec.hosts',
  ],
  [
    'a network',
    vs('hosts: [a]\ntcp:\n- match: [{destinationSubnets: [10.0.0.0/33]}]\n  route: [{destination: {host: a}}]'),
    'PM0137 7:35 spec.tcp[0].match[0].destinationSubnets[0]',
  ],
  [
    'an empty prefix',
    rule('match: [{headers: {x: {prefix: ""}}}]'),
    'PM0138 8:36 spec.http[0].match[0].headers.x.prefix',
  ],
  [
    'a header name',
    rule('match: [{headers: {"a b": {exact: x}}}]'),
    'PM0134 8:24 spec.http[0].match[0].headers["a b"]',
  ],
  [
    'exportTo',
    vs('hosts: [a]\nexportTo: [., default]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0139 6:17 spec.exportTo[1]',
  ],
  // DestinationRule
  ['no host', dr('subsets: []'), 'PM0103 5:3 spec.host'],
  ['a subset twice', dr('host: a\nsubsets: [{name: v1}, {name: v1}]'), 'PM0161 6:32 spec.subsets[1].name'],
  ['a label value', dr('host: a\nsubsets: [{name: v1, labels: {a: -b}}]'), 'PM0136 6:36 spec.subsets[0].labels.a'],
  [
    'a label key',
    dr('host: a\nsubsets: [{name: v1, labels: {__proto__: b}}]'),
    'PM0136 6:33 spec.subsets[0].labels.__proto__',
  ],
  ['an empty policy', dr('host: a\ntrafficPolicy: {}'), 'PM0162 6:18 spec.trafficPolicy'],
  [
    'a port policy for a port out of range',
    policy('portLevelSettings: [{port: {number: 70000}, tls: {mode: DISABLE}}]'),
    'PM0105 7:41 spec.trafficPolicy.portLevelSettings[0].port.number',
  ],
  [
    'MUTUAL without files',
    policy('tls: {mode: MUTUAL}'),
    'PM0163 7:10 spec.trafficPolicy.tls.clientCertificate',
    'PM0163 7:10 spec.trafficPolicy.tls.privateKey',
  ],
  [
    'shares that miss 100',
    policy('loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 40}}]}}'),
    'PM0164 7:67 spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to',
  ],
  // Authentication
  ['ports without a selector', pa('portLevelMtls: {80: {mode: STRICT}}'), 'PM0165 5:18 spec.portLevelMtls'],
  ['a selector with a star', pa('selector: {matchLabels: {app: "*"}}'), 'PM0166 5:33 spec.selector.matchLabels.app'],
  ['a MeshPolicy of another name', mp('peers: []').replace('default', 'other'), 'PM0167 3:18 metadata.name'],
  ['a mode of MeshPolicy', mp('peers: [{mtls: {mode: STRIC}}]'), 'PM0104 5:25 spec.peers[0].mtls.mode'],
  // Kubernetes
  ['a Service port out of range', svc('ports: [{port: 0}]'), 'PM0105 5:18 spec.ports[0].port'],
  ['ports without names', svc('ports: [{port: 1}, {port: 2, name: b}]'), 'PM0103 5:11 spec.ports[0].name'],
  ['a port twice', svc('ports: [{port: 1, name: a}, {port: 1, name: b}]'), 'PM0168 5:38 spec.ports[1].port'],
  [
    'a publish annotation',
    svc('ports: [{port: 1}]').replace('{name: s}', '{name: s, annotations: {pocketmesh.dev/publish: "x"}}'),
    'PM0128 3:59 metadata.annotations["pocketmesh.dev/publish"]',
  ],
  [
    'a value of env that is no string',
    deploy('env: [{name: A, value: 1}]'),
    'PM0102 11:32 spec.template.spec.containers[0].env[0].value',
  ],
  [
    'a probe without an action',
    deploy('readinessProbe: {periodSeconds: 1}'),
    'PM0157 11:25 spec.template.spec.containers[0].readinessProbe',
  ],
  [
    'a selector that misses the template',
    deploy('').replace('labels: {app: d}', 'labels: {app: e}'),
    'PM0169 5:33 spec.selector.matchLabels.app',
  ],
]

t.test('invalid objects are refused, each fault with its code, place and path, and nothing else is said', async (t) => {
  for (const [what, text, ...wanted] of INVALID) {
    const { issues } = parse(text)
    t.same(errors(issues).map(brief), wanted, what)
    t.ok(
      issues.every((i) => i.fix !== undefined && i.message !== ''),
      `${what}: what to do is said`,
    )
  }
})

t.test('all faults of a file are told at once, in order, and sound objects beside them are returned', async (t) => {
  const { objects, issues } = parse(
    `${vs('hosts: [a]\nhttp:\n- route: [{destination: {}}]\n  timeout: x\n  matc: []')}---\n${svc('ports: [{port: 80}]')}---\nkind: [\n---\n${pa('mtls: {mode: strict}')}`,
  )
  t.same(errors(issues).map(brief), [
    'PM0103 7:27 spec.http[0].route[0].destination.host',
    'PM0131 8:14 spec.http[0].timeout',
    'PM0101 9:5 spec.http[0].matc',
    'PM0002 18:1 ',
    'PM0104 23:16 spec.mtls.mode',
  ])
  t.same(objects.map((o) => o.kind), ['Service']) // prettier-ignore
})

const GUESSES: [what: string, text: string, fix: RegExp][] = [
  ['a field', rule('retires: {attempts: 1}'), /did you mean retries\?/],
  [
    'the 0.8 name of host',
    vs('hosts: [a]\nhttp:\n- route: [{destination: {name: a, host: a}}]'),
    /did you mean host\?/,
  ],
  [
    'a kind',
    'apiVersion: networking.istio.io/v1\nkind: DestinationRules\nmetadata: {name: x}\n',
    /did you mean DestinationRule\?/,
  ],
  [
    'a kind in another group',
    'apiVersion: networking.k8s.io/v1\nkind: Deployment\nmetadata: {name: x}\n',
    /supported as apps\/v1/,
  ],
  ['an enum value', policy('loadBalancer: {simple: round_robin}'), /did you mean ROUND_ROBIN\?/],
  ['a list that lacks a blank', vs('hosts:\n  -a\nhttp:\n- route: [{destination: {host: a}}]'), /space after the dash/],
  ['a field that belongs under spec', dr('host: a') + 'subsets: []\n', /belongs under spec/],
  ['a number in a string field', deploy('env: [{name: A, value: 1}]'), /quotes/],
]

t.test('the nearest known name is offered', async (t) => {
  for (const [what, text, fix] of GUESSES) t.match(errors(parse(text).issues)[0]?.fix, fix, what)
})

const WARNINGS: [what: string, text: string, ...warnings: string[]][] = [
  [
    'an ignored field, once, and not what lies below it',
    rule('fault: {delay: {fixedDelay: 1s, percent: 10}}'),
    'PM0108 8:5 spec.http[0].fault',
  ],
  ['an ignored value', policy('tls: {mode: SIMPLE}'), 'PM0108 7:17 spec.trafficPolicy.tls.mode'],
  ['an old spelling', rule('match: [{source_labels: {a: b}}]'), 'PM0110 8:14 spec.http[0].match[0].source_labels'],
  ['an old field', rule('websocketUpgrade: true'), 'PM0110 8:5 spec.http[0].websocketUpgrade'],
  ['1.0 header fields', rule('appendHeaders: {a: b}'), 'PM0108 8:5 spec.http[0].appendHeaders'],
  [
    'a misspelt field of Kubernetes',
    deploy('enw: []\nworkingdir: x'),
    'PM0111 12:9 spec.template.spec.containers[0].workingdir',
  ],
  ['a field without a value', rule('match:'), 'PM0112 8:5 spec.http[0].match'],
  [
    'a namespace of a MeshPolicy',
    mp('peers: []').replace('{name: default}', '{name: default, namespace: x}'),
    'PM0127 3:27 metadata.namespace',
  ],
  [
    'a rule behind a catch-all',
    vs(
      'hosts: [a]\nhttp:\n- route: [{destination: {host: a}}]\n- match: [{uri: {prefix: /x}}]\n  route: [{destination: {host: b}}]',
    ),
    'PM0201 8:5 spec.http[1]',
  ],
  [
    'a prefix behind a shorter one',
    vs(
      'hosts: [a]\nhttp:\n- match: [{uri: {prefix: /a}}]\n  route: [{destination: {host: a}}]\n- match: [{uri: {prefix: /ab}, method: {exact: GET}}]\n  route: [{destination: {host: b}}]',
    ),
    'PM0201 9:13 spec.http[1].match[0]',
  ],
  ['a path without a slash', rule('match: [{uri: {prefix: x}}]'), 'PM0202 8:28 spec.http[0].match[0].uri.prefix'],
  [
    'a selector in the root namespace',
    pa('selector: {matchLabels: {a: b}}').replace('{name: p}', '{name: p, namespace: istio-system}'),
    'PM0204 5:13 spec.selector',
  ],
  ['a selector without labels', pa('selector: {}'), 'PM0205 5:13 spec.selector'],
  [
    'a gateway named in the old way',
    vs('hosts: [a]\ngateways: [g.ns.svc.cluster.local]\nhttp:\n- route: [{destination: {host: a}}]'),
    'PM0206 6:14 spec.gateways[0]',
  ],
  [
    'a large body',
    vs(`hosts: [a]\nhttp:\n- directResponse: {status: 200, body: {string: ${'x'.repeat(110_000)}}}`),
    'PM0207 7:41 spec.http[0].directResponse.body',
  ],
]

t.test('what is legal but has no effect, or is surely not meant, is warned of', async (t) => {
  for (const [what, text, ...wanted] of WARNINGS) {
    const { issues, objects } = parse(text)
    t.same(issues.map((i) => `${i.level} ${brief(i)}`), wanted.map((w) => `warning ${w}`), what) // prettier-ignore
    t.equal(objects.length, 1, what)
  }
})

t.test('ignored fields are errors when asked to be strict', async (t) => {
  const { issues } = parse(rule('mirror: {host: b}'), { strict: true })
  t.match(issues, [{ code: 'PM0108', level: 'error', line: 8, column: 5 }])
})

t.test('lists are read entry by entry, with their place in the path', async (t) => {
  const item = (name: string, port: string): string =>
    `- metadata: {name: ${name}}\n  spec: {ports: [{port: ${port}}]}\n`
  const typed = parse(`apiVersion: v1\nkind: ServiceList\nitems:\n${item('a', '1')}${item('b', 'x')}`)
  t.same(typed.objects.map((o) => `${o.apiVersion} ${o.kind} ${o.metadata.name}`), ['v1 Service a']) // prettier-ignore
  t.same(typed.issues.map(brief), ['PM0102 7:25 items[1].spec.ports[0].port'])
  const json = parse(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }, { kind: 'X' }],
    }),
  )
  t.same(json.objects.map((o) => o.kind), ['Namespace']) // prettier-ignore
  t.same(json.issues.map((i) => `${i.code} ${i.path}`), ['PM0120 items[1].apiVersion']) // prettier-ignore
})

t.test('defaults that others rely on are filled in', async (t) => {
  const spec = (text: string): unknown => parse(text, { namespace: 'shop' }).objects[0]?.spec
  t.same(spec(svc('ports: [{port: 80}, {port: 81, name: b, targetPort: web}]').replace('{port: 80}', '{port: 80, name: a}')), {
    ports: [{ port: 80, name: 'a', targetPort: 80 }, { port: 81, name: 'b', targetPort: 'web' }],
  }) // prettier-ignore
  t.match(spec(deploy('image: x')), { replicas: 1 })
  t.match(
    spec(
      deploy('image: x').replace(
        '    spec:\n      containers',
        '    spec:\n      serviceAccount: acc\n      terminationGracePeriodSeconds: 3\n      containers',
      ),
    ),
    {
      template: { spec: { serviceAccountName: 'acc', terminationGracePeriodSeconds: 3 } },
    },
  )
  t.match(spec(VALID.at(-2)?.[1] ?? ''), { replicas: 1, selector: { matchLabels: { app: 'd' } } })
  t.same(spec(mp('peers: [{mtls: {}}]\npeerIsOptional: true')), {
    peers: [{ mtls: { mode: 'PERMISSIVE' } }],
    peerIsOptional: true,
  })
  t.equal(parse(svc('ports: []'), { namespace: 'shop' }).objects[0]?.metadata.namespace, 'shop')
  t.match(spec(rule('match: [{source_labels: {a: b}}]')), { http: [{ match: [{ sourceLabels: { a: 'b' } }] }] })
})

t.test('a delegate of v1alpha3 is accepted beside the object that delegates to it', async (t) => {
  const leaf = vs('http:\n- route: [{destination: {host: a}}]').replace('/v1\n', '/v1alpha3\n')
  const root = vs('hosts: [a]\nhttp:\n- delegate: {name: v}')
    .replace('{name: v}}', '{name: v}}')
    .replace('metadata: {name: v}', 'metadata: {name: root}')
  t.same(errors(parse(`${leaf}---\n${root}`).issues), [])
})

t.test('a name twice in two files is told with both places', async (t) => {
  const text = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n'
  const { issues } = parseSources([{ file: 'a.yaml', dir: '/', text }, { file: 'b.yaml', dir: '/', text: `---\n${text}` }], { namespace: 'default' }) // prettier-ignore
  t.match(issues, [{ file: 'b.yaml', line: 2, code: 'PM0126', message: /a\.yaml:1/ }])
})
