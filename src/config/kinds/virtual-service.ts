/** VirtualService: how requests to a host are routed. Istio API: networking.istio.io v1, v1beta1, v1alpha3. */
import {
  gatewayName,
  hostFault,
  hostIsSubset,
  overlappingHosts,
  isClaim,
  matchedHeader,
  namespaceName,
  nonEmpty,
  subnet,
  wildcardHost,
} from '../formats.ts'
import type { MeshObject } from '../object.ts'
import type { Infer, Report } from '../schema.ts'
import { bool, duration, ignored, int, list, map, object, string, supported, withRule } from '../schema.ts'
import { checkExportTo, exportTo, labels, port, stringMatch } from './common.ts'
import {
  corsPolicy,
  delegate,
  destination,
  directResponse,
  fault,
  headers,
  legacyHeaderFields,
  mirrorPolicy,
  percent,
  redirect,
  retries,
  rewrite,
} from './http-actions.ts'
import type { KindDef } from './kind.ts'
import { warnUnreachable } from './unreachable.ts'

const gateways = () => list(string(gatewayName, 'gateway'))

const httpMatch = () =>
  object({
    name: supported(string(), 'Name in the access log, after the name of the rule.'),
    uri: supported(stringMatch({ emptyPrefix: true }), 'Path, without the query.'),
    ignoreUriCase: supported(bool(), 'Compare exact paths and prefixes without regard to case.', { default: 'false' }),
    scheme: supported(stringMatch(), 'Scheme of the request.'),
    method: supported(stringMatch(), 'Method.'),
    authority: supported(stringMatch(), 'Host that the client asked for.'),
    headers: supported(map(stringMatch(), { key: matchedHeader }), 'Headers; {} means that the header is there.'),
    withoutHeaders: supported(
      map(stringMatch({ presence: true }), { key: matchedHeader }),
      'Headers that must not match.',
    ),
    queryParams: supported(
      map(stringMatch(), { key: nonEmpty }),
      'Query parameters; {} means that the parameter is there.',
    ),
    port: supported(port(), 'Port that the client asked for.'),
    sourceLabels: supported(labels(), 'Labels of the calling workload.'),
    sourceNamespace: supported(string(namespaceName, 'namespace'), 'Namespace of the calling workload.'),
    gateways: supported(
      gateways(),
      'Gateways (or mesh) for which this match counts; in place of those of the VirtualService.',
    ),
    statPrefix: ignored(string(), 'Prefix for statistics.', 'there are no statistics per route'),
  })

/** Weights: one destination takes all; of several, one must be above 0. */
function checkWeights(routes: readonly { weight?: number }[], report: Report): void {
  if (routes.length > 1 && routes.every((r) => (r.weight ?? 0) === 0)) {
    report('PM0107', [], `all ${routes.length} weights are 0, so no destination can be chosen`)
  }
}

const weight = () => int(0)

const httpRoutes = () =>
  withRule(
    list(
      object({
        destination: supported(destination(), 'Where to send the request.', { required: true }),
        weight: supported(
          weight(),
          'Share among the weights of all destinations; a single destination takes everything.',
          { default: '0' },
        ),
        headers: ignored(headers(), 'Headers to change for this destination.', 'headers are passed on as they are'),
        ...legacyHeaderFields(),
      }),
    ),
    [],
    checkWeights,
  )

const l4Routes = () =>
  withRule(
    list(
      object({
        destination: supported(destination(), 'Where to send the connection.', { required: true }),
        weight: supported(weight(), 'Share among the weights of all destinations.', { default: '0' }),
      }),
      { min: 1 },
    ),
    [],
    checkWeights,
  )

const httpRule = () =>
  withRule(
    object({
      name: supported(string(), 'Name in the access log.'),
      match: supported(list(httpMatch()), 'Conditions, one of which must hold; none: every request.'),
      route: supported(httpRoutes(), 'Destinations with their weights.'),
      redirect: supported(redirect(), 'Answer with a redirect.'),
      directResponse: supported(directResponse(), 'Answer without asking a service.'),
      delegate: ignored(
        delegate(),
        'Another VirtualService that goes on from here.',
        'the rule is left out, as delegates are not followed',
      ),
      rewrite: ignored(rewrite(), 'Change path or host before sending on.', 'requests go on as they came'),
      timeout: supported(duration(), 'Time for the whole request, retries included.', { default: 'none' }),
      retries: supported(retries(), 'Trying again when an attempt fails.', {
        default: '2 attempts on connect failures',
      }),
      fault: ignored(fault(), 'Delays and errors on purpose.', 'no fault is injected'),
      mirror: ignored(destination(), 'Where copies of the requests go.', 'no copies are sent'),
      mirrors: ignored(list(mirrorPolicy()), 'Where copies of the requests go.', 'no copies are sent'),
      mirrorPercentage: ignored(percent(), 'Share of the requests that are copied.', 'no copies are sent'),
      mirrorPercent: ignored(
        int(0, 100),
        'Share of the requests that are copied (old).',
        'no copies are sent; today: mirrorPercentage',
      ),
      corsPolicy: ignored(corsPolicy(), 'Which pages may call from a browser.', 'preflights go to the service'),
      headers: ignored(headers(), 'Headers to change.', 'headers are passed on as they are'),
      websocketUpgrade: supported(bool(), 'WebSocket allowed (1.0).', {
        deprecated: true,
        note: 'remove it: upgrades are always allowed',
      }),
      ...legacyHeaderFields(),
    }),
    [],
    (rule, report) => {
      if (rule.mirror !== undefined && rule.mirrors !== undefined && rule.mirrors.length > 0)
        report('PM0106', ['mirrors'], 'mirror and mirrors exclude each other')
      checkAuthority(rule, report)
    },
  )

type HttpRule = Infer<ReturnType<typeof httpRule>>

/** The host may be rewritten in one place only. */
function checkAuthority(rule: HttpRule, report: Report): void {
  const isAuthority = (name: string): boolean => [':authority', 'host'].includes(name.toLowerCase())
  const request = rule.headers?.request
  const places = [
    ...(rule.rewrite?.authority ? [['rewrite', 'authority']] : []),
    ...Object.keys(request?.set ?? {}).filter(isAuthority).map((name) => ['headers', 'request', 'set', name]), // prettier-ignore
    ...Object.keys(request?.add ?? {}).filter(isAuthority).map((name) => ['headers', 'request', 'add', name]), // prettier-ignore
  ]
  const second = places[1]
  if (second !== undefined) report('PM0160', second, 'the host is already set in this rule')
}

/** What a rule does: exactly one thing. */
function checkAction(rule: HttpRule, at: readonly (string | number)[], isDelegate: boolean, report: Report): void {
  if (rule.delegate !== undefined) {
    if (isDelegate) report('PM0154', [...at, 'delegate'], 'a delegate may not delegate further')
    for (const action of ['redirect', 'route'] as const) {
      if (rule[action] !== undefined)
        report('PM0154', [...at, action], `a rule with a delegate may not have a ${action}`)
    }
    return
  }
  const hasRoute = rule.route !== undefined && rule.route.length > 0
  const main = rule.redirect === undefined ? 'directResponse' : 'redirect'
  if (rule[main] === undefined) {
    if (!hasRoute) report('PM0150', at, 'a rule needs a route, a redirect or a directResponse')
    return
  }
  const others = [
    hasRoute && 'route',
    rule.fault && 'fault',
    rule.rewrite && 'rewrite',
    main === 'redirect' && rule.directResponse && 'directResponse',
  ]
  for (const other of others)
    if (typeof other === 'string') report('PM0151', [...at, other], `${main} and ${other} exclude each other`)
}

const l4Match = () => ({
  destinationSubnets: supported(list(string(subnet, 'network')), 'Networks of the address that the client dialled.'),
  port: supported(port(), 'Port that the client dialled.'),
  sourceLabels: supported(labels(), 'Labels of the calling workload.'),
  sourceNamespace: supported(string(namespaceName, 'namespace'), 'Namespace of the calling workload.'),
  gateways: supported(gateways(), 'Gateways (or mesh) for which this match counts.'),
  sourceSubnet: ignored(string(), 'Network of the caller (1.0).', 'no proxy has it'),
})

const tcpRule = () =>
  object({
    match: supported(list(object(l4Match())), 'Conditions, one of which must hold; none: every connection.'),
    route: supported(l4Routes(), 'Destinations with their weights.', { required: true }),
  })

const tlsRule = () =>
  object({
    match: supported(
      list(
        object({
          ...l4Match(),
          sniHosts: supported(list(string(nonEmpty), { min: 1 }), 'Server names that the client asks for.', {
            required: true,
          }),
        }),
        { min: 1 },
      ),
      'Conditions, one of which must hold.',
      { required: true },
    ),
    route: supported(l4Routes(), 'Destinations with their weights.', { required: true }),
  })

const spec = object(
  {
    hosts: supported(
      list(string()),
      'Hosts that the rules are for. Without a dot: a service in this namespace. None: a delegate.',
    ),
    gateways: supported(gateways(), 'Gateways that apply the rules; mesh stands for all sidecars.', {
      default: '[mesh]',
    }),
    http: supported(list(httpRule()), 'Rules for HTTP; the first that matches counts.'),
    tls: supported(list(tlsRule()), 'Rules for TLS passed through, by server name, on ports for TLS.'),
    tcp: supported(list(tcpRule()), 'Rules for other connections.'),
    exportTo: supported(exportTo(), 'Namespaces that see the rules.', { default: "['*']" }),
  },
  { hints: { host: 'did you mean hosts? It is a list' } },
)

export type VirtualServiceSpec = Infer<typeof spec>

function checkHosts(vs: VirtualServiceSpec, report: Report): void {
  const hosts = vs.hosts ?? []
  const inMesh = vs.gateways === undefined || vs.gateways.length === 0 || vs.gateways.includes('mesh')
  const sni = (vs.tls ?? []).length > 0
  let sound = true
  for (const [i, host] of hosts.entries()) {
    const problem = hostFault(host, true)
    if (problem === undefined ? inMesh && host === '*' : !isAddress(host) && !(sni && !inMesh && isClusterSni(host))) {
      sound = false
      if (problem === undefined) report('PM0153', ['hosts', i], 'the host * would take every request of the mesh')
      else report(problem.code, ['hosts', i], problem.message, problem.fix)
    }
  }
  if (!sound) return
  for (const [i, other] of overlappingHosts(hosts))
    report('PM0152', ['hosts', i], `${hosts[i]} overlaps ${hosts[other]}`)
}

const isAddress = (host: string): boolean => subnet(host) === undefined && !host.includes('/')

/** `outbound_.80_.v1_.host`: how the mesh names a cluster in SNI. */
const isClusterSni = (host: string): boolean =>
  /^outbound_\.\d+_\./.test(host) && host.split('.').every((l) => /^[\w-]{1,63}$/.test(l))

function checkSni(vs: VirtualServiceSpec, report: Report): void {
  for (const [i, rule] of (vs.tls ?? []).entries()) {
    for (const [j, match] of (rule.match ?? []).entries()) {
      for (const [k, sni] of (match.sniHosts ?? []).entries()) {
        const at = ['tls', i, 'match', j, 'sniHosts', k]
        if (isAddress(sni)) continue
        const problem = isClusterSni(sni) ? undefined : wildcardHost(sni)
        if (problem !== undefined) report(problem.code, at, problem.message, problem.fix)
        else if (!(vs.hosts ?? []).some((host) => hostIsSubset(sni, host)))
          report('PM0158', at, `${sni} is not among the hosts: ${(vs.hosts ?? []).join(', ')}`)
      }
    }
  }
}

const withHosts = withRule(spec, ['hosts', 'gateways', 'tls'], checkHosts)
const withSni = withRule(withHosts, ['hosts', 'tls'], checkSni)
const withActions = withRule(withSni, ['http'], (vs, report) => {
  const isDelegate = vs.hosts === undefined || vs.hosts.length === 0
  for (const [i, rule] of (vs.http ?? []).entries()) checkAction(rule, ['http', i], isDelegate, report)
})
const checked = withRule(withActions, ['hosts', 'gateways', 'http', 'tls', 'tcp'], (vs, report) => {
  if (!vs.http?.length && !vs.tls?.length && !vs.tcp?.length)
    report('PM0155', [], 'a VirtualService needs http, tcp or tls rules')
  if (vs.hosts === undefined || vs.hosts.length === 0) {
    for (const name of ['gateways', 'tls', 'tcp'] as const) {
      if (vs[name]?.length)
        report('PM0154', [name], `a VirtualService without hosts is a delegate: it may not have ${name}`)
    }
  }
  checkClaims(vs, report)
  warnUnreachable(vs, report)
})

/** Claims of tokens are known at gateways only. */
function checkClaims(vs: VirtualServiceSpec, report: Report): void {
  if (vs.gateways !== undefined && vs.gateways.length > 0 && !vs.gateways.includes('mesh')) return
  for (const [i, rule] of (vs.http ?? []).entries()) {
    for (const [j, match] of (rule.match ?? []).entries()) {
      for (const where of ['headers', 'withoutHeaders'] as const) {
        for (const name of Object.keys(match[where] ?? {}).filter(isClaim)) {
          report('PM0159', ['http', i, 'match', j, where, name], 'claims of a token can be matched at gateways only')
        }
      }
    }
  }
}

/**
 * Without hosts it is a delegate. When v1alpha3 was new there were none, and hosts were required: there, somebody must
 * delegate to it for the missing hosts not to be a mistake.
 */
function compare(object: MeshObject, all: readonly MeshObject[], report: Report): void {
  if ((object.spec as VirtualServiceSpec).hosts?.length || object.apiVersion !== 'networking.istio.io/v1alpha3') return
  const { name, namespace } = object.metadata
  for (const other of all) {
    if (other.kind !== 'VirtualService') continue
    for (const { delegate: to } of (other.spec as VirtualServiceSpec).http ?? []) {
      if (to?.name === name && (to.namespace || other.metadata.namespace) === namespace) return
    }
  }
  const fix =
    'add hosts; for a delegate, apply the VirtualService that delegates to it along with it, or write networking.istio.io/v1'
  report('PM0103', ['spec', 'hosts'], 'hosts is missing: hosts that the rules are for', fix)
}

export const virtualService: KindDef = {
  kind: 'VirtualService',
  plural: 'virtualservices',
  short: ['vs', 'virtualservice'],
  doc: 'Routes for the requests to a host.',
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  scope: 'namespaced',
  labelName: false,
  spec: checked,
  open: false,
  finish: (object: MeshObject, report) =>
    checkExportTo((object.spec as VirtualServiceSpec).exportTo, object.metadata.namespace, report),
  compare,
}
