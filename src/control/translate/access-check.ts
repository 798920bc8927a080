/**
 * "May A do this at B?", answered by the very rules that B's sidecar gets. In: a snapshot and a question. Out: an answer
 * per workload behind B: the rule that decides, and which rules came near. Pure.
 */
import type { AuthzAnswer, AuthzRule, Pod, PodPort } from '../../client/contract.ts'
import { workloadSpiffeId } from '../../identity/spiffe-id.ts'
import { Rbac, type AccessSubject } from '../../xds/rbac.ts'
import { nearMisses } from './access-misses.ts'
import { parseRuleName, portAccess, type PortAccess } from './authz.ts'
import { clientOf } from './client.ts'
import { effectivePolicy } from './destination-rule.ts'
import { handlingOf, servicesAt } from './inbound.ts'
import { podPortOf, selectsPod, type ConfigObject, type Service, type Snapshot } from './snapshot.ts'
import { authorizationOf, modesOf, rulesOf } from './translate.ts'

export interface AccessQuestion {
  /** A pod, a workload or a Service, as NAME or NAME.NAMESPACE. */
  from: string
  to: string
  /** Of names that have none. */
  namespace: string
  method: string
  /** Normalised. */
  path: string
  /** ''; the Service's, as a client would write it. */
  host: string
  /** The workload's; absent: its first. */
  port?: number
}

/** Text: what in the question names nothing. */
export function checkAccess(snapshot: Snapshot, question: AccessQuestion): AuthzAnswer[] | string {
  const [from] = podsNamed(snapshot, question.from, question.namespace)
  if (from === undefined) return missing(question.from, question.namespace)
  const targets = podsNamed(snapshot, question.to, question.namespace)
  if (targets.length === 0) return missing(question.to, question.namespace)
  const answers: AuthzAnswer[] = []
  for (const to of targets) {
    const port = to.ports.find((p) => question.port === undefined || p.containerPort === question.port)
    if (port === undefined)
      return `pod "${to.name}" has no port${question.port === undefined ? '' : ` ${question.port}`}`
    answers.push(answer(snapshot, question, from, to, port))
  }
  return answers
}

function answer(snapshot: Snapshot, question: AccessQuestion, from: Pod, to: Pod, port: PodPort): AuthzAnswer {
  const mode = modesOf(snapshot).modeOf(to, port.containerPort)
  const http = handlingOf(to, port, snapshot.services) !== 'tcp'
  const known = from.sidecar && to.sidecar && mode !== 'DISABLE' && wantsMutualTls(snapshot, from, to, port)
  const principal = known ? workloadSpiffeId(snapshot.trustDomain, from.namespace, from.serviceAccount) : ''
  const head = {
    from: { pod: from.name, namespace: from.namespace, principal },
    to: {
      pod: to.name,
      namespace: to.namespace,
      workload: to.workload,
      port: port.containerPort,
      protocol: http ? ('http' as const) : ('tcp' as const),
    },
    nearMisses: [],
    leftOut: [],
  }
  if (!to.sidecar) return { ...head, allowed: true, decision: { by: 'no_sidecar' } }
  if (mode === 'STRICT' && !known) return { ...head, allowed: false, decision: { by: 'strict_mutual_tls' } }
  const policies = authorizationOf(snapshot).of(to)
  const access = portAccess(policies, { number: port.containerPort, http })
  const subject: AccessSubject = {
    downstreamPrincipal: principal,
    downstreamRemoteAddress: `${from.address}:0`,
    method: question.method,
    path: question.path,
    authority: question.host === '' ? hostOf(snapshot, to, port) : question.host,
  }
  const refs = new RuleRefs(policies)
  const leftOut = access.flatMap((side) => side.leftOut.map(({ rule, reason }) => ({ rule: refs.of(rule), reason })))
  return { ...head, leftOut, ...decide(access, subject, refs) }
}

type Verdict = Pick<AuthzAnswer, 'allowed' | 'decision' | 'nearMisses'>

/** As the sidecar does: DENY rules, then ALLOW rules. */
function decide(access: readonly PortAccess[], subject: AccessSubject, refs: RuleRefs): Verdict {
  let allowedBy = ''
  for (const { action, policies, rules } of access) {
    const name = new Rbac(rules).matched(subject)
    if (action === 'DENY' && name !== '')
      return { allowed: false, decision: { by: 'deny_rule', rule: refs.of(name) }, nearMisses: [] }
    if (action === 'ALLOW' && name === '') {
      const misses = nearMisses(rules, subject).map(({ rule, unmet }) => ({ rule: refs.of(rule), unmet }))
      const named = policies.map(({ metadata }) => refs.policy(metadata.namespace, metadata.name))
      return { allowed: false, decision: { by: 'implicit_deny', policies: named }, nearMisses: misses }
    }
    if (action === 'ALLOW') allowedBy = name
  }
  const decision =
    allowedBy === '' ? { by: 'no_policy' as const } : { by: 'allow_rule' as const, rule: refs.of(allowedBy) }
  return { allowed: true, decision, nearMisses: [] }
}

/** Rules by the names that sidecars know, with the place where each was written. */
class RuleRefs {
  readonly #sources: ReadonlyMap<string, ConfigObject['source']>

  constructor(policies: readonly ConfigObject[]) {
    this.#sources = new Map(policies.map(({ metadata, source }) => [`${metadata.namespace}/${metadata.name}`, source]))
  }

  policy(namespace: string, policy: string): Omit<AuthzRule, 'index'> {
    const source = this.#sources.get(`${namespace}/${policy}`)
    return { namespace, policy, ...(source === undefined ? {} : { source: `${source.file}:${source.line}` }) }
  }

  of(name: string): AuthzRule {
    const ref = parseRuleName(name)
    if (ref === undefined) throw new TypeError(`not the name of a rule: ${name}`)
    return { ...this.policy(ref.namespace, ref.policy), index: ref.index }
  }
}

/** One pod per workload. */
function podsNamed(snapshot: Snapshot, name: string, namespace: string): Pod[] {
  const found = podsIn(snapshot, name, namespace)
  const dot = name.lastIndexOf('.')
  if (found.length > 0 || dot < 0) return found
  return podsIn(snapshot, name.slice(0, dot), name.slice(dot + 1))
}

function podsIn(snapshot: Snapshot, name: string, namespace: string): Pod[] {
  const pods = [...snapshot.pods.values()].filter((pod) => pod.namespace === namespace && !pod.terminating)
  const service = snapshot.services.find((s) => s.name === name && s.namespace === namespace)
  const tries = [
    pods.filter((pod) => pod.name === name),
    pods.filter((pod) => pod.workload === name),
    service === undefined ? [] : pods.filter((pod) => selectsPod(service, pod)),
    pods.filter((pod) => pod.labels['app'] === name),
  ]
  const found = tries.find((list) => list.length > 0) ?? []
  return [...new Map(found.toReversed().map((pod) => [pod.workload, pod])).values()].toReversed()
}

/** What the caller's DestinationRules say of the Service that leads there: automatic mutual TLS, unless they say otherwise. */
function wantsMutualTls(snapshot: Snapshot, from: Pod, to: Pod, port: PodPort): boolean {
  const way = wayTo(snapshot, to, port)
  if (way === undefined) return true
  const rules = rulesOf(snapshot, clientOf(snapshot, { pod: from, grpc: false }))
  const { tls } = effectivePolicy(rules.lookup(way.service), way.port)
  return tls === undefined || tls.mode === 'ISTIO_MUTUAL'
}

/** What clients write into Host. */
function hostOf(snapshot: Snapshot, pod: Pod, port: PodPort): string {
  const way = wayTo(snapshot, pod, port)
  if (way === undefined) return pod.workload
  return way.port === 80 ? way.service.name : `${way.service.name}:${way.port}`
}

/** The oldest Service that leads to the pod's port, and its own port for that. */
function wayTo(snapshot: Snapshot, pod: Pod, port: PodPort): { service: Service; port: number } | undefined {
  const [service] = servicesAt(pod, port, snapshot.services)
  const servicePort = service?.ports.find((p) => podPortOf(p, pod) === port)
  return service === undefined || servicePort === undefined ? undefined : { service, port: servicePort.port }
}

function missing(name: string, namespace: string): string {
  return `there is no pod, workload or Service "${name}" with pods in namespace "${namespace}"`
}
