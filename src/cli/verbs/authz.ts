/** `authz check`: whether the policies let a request pass, and which rule decides. Ends with 3 where they do not. */
import type { Command } from 'commander'
import type { AuthzAnswer, AuthzRule } from '../../client/contract.ts'
import { withContext } from '../context.ts'
import { CliError, QuietExit } from '../errors.ts'
import { EXIT } from '../exit-code.ts'
import { examples } from '../help.ts'
import { renderData, withOutput, type Format } from '../output.ts'
import { plain, type Paint } from '../style.ts'

interface Flags {
  from: string
  to: string
  method: string
  path: string
  host?: string
  port?: string
  output: Format
}

export function registerAuthz(program: Command): void {
  const authz = program.command('authz').description('what the authorization policies say')
  examples(authz, [['Would the policies refuse it?', 'authz check --from frontend --to user-db']])
  const command = withOutput(
    authz
      .command('check')
      .description('ask whether a request would be let in; ends with 0 (yes), 3 (no) or 1')
      .requiredOption('--from <caller>', 'pod, workload or Service, as NAME or NAME.NAMESPACE')
      .requiredOption('--to <callee>', 'the same')
      .option('--method <method>', 'method of the request', 'GET')
      .option('--path <path>', 'path of the request', '/')
      .option('--host <host>', 'Host of the request (default: the Service)')
      .option('--port <port>', "the workload's port (default: its first)"),
    ['table', 'json', 'yaml'],
  )
  examples(command, [
    ['May the frontend read users?', 'authz check --from frontend --to user-db --path /users/1'],
    ['May payment delete them?', 'authz check --from payment --to user-db --method DELETE --path /users/1'],
    ['In a script', 'authz check --from frontend --to user-db -o json || echo refused'],
  ])
  command.action((flags: Flags) =>
    withContext(command, async ({ control, namespace, print, paint }) => {
      const { from, to, method, path, host, port, output } = flags
      if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new CliError(`"${port}" is not a port`, EXIT.usage)
      const answer = await control.authzCheck({
        from,
        to,
        namespace,
        method,
        path,
        ...(host === undefined ? {} : { host }),
        ...(port === undefined ? {} : { port: Number(port) }),
      })
      if (output === 'json' || output === 'yaml')
        print(await renderData(output, { schema: 'pocketmesh.dev/authz-check/v1', ...answer }))
      else print(answer.items.map((item) => answerText(item, answer.revision, paint)).join('\n'))
      if (answer.items.some((item) => !item.allowed)) throw new QuietExit(EXIT.denied)
    }),
  )
}

/** The verdict, and below it what it rests on. */
export function answerText(answer: AuthzAnswer, revision: number, paint: Paint = plain): string {
  const { allowed, nearMisses, leftOut, to } = answer
  const short = shortener(answer)
  const rows: [string, string][] = [
    ['decided by', decisionText(answer)],
    ...nearMisses.map(({ rule, unmet }): [string, string] => {
      const lacks = unmet.map(({ wants, is }) => `${short(wants)}; this is ${short(is)}`)
      return ['near miss', `${ruleText(rule)} allows ${lacks.join(', and ')}`]
    }),
    ...leftOut.map(({ rule, reason }): [string, string] => ['left out', `${ruleText(rule)}: ${reason}`]),
    ['tested on', `the compiled policy of ${to.pod}, port ${to.port} (${to.protocol}), revision ${revision}`],
  ]
  const head = allowed ? paint('green', 'ALLOW') : `${paint('red', 'DENY')}   ${outcomeText(answer)}`
  return [head, ...rows.map(([name, text]) => `  ${name.padEnd(10)}  ${text}`)].join('\n')
}

function outcomeText({ decision, to }: AuthzAnswer): string {
  if (decision.by === 'strict_mutual_tls') return 'connection refused by TLS'
  return to.protocol === 'http' ? '403 "RBAC: access denied"' : 'connection reset'
}

function decisionText({ decision, from, to }: AuthzAnswer): string {
  switch (decision.by) {
    case 'allow_rule':
    case 'deny_rule':
      return `${ruleText(decision.rule)}${sourceText(decision.rule)}`
    case 'implicit_deny': {
      const names = decision.policies.map((policy) => `${policyText(policy)}${sourceText(policy)}`).join(', ')
      const verb = decision.policies.length === 1 ? 'selects' : 'select'
      return `implicit deny: ${names} ${verb} ${to.workload} and no rule matched`
    }
    case 'no_policy':
      return `no rule denies it, and no ALLOW policy selects ${to.workload}`
    case 'no_sidecar':
      return `nothing: ${to.workload} has no sidecar, so no policy is enforced`
    case 'strict_mutual_tls':
      return `STRICT mutual TLS: ${from.pod} has no sidecar, so it has no certificate to show`
    default:
      return decision satisfies never
  }
}

/** Policies of the workload's namespace are the rule; others are named with theirs. */
function policyText({ namespace, policy }: Omit<AuthzRule, 'index'>): string {
  return namespace === 'default' ? `ap/${policy}` : `ap/${policy}.${namespace}`
}

function ruleText(rule: AuthzRule): string {
  return `${policyText(rule)} rule ${rule.index}`
}

function sourceText({ source }: { source?: string }): string {
  return source === undefined ? '' : ` (${source})`
}

/** What the principals in a line share with the caller's is left out. */
function shortener({ from }: AuthzAnswer): (text: string) => string {
  const shared = /^spiffe:\/\/(.+\/)sa\/[^/]+$/.exec(from.principal)?.[1]
  return (text) => (shared === undefined ? text : text.replaceAll(shared, '\u2026/'))
}
