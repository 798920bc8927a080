/**
 * AuthorizationPolicies to Envoy's RBAC rules. In: policies, oldest first, a workload and one of its ports. Out: DENY
 * rules, then ALLOW rules, each only where such a policy is for the workload. Pure.
 *
 *   DENY  any rule that takes the request refuses it           no rules: refuses nothing, so nothing is made
 *   ALLOW  what no rule takes is refused                       no rules: refuses everything
 *
 * The port is known here, so conditions on it are settled here. On TCP a rule cannot see what is of HTTP alone: an ALLOW
 * rule that asks for it goes, a DENY rule loses the condition; both ways less passes.
 * Source: Istio 1.30, pilot/pkg/security/authz/{builder/builder.go, model/model.go, model/generator.go}.
 */
import { DRY_RUN_ANNOTATION } from '../../config/kinds/authorization-policy.ts'
import type { envoy } from '../../xds/generated/xds.js'
import { withTrustDomain } from './authz-trust-domain.ts'
import { hasLabels, type ConfigObject } from './snapshot.ts'
import type { AuthorizationOperation, AuthorizationPolicySpec, AuthorizationRule, AuthorizationSource } from './spec.ts'

type RbacRules = envoy.config.rbac.v3.RBAC
type Permission = envoy.config.rbac.v3.Permission
type Principal = envoy.config.rbac.v3.Principal
type StringMatcher = envoy.type.matcher.v3.StringMatcher

const ALLOW = 0
const DENY = 1

export interface AuthzWorkload {
  namespace: string
  labels: Record<string, string>
}

export interface AuthzPort {
  /** The workload's own, not the Service's. */
  number: number
  http: boolean
}

/** A rule that a port does without, and why. */
interface LeftOut {
  rule: string
  reason: string
}

export interface PortAccess {
  action: 'DENY' | 'ALLOW'
  policies: readonly ConfigObject[]
  rules: RbacRules
  leftOut: readonly LeftOut[]
}

export class AuthorizationPolicies {
  readonly #objects: readonly ConfigObject[]
  readonly #rootNamespace: string

  /** Oldest first. */
  constructor(objects: readonly ConfigObject[], rootNamespace: string, trustDomain: string) {
    this.#objects = objects.filter(isEnforced).map((object) => withTrustDomain(object, trustDomain))
    this.#rootNamespace = rootNamespace
  }

  /** Of the root namespace (selectors there reach the whole mesh) and of the workload's own. */
  of({ namespace, labels }: AuthzWorkload): readonly ConfigObject[] {
    return this.#objects.filter(({ metadata, spec }) => {
      const { selector } = spec as AuthorizationPolicySpec
      const near = metadata.namespace === namespace || metadata.namespace === this.#rootNamespace
      return near && hasLabels(labels, selector?.matchLabels ?? {})
    })
  }
}

/** Policies that audit or are tried out change nothing. */
function isEnforced({ metadata, spec }: ConfigObject): boolean {
  const { action = 'ALLOW' } = spec as AuthorizationPolicySpec
  if (metadata.annotations[DRY_RUN_ANNOTATION]?.toLowerCase() === 'true') return false
  return action === 'ALLOW' || action === 'DENY'
}

/** What the port checks, in this order. */
export function portAccess(policies: readonly ConfigObject[], port: AuthzPort): PortAccess[] {
  const of = (action: 'DENY' | 'ALLOW'): PortAccess =>
    compile(
      action,
      policies.filter(({ spec }) => ((spec as AuthorizationPolicySpec).action ?? 'ALLOW') === action),
      port,
    )
  const deny = of('DENY')
  const allow = of('ALLOW')
  return [
    ...(Object.keys(deny.rules.policies ?? {}).length > 0 ? [deny] : []),
    ...(allow.policies.length > 0 ? [allow] : []),
  ]
}

function compile(action: 'DENY' | 'ALLOW', policies: readonly ConfigObject[], port: AuthzPort): PortAccess {
  const compiled: NonNullable<RbacRules['policies']> = {}
  const leftOut: LeftOut[] = []
  for (const { metadata, spec } of policies) {
    for (const [i, rule] of ((spec as AuthorizationPolicySpec).rules ?? []).entries()) {
      const name = ruleName(metadata.namespace, metadata.name, i)
      const made = compileRule(rule, action, port)
      if (typeof made === 'string') leftOut.push({ rule: name, reason: made })
      else compiled[name] = made
    }
  }
  const rules = { action: action === 'DENY' ? DENY : ALLOW, policies: compiled } as const
  return { action, policies, rules, leftOut }
}

/** As Istio names it; stands in the log where the rule decides. */
function ruleName(namespace: string, policy: string, index: number): string {
  return `ns[${namespace}]-policy[${policy}]-rule[${index}]`
}

export interface RuleRef {
  namespace: string
  policy: string
  index: number
}

/** `undefined` for a name that we did not give. */
export function parseRuleName(name: string): RuleRef | undefined {
  const [, namespace, policy, index] = /^ns\[(.+)\]-policy\[(.+)\]-rule\[(\d+)\]$/.exec(name) ?? []
  if (namespace === undefined || policy === undefined) return undefined
  return { namespace, policy, index: Number(index) }
}

/** The rule at this port, or why it never holds there. */
function compileRule(
  { from = [], to = [] }: AuthorizationRule,
  action: 'DENY' | 'ALLOW',
  port: AuthzPort,
): envoy.config.rbac.v3.Policy | string {
  const operations = to.map((entry) => entry.operation)
  const ofHttp = operations.flatMap(httpFields)
  if (!port.http && action === 'ALLOW' && ofHttp.length > 0)
    return `${[...new Set(ofHttp)].join(', ')} cannot be seen on a TCP port`
  const here = operations.filter((operation) => isForPort(operation, String(port.number)))
  if (to.length > 0 && here.length === 0) return `it is for other ports than ${port.number}`
  return {
    permissions: to.length === 0 ? [allPermissions([])] : here.map((o) => allPermissions(conditions(o, port.http))),
    principals: from.length === 0 ? [allPrincipals([])] : from.map(({ source }) => allPrincipals(callers(source))),
  }
}

const HTTP_FIELDS = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const

function httpFields(operation: AuthorizationOperation): string[] {
  return HTTP_FIELDS.filter((name) => operation[name] !== undefined)
}

function isForPort({ ports, notPorts }: AuthorizationOperation, port: string): boolean {
  return (ports === undefined || ports.includes(port)) && notPorts?.includes(port) !== true
}

// ---- what is done

function conditions(operation: AuthorizationOperation, http: boolean): Permission[] {
  if (!http) return []
  const host = (value: string): Permission => header(':authority', value, true)
  const method = (value: string): Permission => header(':method', value, false)
  const path = (value: string): Permission => ({ urlPath: { path: pattern(value) } })
  return [
    ...permissions(operation.hosts, operation.notHosts, host),
    ...permissions(operation.methods, operation.notMethods, method),
    ...permissions(operation.paths, operation.notPaths, path),
  ]
}

function permissions(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  one: (value: string) => Permission,
): Permission[] {
  return [
    ...(values === undefined ? [] : [{ orRules: { rules: values.map(one) } }]),
    ...(notValues === undefined ? [] : [{ notRule: { orRules: { rules: notValues.map(one) } } }]),
  ]
}

function allPermissions(rules: Permission[]): Permission {
  return { andRules: { rules: rules.length === 0 ? [{ any: true }] : rules } }
}

function header(name: string, value: string, ignoreCase: boolean): Permission {
  if (value === '*') return { header: { name, presentMatch: true } }
  return { header: { name, stringMatch: { ...pattern(value), ...(ignoreCase ? { ignoreCase } : {}) } } }
}

// ---- who does it

function callers(source: AuthorizationSource): Principal[] {
  return [
    ...principals(source.principals, source.notPrincipals, (value) => authenticated(spiffePattern(value))),
    ...principals(source.namespaces, source.notNamespaces, (value) => authenticated(namespacePattern(value))),
    ...principals(source.ipBlocks, source.notIpBlocks, address),
    ...principals(source.remoteIpBlocks, source.notRemoteIpBlocks, address),
  ]
}

function principals(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  one: (value: string) => Principal,
): Principal[] {
  return [
    ...(values === undefined ? [] : [{ orIds: { ids: values.map(one) } }]),
    ...(notValues === undefined ? [] : [{ notId: { orIds: { ids: notValues.map(one) } } }]),
  ]
}

function allPrincipals(ids: Principal[]): Principal {
  return { andIds: { ids: ids.length === 0 ? [{ any: true }] : ids } }
}

function authenticated(principalName: StringMatcher): Principal {
  return { authenticated: { principalName } }
}

function spiffePattern(value: string): StringMatcher {
  if (value === '*' || !value.startsWith('*')) return pattern(value, 'spiffe://')
  return { safeRegex: { regex: `spiffe://.*${quoted(value.slice(1))}` } }
}

/** Every star stands for any text, unlike elsewhere. */
function namespacePattern(value: string): StringMatcher {
  return { safeRegex: { regex: `.*/ns/${value.split('*').map(quoted).join('.*')}/.*` } }
}

/** No caller's X-Forwarded-For is believed, so remote addresses are those of the connections. */
function address(value: string): Principal {
  return { directRemoteIp: cidr(value) }
}

function cidr(value: string): envoy.config.core.v3.CidrRange {
  const [addressPrefix = '', bits] = value.split('/')
  const whole = addressPrefix.includes(':') ? 128 : 32
  return { addressPrefix, prefixLen: { value: bits === undefined ? whole : Number(bits) } }
}

// ---- strings

/** `*`: any but the empty text; `abc*` and `*abc`; else the text as it stands. */
function pattern(value: string, lead = ''): StringMatcher {
  if (value === '*') return { safeRegex: { regex: '.+' } }
  if (value.startsWith('*')) return { suffix: value.slice(1) }
  if (value.endsWith('*')) return { prefix: lead + value.slice(0, -1) }
  return { exact: lead + value }
}

/** As a part of an RE2 expression. */
function quoted(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, '\\$&')
}
