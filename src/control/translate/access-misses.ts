/**
 * Why no ALLOW rule took a request: for each rule the alternative that lacks the least. In: compiled rules and the subject
 * that they did not take. Out: conditions that do not hold, in the words of the policy. Pure.
 */
import type { envoy } from '../../xds/generated/xds.js'
import { compilePermission, compilePrincipal, pathOf, type AccessSubject } from '../../xds/rbac.ts'

type Permission = envoy.config.rbac.v3.Permission
type Principal = envoy.config.rbac.v3.Principal
type StringMatcher = envoy.type.matcher.v3.StringMatcher

interface Unmet {
  wants: string
  is: string
}

interface Miss {
  rule: string
  unmet: Unmet[]
}

/** More would not be read. */
const MOST = 3

/** Those that lack the least first. */
export function nearMisses(rules: envoy.config.rbac.v3.RBAC, subject: AccessSubject): Miss[] {
  const misses = Object.entries(rules.policies ?? {}).map(([rule, { permissions = [], principals = [] }]) => ({
    rule,
    unmet: [
      ...fewest(principals.map((alternative) => unmetPrincipals(alternative, subject))),
      ...fewest(permissions.map((alternative) => unmetPermissions(alternative, subject))),
    ],
  }))
  return misses.sort((a, b) => a.unmet.length - b.unmet.length).slice(0, MOST)
}

/** Alternatives that lack equally much by the same field are told as one. */
function fewest(alternatives: Unmet[][]): Unmet[] {
  const [first = [], ...rest] = alternatives.toSorted((a, b) => a.length - b.length)
  const [only] = first
  if (first.length !== 1 || only === undefined) return first
  const field = only.wants.slice(0, only.wants.indexOf(' ') + 1)
  const same = rest
    .flatMap((other) => (other.length === 1 ? other : []))
    .flatMap(({ wants, is }) => (is === only.is && wants.startsWith(field) ? [wants.slice(field.length)] : []))
  return [{ ...only, wants: [only.wants, ...same].join(' or ') }]
}

function unmetPrincipals(alternative: Principal, subject: AccessSubject): Unmet[] {
  return (alternative.andIds?.ids ?? [])
    .filter((id) => !compilePrincipal(id)(subject, pathOf(subject.path)))
    .map((id) => describe(id.notId?.orIds?.ids ?? id.orIds?.ids ?? [], Boolean(id.notId), describePrincipal, subject))
}

function unmetPermissions(alternative: Permission, subject: AccessSubject): Unmet[] {
  return (alternative.andRules?.rules ?? [])
    .filter((rule) => !compilePermission(rule)(subject, pathOf(subject.path)))
    .map((rule) =>
      describe(
        rule.notRule?.orRules?.rules ?? rule.orRules?.rules ?? [],
        Boolean(rule.notRule),
        describePermission,
        subject,
      ),
    )
}

interface Words {
  field: string
  value: string
  is: string
}

function describe<T>(
  values: readonly T[],
  negated: boolean,
  words: (value: T, s: AccessSubject) => Words,
  s: AccessSubject,
): Unmet {
  const all = values.map((value) => words(value, s))
  const { field = '', is = '' } = all[0] ?? {}
  const list = all.map(({ value }) => value).join(' or ')
  return { wants: negated ? `any ${field} but ${list}` : `${field} ${list}`, is }
}

function describePrincipal({ authenticated, directRemoteIp }: Principal, subject: AccessSubject): Words {
  if (directRemoteIp) {
    const { addressPrefix = '', prefixLen } = directRemoteIp
    const { downstreamRemoteAddress: label } = subject
    return {
      field: 'address',
      value: `${addressPrefix}/${prefixLen?.value ?? 0}`,
      is: label.slice(0, label.lastIndexOf(':')),
    }
  }
  const matcher = authenticated?.principalName ?? {}
  const namespace = /^\.\*\/ns\/(.*)\/\.\*$/.exec(matcher.safeRegex?.regex ?? '')?.[1]
  const principal = subject.downstreamPrincipal.replace('spiffe://', '')
  const is = principal === '' ? 'a caller without mutual TLS' : principal
  if (namespace !== undefined) return { field: 'namespace', value: unquoted(namespace), is }
  return { field: 'principal', value: textOf(matcher).replace('spiffe://', ''), is }
}

function describePermission({ header, urlPath }: Permission, { method, path, authority }: AccessSubject): Words {
  if (urlPath?.path) return { field: 'path', value: textOf(urlPath.path), is: pathOf(path) }
  const value = header?.stringMatch ? textOf(header.stringMatch) : '*'
  return header?.name === ':method' ? { field: 'method', value, is: method } : { field: 'host', value, is: authority }
}

function textOf({ exact, prefix, suffix, safeRegex }: StringMatcher): string {
  if (typeof prefix === 'string') return `${prefix}*`
  if (typeof suffix === 'string') return `*${suffix}`
  return safeRegex?.regex === undefined ? (exact ?? '') : unquoted(safeRegex.regex)
}

/** An expression that authz.ts made, as the policy has it. */
function unquoted(regex: string): string {
  return regex.replaceAll(/\.[*+]/g, '*').replaceAll(/\\(.)/g, '$1')
}
