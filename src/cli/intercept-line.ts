/** What a mesh's way of interception guarantees, and why it is the one: said at each start. */
import type { InterceptMode } from '../client/contract.ts'
import { GUARANTEE } from '../supervisor/intercept.ts'

export async function interceptLine(mode: InterceptMode): Promise<string> {
  return `mode ${mode}: ${GUARANTEE[mode]}${mode === 'ns' ? '' : await whyNotNs()}`
}

async function whyNotNs(): Promise<string> {
  const { namespaceSupport } = await import('../supervisor/ns/support.ts')
  const { ok, findings } = await namespaceSupport()
  if (ok) return ' (mode ns is possible here: --intercept ns)'
  const bad = findings.find((finding) => finding.level === 'bad')
  return bad === undefined ? '' : ` (mode ns is ${bad.what}: ${bad.hint ?? ''})`
}
