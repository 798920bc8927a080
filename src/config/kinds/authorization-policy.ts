/**
 * AuthorizationPolicy: who may do what at a workload. Istio API: security.istio.io v1, v1beta1.
 * A condition that the mesh does not check is refused: leaving it out would let more pass than was written.
 */
import { nonEmpty, subnet } from '../formats.ts'
import type { MeshObject } from '../object.ts'
import type { Infer, Report, StringCheck } from '../schema.ts'
import { enumOf, list, object, refused, string, supported, withRule } from '../schema.ts'
import { selector } from './common.ts'
import type { KindDef } from './kind.ts'

/** `"true"`: the policy is only to be tried, so nothing is refused because of it. */
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run'

const NO_TOKENS = 'tokens are not checked, so a rule on them would hold for nobody, or for everybody'
const NOT_YET = 'the mesh does not check it, and without it the rule would take more than it says'

/** Only a leading or a trailing star counts. */
const pattern: StringCheck = (text) => {
  if (text === '') return nonEmpty(text)
  if (text === '*' || !text.slice(1, -1).includes('*')) return undefined
  return { code: 'PM0209', message: `the * inside ${JSON.stringify(text.slice(0, 80))} stands for itself` }
}

const principal: StringCheck = (text) =>
  text.startsWith('spiffe://')
    ? {
        code: 'PM0202',
        message: `${JSON.stringify(text.slice(0, 80))} never matches: a principal is written without spiffe://`,
        fix: `write ${text.slice('spiffe://'.length)}`,
      }
    : pattern(text)

const path: StringCheck = (text) => {
  if (text.includes('{*}') || text.includes('{**}'))
    return {
      code: 'PM0109',
      message: `${JSON.stringify(text.slice(0, 80))} is refused: path templates are not supported`,
      fix: 'use exact paths, or a * at the start or the end',
    }
  if (text !== '' && !text.startsWith('/') && !text.startsWith('*'))
    return {
      code: 'PM0202',
      message: `a path begins with a slash, so ${JSON.stringify(text.slice(0, 80))} never matches`,
    }
  return pattern(text)
}

const portText: StringCheck = (text) =>
  /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535
    ? undefined
    : { code: 'PM0105', message: `${JSON.stringify(text.slice(0, 80))} is not a port: 1 to 65535, in quotes` }

const strings = (check: StringCheck, name?: string) => list(string(check, name), { min: 1 })

/** Says that an object without any field is no condition. */
function notEmpty(what: string): (value: object, report: Report) => void {
  return (value, report) => {
    if (Object.keys(value).length === 0) report('PM0172', [], `${what} is empty`)
  }
}

const source = withRule(
  object({
    principals: supported(strings(principal), 'Identities, as cluster.local/ns/NAMESPACE/sa/ACCOUNT.'),
    notPrincipals: supported(strings(principal), 'Identities that the rule is not for; ["*"]: all that have one.'),
    namespaces: supported(strings(nonEmpty), 'Namespaces of the callers, as their certificates say.'),
    notNamespaces: supported(strings(nonEmpty), 'Namespaces that the rule is not for.'),
    ipBlocks: supported(
      strings(subnet, 'address or network'),
      'Addresses of the callers: in mode ns those of their pods, in mode env all 127.0.0.1.',
    ),
    notIpBlocks: supported(strings(subnet, 'address or network'), 'Addresses that the rule is not for.'),
    serviceAccounts: refused('Service accounts, as NAMESPACE/ACCOUNT.', 'write principals instead'),
    notServiceAccounts: refused('Service accounts that the rule is not for.', 'write notPrincipals instead'),
    trustDomains: refused('Trust domains of the callers.', NOT_YET),
    notTrustDomains: refused('Trust domains that the rule is not for.', NOT_YET),
    requestPrincipals: refused('Identities of the tokens, as ISSUER/SUBJECT.', NO_TOKENS),
    notRequestPrincipals: refused('Identities of tokens that the rule is not for.', NO_TOKENS),
    remoteIpBlocks: supported(strings(subnet, 'address or network'), 'The same: no X-Forwarded-For is believed.'),
    notRemoteIpBlocks: supported(strings(subnet, 'address or network'), 'Addresses that the rule is not for.'),
  }),
  'all',
  notEmpty('the source'),
)

const operation = withRule(
  object({
    hosts: supported(strings(pattern), 'Host of the request, with its port where the caller gave one; in any case.'),
    notHosts: supported(strings(pattern), 'Hosts that the rule is not for.'),
    ports: supported(strings(portText, 'port'), 'Ports of the workload (not of the Service).'),
    notPorts: supported(strings(portText, 'port'), 'Ports that the rule is not for.'),
    methods: supported(strings(pattern), 'Methods, as they are sent: GET, not get.'),
    notMethods: supported(strings(pattern), 'Methods that the rule is not for.'),
    paths: supported(strings(path), 'Paths without query, after normalisation.'),
    notPaths: supported(strings(path), 'Paths that the rule is not for.'),
  }),
  'all',
  notEmpty('the operation'),
)

const rule = object({
  from: supported(
    list(object({ source: supported(source, 'All of its fields must hold.', { required: true }) }), { min: 1 }),
    'Callers, any of them; none: everybody.',
  ),
  to: supported(
    list(object({ operation: supported(operation, 'All of its fields must hold.', { required: true }) }), { min: 1 }),
    'What is done, any of them; none: everything.',
  ),
  when: refused('Further conditions.', NOT_YET),
})

const HTTP_ONLY = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const

const spec = withRule(
  object({
    selector: supported(selector(), 'Workloads that the policy is for; none: the whole namespace.'),
    targetRef: refused('Gateway that the policy is for.', 'there are no gateways to attach it to'),
    targetRefs: refused('Gateways or Services that the policy is for.', 'there are no gateways to attach it to'),
    action: supported(
      enumOf({
        ALLOW: 'Where such policies are, what none of their rules takes is refused.',
        DENY: 'What a rule takes is refused, whatever else allows it.',
        AUDIT: { ignored: 'nothing is recorded, and nothing is refused because of the policy' },
        CUSTOM: { refused: 'no authorizer is asked, so it would let everything pass' },
      }),
      'What happens to what a rule takes.',
      { default: 'ALLOW' },
    ),
    provider: refused('External authorizer.', 'no authorizer is asked'),
    rules: supported(list(rule), 'Any of them; none: an ALLOW policy allows nothing, a DENY policy denies nothing.'),
  }),
  ['action', 'rules'],
  (policy, report) => {
    if (policy.action !== 'DENY') return
    for (const [i, { to = [] }] of (policy.rules ?? []).entries())
      for (const [j, entry] of to.entries()) {
        const { ports, notPorts } = entry.operation
        const named = HTTP_ONLY.find((name) => entry.operation[name] !== undefined)
        if (named === undefined || ports !== undefined || notPorts !== undefined) continue
        const message = `${named} is of HTTP: on TCP ports the rule denies every connection of its callers`
        report('PM0208', ['rules', i, 'to', j, 'operation', named], message)
      }
  },
)

export type AuthorizationPolicySpec = Infer<typeof spec>

function finish({ metadata }: MeshObject, report: Report): void {
  const dryRun = metadata.annotations[DRY_RUN_ANNOTATION]
  if (dryRun === undefined) return
  const at = ['metadata', 'annotations', DRY_RUN_ANNOTATION]
  if (!/^(?:true|false)$/i.test(dryRun)) report('PM0128', at, `${DRY_RUN_ANNOTATION} takes "true" or "false"`)
  else if (/^true$/i.test(dryRun)) report('PM0108', at, 'the policy is not enforced, and nothing is recorded')
}

export const authorizationPolicy: KindDef = {
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  short: ['ap', 'authorizationpolicy'],
  doc: 'Who may do what at workloads.',
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  scope: 'namespaced',
  labelName: false,
  spec,
  open: false,
  finish,
}
