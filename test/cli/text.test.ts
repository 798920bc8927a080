import t from 'tap'
import { age, ago, duration, left, milliseconds } from '../../src/cli/age.ts'
import { checkText, worst } from '../../src/cli/check.ts'
import { nodeCheck } from '../../src/cli/check-machine.ts'
import { podCheck, proxyCheck } from '../../src/cli/check-mesh.ts'
import { headsOf, podHeads, podRow, rowOf } from '../../src/cli/columns.ts'
import { deliveryLine } from '../../src/cli/delivery.ts'
import { describePod, describeService, namesHost } from '../../src/cli/describe-text.ts'
import { CliError, describeError } from '../../src/cli/errors.ts'
import { unifiedDiff } from '../../src/cli/line-diff.ts'
import { toManifest } from '../../src/cli/manifest.ts'
import { verbOf } from '../../src/cli/main.ts'
import { dumpTable } from '../../src/cli/proxy-dump.ts'
import { psTable } from '../../src/cli/ps-table.ts'
import { parseTargets, resourceOf } from '../../src/cli/resources.ts'
import { coloured, glyphsFor, paintFor, plain } from '../../src/cli/style.ts'
import { renderTable } from '../../src/cli/table.ts'
import { answerText } from '../../src/cli/verbs/authz.ts'
import { completionScript } from '../../src/cli/verbs/completion.ts'
import { proxyTable } from '../../src/cli/verbs/proxy-status.ts'
import { parseWish } from '../../src/cli/verbs/scale.ts'
import type { AuthzAnswer, PodStatus, ProxyStatus, StoredObject } from '../../src/client/contract.ts'
import { ApiError, UnreachableError } from '../../src/client/errors.ts'
import { pod } from '../control/api/api-harness.ts'

const NOW = Date.parse('2030-01-01T00:10:00Z')

t.test('times are short, and never say more than they know', (t) => {
  const rows: [number, string][] = [
    [0, '0s'],
    [119_999, '119s'],
    [125_000, '2m5s'],
    [180_000, '3m'],
    [45 * 60_000, '45m'],
    [3.5 * 3_600_000, '3h30m'],
    [30 * 3_600_000, '30h'],
    [50 * 3_600_000, '2d2h'],
    [20 * 86_400_000, '20d'],
    [-5, '0s'],
  ]
  for (const [ms, text] of rows) t.equal(duration(ms), text, String(ms))
  t.equal(age('2030-01-01T00:09:48Z', NOW), '12s')
  t.equal(ago(undefined, NOW), '-')
  t.equal(left('2030-01-01T00:51:00Z', NOW), '41m left')
  t.equal(left('2030-01-01T00:09:00Z', NOW), 'expired 60s ago')
  t.equal(milliseconds(4.23), '4.2 ms')
  t.equal(milliseconds(1900), '1.9 s')
  t.end()
})

t.test('tables align, tint after aligning, and are cut to a terminal', (t) => {
  const rows = [
    ['a', { text: 'STALE', tint: 'red' as const }],
    ['longer', 'x'],
  ]
  t.equal(renderTable(['N', 'STATE'], rows), 'N        STATE\na        STALE\nlonger   x')
  t.match(renderTable(['N', 'STATE'], rows, { paint: coloured }), '\u001B[31mSTALE\u001B[39m')
  for (const line of renderTable(['N', 'STATE'], rows, { maxWidth: 11, indent: ' ' }).split('\n'))
    t.ok(line.length <= 11, line)
  t.end()
})

t.test('colour follows NO_COLOR, FORCE_COLOR, --no-color and the terminal', (t) => {
  const rows: [env: Record<string, string>, isTty: boolean, noColor: boolean, on: boolean][] = [
    [{}, true, false, true],
    [{}, false, false, false],
    [{ NO_COLOR: '1' }, true, false, false],
    [{ NO_COLOR: '' }, true, false, true],
    [{ FORCE_COLOR: '1' }, false, false, true],
    [{ FORCE_COLOR: '1' }, false, true, false],
    [{ TERM: 'dumb' }, true, false, false],
  ]
  for (const [env, isTty, noColor, on] of rows)
    t.equal(paintFor({ env, isTty, noColor }), on ? coloured : plain, JSON.stringify(env))
  t.equal(glyphsFor({ LANG: 'C' }).ok, 'ok')
  t.equal(glyphsFor({ LC_ALL: 'de_DE.UTF-8' }).ok, '√')
  t.end()
})

t.test('a diff shows only what changed, with three lines around it', (t) => {
  const before = Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`).join('')
  const after = before.replace('line 10\n', 'line ten\nand more\n')
  t.equal(
    unifiedDiff('a', before, after),
    '--- live/a\n+++ new/a\n@@ -7,7 +7,8 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n+and more\n line 11\n line 12\n line 13',
  )
  t.equal(unifiedDiff('a', before, before), '')
  t.equal(unifiedDiff('a', '', 'x\n'), '--- /dev/null\n+++ new/a\n@@ -0,0 +1,1 @@\n+x')
  t.equal(unifiedDiff('a', 'x\n', ''), '--- live/a\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x')
  const far = before.replace('line 2\n', '').replace('line 19\n', 'line xix\n')
  t.equal(unifiedDiff('a', before, far).match(/^@@/gm)?.length, 2)
  t.end()
})

t.test('kinds are found by any of their names, and a slip gets the nearest', (t) => {
  for (const [word, kind] of [
    ['vs', 'VirtualService'],
    ['VirtualServices', 'VirtualService'],
    ['virtualservices.networking.istio.io', 'VirtualService'],
    ['dr', 'DestinationRule'],
    ['svc', 'Service'],
    ['deploy', 'Deployment'],
    ['po', 'Pod'],
    ['px', 'Proxy'],
  ] as const)
    t.equal(resourceOf(word).kind, kind, word)
  t.throws(() => resourceOf('virtualservise'), {
    message: /did you mean "virtualservice"/,
    exitCode: 64,
  })
  t.same(parseTargets(['vs', 'a', 'b'], 'shop'), [
    { kind: 'VirtualService', namespace: 'shop', name: 'a' },
    { kind: 'VirtualService', namespace: 'shop', name: 'b' },
  ])
  t.same(parseTargets(['mp/default', 'svc/x'], 'shop'), [
    { kind: 'MeshPolicy', namespace: '', name: 'default' },
    { kind: 'Service', namespace: 'shop', name: 'x' },
  ])
  t.throws(() => parseTargets(['vs/a', 'b'], 'shop'), /names no kind/)
  t.end()
})

t.test('the verb is found behind the program’s own flags', (t) => {
  t.equal(verbOf(['-n', 'get', 'ps']), 'ps')
  t.equal(verbOf(['--home', 'x', '--no-color', 'up', '-f', 'y']), 'up')
  t.equal(verbOf(['--home=x', 'up']), 'up')
  t.equal(verbOf(['--help']), undefined)
  t.end()
})

t.test('scale takes =N or --replicas', (t) => {
  t.same(parseWish('checkout-v1=3', undefined), { name: 'checkout-v1', replicas: 3 })
  t.same(parseWish('deployment/checkout-v1', 2), { name: 'checkout-v1', replicas: 2 })
  t.throws(() => parseWish('a', undefined), /a=3/)
  t.throws(() => parseWish('a=-1', 2), /a=3/)
  t.end()
})

t.test('an answer about access names what decided, and what came near', (t) => {
  const rule = { namespace: 'default', policy: 'user-db-allow', index: 0, source: 'allow.yaml:3' }
  const base: AuthzAnswer = {
    from: { pod: 'frontend-0', namespace: 'default', principal: 'spiffe://cluster.local/ns/default/sa/frontend' },
    to: { pod: 'user-db-0', namespace: 'default', workload: 'user-db', port: 9090, protocol: 'http' },
    allowed: false,
    decision: { by: 'implicit_deny', policies: [rule] },
    nearMisses: [
      {
        rule,
        unmet: [
          { wants: 'principal cluster.local/ns/default/sa/payment', is: 'cluster.local/ns/default/sa/frontend' },
          { wants: 'method GET', is: 'PUT' },
        ],
      },
    ],
    leftOut: [],
  }
  t.equal(
    answerText(base, 7),
    `DENY   403 "RBAC: access denied"
  decided by  implicit deny: ap/user-db-allow (allow.yaml:3) selects user-db and no rule matched
  near miss   ap/user-db-allow rule 0 allows principal \u2026/sa/payment; this is \u2026/sa/frontend, and method GET; this is PUT
  tested on   the compiled policy of user-db-0, port 9090 (http), revision 7`,
  )
  const tcp = { ...base.to, protocol: 'tcp' as const }
  const rows: [answer: Partial<AuthzAnswer>, first: string, decided: string][] = [
    [{ allowed: true, decision: { by: 'allow_rule', rule } }, 'ALLOW', 'ap/user-db-allow rule 0 (allow.yaml:3)'],
    [
      { to: tcp, decision: { by: 'deny_rule', rule } },
      'DENY   connection reset',
      'ap/user-db-allow rule 0 (allow.yaml:3)',
    ],
    [
      { decision: { by: 'deny_rule', rule: { namespace: 'istio-system', policy: 'p', index: 2 } } },
      'DENY   403 "RBAC: access denied"',
      'ap/p.istio-system rule 2',
    ],
    [
      { allowed: true, decision: { by: 'no_policy' } },
      'ALLOW',
      'no rule denies it, and no ALLOW policy selects user-db',
    ],
    [
      { allowed: true, decision: { by: 'no_sidecar' } },
      'ALLOW',
      'nothing: user-db has no sidecar, so no policy is enforced',
    ],
    [
      { decision: { by: 'strict_mutual_tls' } },
      'DENY   connection refused by TLS',
      'STRICT mutual TLS: frontend-0 has no sidecar, so it has no certificate to show',
    ],
  ]
  for (const [answer, first, decided] of rows) {
    const lines = answerText({ ...base, nearMisses: [], ...answer }, 7).split('\n')
    t.same(lines.slice(0, 2), [first, `  decided by  ${decided}`])
  }
  const reason = 'methods cannot be seen on a TCP port'
  t.match(answerText({ ...base, leftOut: [{ rule, reason }] }, 7), `  left out    ap/user-db-allow rule 0: ${reason}\n`)
  t.end()
})

t.test('a delivery is one line', (t) => {
  const base = { revision: 8, proxies: 9, acked: 9, pending: [], nacks: [] }
  t.equal(deliveryLine({ ...base, ms: { p50: 1, p99: 4, max: 4.2 } }), 'revision 8 acked by 9/9 proxies in 4.2 ms')
  t.equal(deliveryLine(base), 'revision 8 acked by 9/9 proxies')
  t.equal(
    deliveryLine({ ...base, proxies: 1, acked: 0, pending: ['a.default'] }),
    'revision 8 acked by 0/1 proxy; still waiting for a.default',
  )
  t.equal(deliveryLine({ ...base, proxies: 0, acked: 0 }), 'revision 8 stored; no proxy is connected')
  t.end()
})

t.test('errors carry their exit code; documents at fault are quoted', (t) => {
  const issue = {
    code: 'PM0107',
    level: 'error' as const,
    file: 'a.yaml',
    line: 2,
    column: 3,
    path: 'spec',
    message: 'm',
    fix: 'f',
  }
  const cli = describeError(new CliError('nothing was applied', 65, [issue], new Map([['a.yaml', 'x\n  y: 1\n']])))
  t.same(cli, {
    exitCode: 65,
    message: 'a.yaml:2:3  error  PM0107  spec: m\n    2 |   y: 1\n    fix: f\nerror: nothing was applied',
  })
  t.equal(describeError(new UnreachableError('no', null)).exitCode, 69)
  t.equal(
    describeError(new ApiError({ type: '', title: '', status: 404, code: 'not_found', detail: 'gone' })).message,
    'error: gone',
  )
  t.match(describeError(new TypeError('bug')).message, /text\.test/)
  t.end()
})

const stored = (kind: string, spec: unknown): StoredObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', namespace: 'default', labels: {}, annotations: {} },
  spec,
  source: { file: 'a.yaml', line: 3, dir: '/' },
  revision: 4,
  createdAt: '2030-01-01T00:00:00Z',
})

t.test('each kind has its own columns', (t) => {
  const live = {
    pods: [pod('x-0', { workload: 'x' })],
    services: [
      {
        host: 'x.default.svc.cluster.local',
        name: 'x',
        namespace: 'default',
        addresses: ['240.240.0.1'],
        selector: {},
        ports: [{ name: 'http', port: 80, targetPort: 80, protocol: 'http' as const }],
        endpoints: [],
        publish: 8080,
      },
    ],
  }
  const rows: [kind: string, spec: unknown, heads: string[], cells: unknown[]][] = [
    ['VirtualService', { hosts: ['a', 'b'] }, ['GATEWAYS', 'HOSTS'], ['-', 'a,b']],
    ['DestinationRule', { host: 'a', subsets: [{ name: 'v1' }, { name: 'v2' }] }, ['HOST', 'SUBSETS'], ['a', 'v1,v2']],
    ['MeshPolicy', { peers: [{ mtls: {} }] }, ['MODE'], ['STRICT']],
    ['MeshPolicy', { peers: [{ mtls: { mode: 'PERMISSIVE' } }] }, ['MODE'], ['PERMISSIVE']],
    ['MeshPolicy', {}, ['MODE'], ['DISABLE']],
    ['PeerAuthentication', {}, ['MODE'], ['UNSET']],
    ['Deployment', { replicas: 1 }, ['READY', 'SIDECAR'], ['1/1', 'yes']],
    ['Deployment', { replicas: 2 }, ['READY', 'SIDECAR'], [{ text: '1/2', tint: 'yellow' }, 'yes']],
    [
      'Service',
      {},
      ['ADDRESS', 'PORTS', 'ENDPOINTS', 'PUBLISHED'],
      ['240.240.0.1', '80/http', { text: '0', tint: 'yellow' }, '127.0.0.1:8080'],
    ],
    ['ServiceAccount', {}, [], []],
  ]
  for (const [kind, spec, heads, cells] of rows) {
    const options = { withNamespace: false, wide: false, nowEpochMs: NOW }
    t.same(headsOf(kind, options), ['NAME', ...heads, 'AGE'], kind)
    t.same(rowOf(stored(kind, spec), live, options), ['x', ...cells, '10m'], kind)
  }
  const wide = { withNamespace: true, wide: true, nowEpochMs: NOW }
  t.same(rowOf(stored('Namespace', {}), live, wide), ['default', 'x', '10m', 'v1', '4', 'a.yaml:3'])
  t.same(toManifest(stored('Namespace', {})), {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'x', namespace: 'default', creationTimestamp: '2030-01-01T00:00:00Z', resourceVersion: '4' },
  })
  t.end()
})

const status = (change: Partial<PodStatus> = {}): PodStatus => ({
  name: 'x-0',
  namespace: 'default',
  workload: 'x',
  version: 'v1',
  state: 'running',
  ready: true,
  pid: 42,
  sidecar: { pid: 43, state: 'running', restarts: 1, adminSocket: '/s' },
  address: '127.0.0.1',
  transparent: false,
  ports: [{ name: 'http', containerPort: 8080, appPort: 7001, listenPort: 17001 }],
  restarts: 0,
  exit: null,
  startedAt: '2030-01-01T00:09:00Z',
  logFile: '/l',
  proxyLogFile: '/p',
  reason: null,
  ...change,
})

t.test('ps shows state, ports and exits; its wide form the sidecars', (t) => {
  const lines = psTable(
    [status(), status({ name: 'y-0', sidecar: null, state: 'backoff', ready: false, pid: null, exit: 'code 1' })],
    { nowEpochMs: NOW, wide: true },
  ).split('\n')
  t.match(lines[0], /^NAME +VER +STATE +READY +PID +APP +SIDECAR +RESTARTS +EXIT +AGE +ADDRESS +NAMESPACE/)
  t.match(
    lines[1],
    /^x-0 +v1 +running +yes +42 +127\.0\.0\.1:7001 +:17001 +0 +- +60s +127\.0\.0\.1 +default +x +43 +1$/,
  )
  t.match(lines[2], /^y-0 +v1 +backoff +no +- +127\.0\.0\.1:7001 +none +0 +code 1/)
  t.end()
})

const proxy = (change: Partial<ProxyStatus> = {}): ProxyStatus => ({
  name: 'x-0.default',
  connectedAt: '2030-01-01T00:00:00Z',
  types: { CDS: { state: 'SYNCED', resources: 3, version: '7' }, RDS: { state: 'STALE', resources: 1, version: '6' } },
  ackedRevision: 7,
  lastAckAt: '2030-01-01T00:09:48Z',
  convergedMs: 3.14,
  ...change,
})
const certificate = {
  spiffeId: 'spiffe://cluster.local/ns/default/sa/x',
  pod: 'x-0',
  namespace: 'default',
  serial: '0a',
  notBefore: '2030-01-01T00:00:00Z',
  notAfter: '2030-01-01T00:51:00Z',
  issued: 3,
}

t.test('proxy-status has a row per proxy, and under it what it refused', (t) => {
  const nack = { type: 'RDS', detail: 'bad regex', at: '2030-01-01T00:09:50Z' }
  const [, first, second, third] = proxyTable([proxy({ nack }), proxy({ name: 'y.default' })], [certificate], {
    nowEpochMs: NOW,
    branch: '└',
  }).split('\n')
  t.match(first, /^x-0\.default +SYNCED +IGNORED +IGNORED +STALE +IGNORED +SYNCED \(41m left\) +7 +12s ago +3\.1 ms$/)
  t.equal(second, '  └ NACK RDS, 10s ago: bad regex')
  t.match(third, /^y\.default .* NOT SENT/)
  t.end()
})

t.test('checks know what is bad, what is a warning, and sum up', (t) => {
  t.equal(nodeCheck('20.18.0').level, 'bad')
  t.equal(nodeCheck('20.19.0').level, 'ok')
  t.equal(nodeCheck('26.0.0').level, 'ok')
  t.equal(podCheck(status()).level, 'ok')
  t.equal(podCheck(status({ ready: false, state: 'starting' })).level, 'warn')
  t.equal(podCheck(status({ ready: false, state: 'backoff' })).level, 'bad')
  const synced = proxy({ types: {} })
  t.equal(proxyCheck(synced, [certificate], NOW).level, 'ok')
  t.equal(proxyCheck(synced, [], NOW).level, 'warn')
  t.equal(proxyCheck(synced, [{ ...certificate, notAfter: '2030-01-01T00:00:01Z' }], NOW).level, 'bad')
  t.equal(proxyCheck(proxy(), [certificate], NOW).level, 'warn')
  const groups = [
    {
      title: 'machine',
      results: [
        { level: 'ok' as const, what: 'a' },
        { level: 'bad' as const, what: 'b', hint: 'do c' },
      ],
    },
  ]
  t.equal(worst(groups), 'bad')
  t.equal(
    checkText(groups, glyphsFor({}), plain),
    'machine\n√ a\n× b\n    do c\n\nStatus check results: problems found ×',
  )
  t.end()
})

t.test('describe says why a service has no endpoint, and which pods a subset has', (t) => {
  const view = {
    host: 'x.default.svc.cluster.local',
    name: 'x',
    namespace: 'default',
    addresses: ['240.240.0.1'],
    selector: {},
    ports: [],
    endpoints: [],
  }
  const rule = {
    ...stored('DestinationRule', {
      host: 'x',
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v9', labels: { version: 'v9' } },
      ],
    }),
  }
  const rules = { virtualServices: [], destinationRules: [rule] }
  const unready = pod('x-0', { labels: { app: 'x', version: 'v1' }, ready: false })
  const text = describeService(view, { app: 'x' }, rules, [unready]).join('\n')
  t.match(text, /none: 1 selected, none is ready \(x-0\)/)
  t.match(text, /v1 +version=v1 +x-0/)
  t.match(text, /v9 +version=v9 +no pod has these labels/)
  t.match(text, /x\.default {2}\(a\.yaml:3\)/)
  t.match(
    describeService(view, { app: 'y' }, rules, [unready]).join('\n'),
    /no pod in namespace "default" has the labels app=y/,
  )
  const details = describePod({
    pod: unready,
    status: status(),
    certificate,
    proxy: proxy(),
    services: [view],
    nowEpochMs: NOW,
  }).join('\n')
  t.match(
    details,
    /istio-proxy[^]*Identity: +spiffe:\/\/cluster\.local\/ns\/default\/sa\/x\n[^]*41m left, serial 0a, rotated 2 times/,
  )
  t.end()
})

t.test('a pod with an address of its own is shown with it, its sidecar with its sockets', (t) => {
  const ports = [{ name: 'http', containerPort: 8080, appPort: 8080, listenPort: 8080, pipe: '/run/p.sock' }]
  const transparent = { gateway: '169.254.1.1', includePorts: [], egressPipe: '/run/egress.sock' }
  const own = pod('x-0', { address: '10.244.0.2', address6: 'fd00:10:244::2', ports, transparent })
  const shown = status({ address: '10.244.0.2', transparent: true, ports })
  t.match(psTable([shown], { nowEpochMs: NOW }), / 10\.244\.0\.2:8080 +running /)
  const columns = { withNamespace: false, wide: true }
  t.same(podHeads(columns).slice(-3), ['PORTS', 'ADDRESS', 'ADDRESS6'])
  t.same(podRow(own, columns).slice(-3), ['8080', '10.244.0.2', 'fd00:10:244::2'])
  t.match(podRow(pod('y-0'), { ...columns, wide: false }).at(-1), /^\d+:\d+$/)
  const rest = { certificate, proxy: proxy(), services: [], nowEpochMs: NOW }
  const text = describePod({ pod: own, status: shown, ...rest }).join('\n')
  t.match(text, /Address: +10\.244\.0\.2, fd00:10:244::2\n/)
  t.match(text, /Ports: +8080 at 10\.244\.0\.2:8080\n/)
  t.match(text, /Inbound: +8080 at unix:\/\/\/run\/p\.sock\n/)
  t.match(text, /Outbound: .*DNS at 169\.254\.1\.1:53\n/)
  t.notMatch(text, '127.0.0.1')
  t.end()
})

t.test('pipes of a config dump are shown as istioctl does', (t) => {
  const pipe = { pipe: { path: '/run/p.sock' } }
  const filterChains = [{ filters: [{ typedConfig: { cluster: 'inbound|8080||' } }] }]
  const listener = { name: 'in', address: pipe, filterChains }
  const socket = { socketAddress: { address: '::', portValue: 15001 } }
  const outbound = { name: 'out', address: socket, additionalAddresses: [{}, {}], filterChains }
  const lbEndpoints = [{ endpoint: { address: pipe } }]
  const dump = {
    configs: [
      { dynamicListeners: [listener, outbound].map((one) => ({ activeState: { listener: one } })) },
      { dynamicEndpointConfigs: [{ endpointConfig: { clusterName: 'c', endpoints: [{ lbEndpoints }] } }] },
    ],
  }
  t.match(dumpTable(dump, 'listeners').rows, [
    ['unix:///run/p.sock', '-', 'in'],
    ['::', '15001 + 2 more', 'out'],
  ])
  t.match(dumpTable(dump, 'endpoints').rows, [['unix:///run/p.sock', 'HEALTHY']])
  t.end()
})

t.test('short hosts are those of the object’s namespace', (t) => {
  const host = 'x.shop.svc.cluster.local'
  for (const [name, namespace, yes] of [
    ['x', 'shop', true],
    ['x', 'default', false],
    ['x.shop', 'default', true],
    [host, 'default', true],
    ['*.svc.cluster.local', 'default', true],
    ['*', 'default', true],
    ['y', 'shop', false],
  ] as const)
    t.equal(namesHost(name, namespace, host), yes, `${name} in ${namespace}`)
  t.end()
})

t.test('a config dump becomes istioctl’s tables', (t) => {
  const dump = {
    configs: [
      {
        dynamicListeners: [
          {
            activeState: {
              listener: {
                name: '0.0.0.0_8080',
                address: { socketAddress: { address: '0.0.0.0', portValue: 8080 } },
                filterChains: [
                  {
                    filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ['istio'] },
                    filters: [{ typedConfig: { rds: { routeConfigName: '8080' } } }],
                  },
                ],
                defaultFilterChain: { filters: [{ typedConfig: { cluster: 'PassthroughCluster' } }] },
              },
            },
          },
        ],
      },
      {
        dynamicRouteConfigs: [
          {
            routeConfig: {
              name: '8080',
              virtualHosts: [
                {
                  name: 'x:8080',
                  domains: ['x', 'x:8080'],
                  routes: [
                    {
                      match: { prefix: '/', headers: [{ name: 'end-user' }] },
                      route: {
                        weightedClusters: {
                          clusters: [
                            { name: 'a', weight: 90 },
                            { name: 'b', weight: 10 },
                          ],
                        },
                      },
                      metadata: {
                        filterMetadata: {
                          istio: { config: '/apis/networking.istio.io/v1/namespaces/shop/virtual-service/canary' },
                        },
                      },
                    },
                  ],
                },
              ],
            },
          },
        ],
      },
      {
        dynamicActiveClusters: [
          {
            cluster: {
              name: 'outbound|8080|v1|x.shop.svc.cluster.local',
              type: 'EDS',
              lbPolicy: 'LEAST_REQUEST',
              transportSocketMatches: [{}],
            },
          },
          { cluster: { name: 'BlackHoleCluster' } },
        ],
      },
      {
        dynamicEndpointConfigs: [
          {
            endpointConfig: {
              clusterName: 'c',
              endpoints: [
                {
                  lbEndpoints: [
                    {
                      endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: 7 } } },
                      metadata: {
                        filterMetadata: {
                          'envoy.transport_socket_match': { tlsMode: 'istio' },
                          istio: { workload: 'x-v1;shop;x;v1;k' },
                        },
                      },
                    },
                  ],
                },
              ],
            },
          },
        ],
      },
    ],
  }
  t.same(dumpTable(dump, 'listeners').rows, [
    ['0.0.0.0', '8080', '0.0.0.0_8080', 'Trans: tls; App: istio', 'Route: 8080'],
    ['0.0.0.0', '8080', '', 'ALL', 'Cluster: PassthroughCluster'],
  ])
  t.same(dumpTable(dump, 'routes').rows, [
    ['8080', 'x:8080', 'x + 1 more', '/* [end-user]', 'a 90%, b 10%', 'canary.shop'],
  ])
  t.same(dumpTable(dump, 'clusters').rows, [
    ['x.shop.svc.cluster.local', '8080', 'v1', 'outbound', 'EDS', 'LEAST_REQUEST', 'auto'],
    ['BlackHoleCluster', '-', '-', '-', 'STATIC', 'ROUND_ROBIN', '-'],
  ])
  t.same(dumpTable(dump, 'endpoints').rows, [['127.0.0.1:7', 'HEALTHY', 'mTLS', 'x-v1', 'c']])
  t.same(dumpTable({}, 'routes').rows, [])
  t.end()
})

t.test('completion scripts name every verb and its flags', (t) => {
  const flags = ['-o', '--output']
  const values = [{ flags, words: ['wide', 'json'] }]
  const verbs = [{ name: 'get', description: "an object's list", flags, words: ['services'], values }]
  t.match(completionScript('bash', verbs), 'get) words="services -o --output" ;;')
  t.match(completionScript('zsh', verbs), 'compadd -- services -o --output')
  t.match(completionScript('fish', verbs), "__fish_seen_subcommand_from get' -l output -x -a 'wide json'\n")
  t.match(completionScript('bash', verbs), `'get -o'|'get --output') words="wide json" ;;`)
  t.match(completionScript('zsh', verbs), `'get -o'|'get --output') compadd -- wide json; return ;;`)
  t.end()
})
