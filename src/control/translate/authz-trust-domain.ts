/**
 * `cluster.local/ns/NAMESPACE/sa/ACCOUNT` in a policy stands for the mesh's own trust domain, whatever that is called: so
 * policies are written that hold in every mesh. Patterns and other trust domains stay as they are. Pure.
 * Source: Istio 1.30, pilot/pkg/trustdomain/bundle.go (ReplaceTrustDomainAliases).
 */
import type { ConfigObject } from './snapshot.ts'
import type { AuthorizationPolicySpec, AuthorizationRule, AuthorizationSource } from './spec.ts'

const LOCAL = 'cluster.local'

/** The policy as this mesh is to read it. */
export function withTrustDomain(policy: ConfigObject, trustDomain: string): ConfigObject {
  if (trustDomain === LOCAL) return policy
  const spec = policy.spec as AuthorizationPolicySpec
  const rules = spec.rules?.map((rule) => ruleIn(rule, trustDomain))
  return { ...policy, spec: { ...spec, ...(rules === undefined ? {} : { rules }) } }
}

function ruleIn(rule: AuthorizationRule, trustDomain: string): AuthorizationRule {
  const from = rule.from?.map(({ source }) => ({ source: sourceIn(source, trustDomain) }))
  return { ...rule, ...(from === undefined ? {} : { from }) }
}

function sourceIn(source: AuthorizationSource, trustDomain: string): AuthorizationSource {
  const { principals, notPrincipals } = source
  const own = (principal: string): string => principalIn(principal, trustDomain)
  return {
    ...source,
    ...(principals === undefined ? {} : { principals: principals.map(own) }),
    ...(notPrincipals === undefined ? {} : { notPrincipals: notPrincipals.map(own) }),
  }
}

/** Only a whole identity names a trust domain: of five parts, though each may have stars. */
function principalIn(principal: string, trustDomain: string): string {
  const [first, ...rest] = principal.split('/')
  return first === LOCAL && rest.length === 4 ? [trustDomain, ...rest].join('/') : principal
}
