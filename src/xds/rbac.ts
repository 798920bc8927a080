/**
 * Envoy's RBAC rules, compiled: does a policy take this request or connection, and which. Both planes use it, so that
 * the answer of `authz check` is that of the sidecar. In: rules; what is known of a caller and a request. Out: a name.
 * Holds nothing of a request. Compiling throws an Error for a condition that it does not know: one left out would be a hole.
 * Source: Envoy, envoy.config.rbac.v3.RBAC; source/extensions/filters/common/rbac/matchers.cc.
 */
import { BlockList, isIPv6 } from 'node:net'
import type { envoy } from './generated/xds.js'
import { compileText, type TextMatch } from './text-match.ts'

type Policy = envoy.config.rbac.v3.Policy
type Permission = envoy.config.rbac.v3.Permission
type Principal = envoy.config.rbac.v3.Principal

/** Names as in the sidecar's record of a request, which is asked as it is. */
export interface AccessSubject {
  /** `spiffe://...`; '' without mutual TLS. */
  readonly downstreamPrincipal: string
  /** `127.0.0.1:40000`; '' where there is no address. */
  readonly downstreamRemoteAddress: string
  readonly method: string
  /** Normalised, with its query. */
  readonly path: string
  readonly authority: string
}

/** `path` is the subject's without its query. */
export type AccessTest = (subject: AccessSubject, path: string) => boolean

interface CompiledPolicy {
  name: string
  permission: AccessTest
  principal: AccessTest
}

const DENY = 1
const LOG = 2

export class Rbac {
  readonly denies: boolean
  readonly #policies: readonly CompiledPolicy[]

  constructor({ action, policies = {} }: envoy.config.rbac.v3.RBAC) {
    if (action === LOG) throw new Error('RBAC action LOG is not supported')
    this.denies = action === DENY
    this.#policies = Object.entries(policies).map(([name, policy]) => compilePolicy(name, policy))
  }

  /** The first policy that takes it, or '': then DENY lets it pass and ALLOW refuses it. */
  matched(subject: AccessSubject): string {
    // hot
    const path = pathOf(subject.path)
    for (const { name, permission, principal } of this.#policies)
      if (principal(subject, path) && permission(subject, path)) return name
    return ''
  }
}

/** Without the query. */
export function pathOf(target: string): string {
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

function compilePolicy(name: string, { permissions = [], principals = [] }: Policy): CompiledPolicy {
  return {
    name,
    permission: any(permissions.map(compilePermission), name),
    principal: any(principals.map(compilePrincipal), name),
  }
}

export function compilePermission(permission: Permission): AccessTest {
  const { andRules, orRules, header, urlPath, notRule } = permission
  if (andRules) return all((andRules.rules ?? []).map(compilePermission), 'and_rules')
  if (orRules) return any((orRules.rules ?? []).map(compilePermission), 'or_rules')
  if (permission.any === true) return always
  if (header) return compileHeader(header)
  if (urlPath?.path) {
    const test = compileText(urlPath.path)
    return (_subject, path) => test(path)
  }
  if (notRule) return not(compilePermission(notRule))
  throw new Error('a permission has no condition that is supported')
}

export function compilePrincipal(principal: Principal): AccessTest {
  const { andIds, orIds, authenticated, directRemoteIp, notId } = principal
  if (andIds) return all((andIds.ids ?? []).map(compilePrincipal), 'and_ids')
  if (orIds) return any((orIds.ids ?? []).map(compilePrincipal), 'or_ids')
  if (principal.any === true) return always
  if (authenticated) {
    const test: TextMatch = authenticated.principalName ? compileText(authenticated.principalName) : () => true
    return ({ downstreamPrincipal }) => downstreamPrincipal !== '' && test(downstreamPrincipal)
  }
  if (directRemoteIp) return compileNetwork(directRemoteIp)
  if (notId) return not(compilePrincipal(notId))
  throw new Error('a principal has no condition that is supported')
}

function compileHeader(matcher: envoy.config.route.v3.HeaderMatcher): AccessTest {
  const name = matcher.name?.toLowerCase()
  const isMethod = name === ':method'
  if (!isMethod && name !== ':authority' && name !== 'host') throw new Error(`header ${name} is not supported in RBAC`)
  const test: TextMatch = matcher.stringMatch ? compileText(matcher.stringMatch) : (text) => text !== ''
  const invert = (matcher.invertMatch ?? false) !== (!matcher.stringMatch && matcher.presentMatch === false)
  return ({ method, authority }) => test(isMethod ? method : authority) !== invert
}

function compileNetwork({ addressPrefix = '', prefixLen }: envoy.config.core.v3.CidrRange): AccessTest {
  const network = new BlockList()
  network.addSubnet(addressPrefix, prefixLen?.value ?? 0, isIPv6(addressPrefix) ? 'ipv6' : 'ipv4')
  return ({ downstreamRemoteAddress }) => {
    const host = hostOf(downstreamRemoteAddress)
    return host !== '' && network.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
  }
}

/** Of `127.0.0.1:80` or `[::1]:80`. */
function hostOf(label: string): string {
  const host = label.slice(0, Math.max(0, label.lastIndexOf(':')))
  return host.startsWith('[') ? host.slice(1, -1) : host
}

const always: AccessTest = () => true

function not(test: AccessTest): AccessTest {
  return (subject, path) => !test(subject, path)
}

function all(tests: readonly AccessTest[], where: string): AccessTest {
  const [only] = tests
  if (only === undefined) throw new Error(`${where} is empty`)
  return tests.length === 1 ? only : (subject, path) => tests.every((test) => test(subject, path))
}

function any(tests: readonly AccessTest[], where: string): AccessTest {
  const [only] = tests
  if (only === undefined) throw new Error(`${where} is empty`)
  return tests.length === 1 ? only : (subject, path) => tests.some((test) => test(subject, path))
}
