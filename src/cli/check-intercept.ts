/** What this machine allows of transparent interception. Nothing of it is a fault: mode `env` needs none of it. */
import { GUARANTEE } from '../supervisor/intercept.ts'
import { namespaceSupport } from '../supervisor/ns/support.ts'
import type { CheckGroup, CheckResult } from './check.ts'

export async function interceptChecks(): Promise<CheckGroup> {
  const { ok, findings } = await namespaceSupport()
  const results = findings.map(({ what, level, hint }): CheckResult => {
    return { level: level === 'ok' ? 'ok' : 'warn', what, ...(hint === undefined ? {} : { hint }) }
  })
  const mode = ok ? 'ns' : 'env'
  results.push({ level: 'ok', what: `"up" takes mode ${mode}: ${GUARANTEE[mode]}` })
  return { title: 'transparent interception (mode ns)', results }
}
