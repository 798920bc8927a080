/** Which way of interception a mesh takes. In: what was asked for, what this machine allows. */
import type { InterceptMode } from '../client/contract.ts'
import { PlainError } from '../client/errors.ts'
import { namespaceSupport } from './ns/support.ts'

export type InterceptChoice = 'auto' | InterceptMode

export const GUARANTEE: Readonly<Record<InterceptMode, string>> = {
  ns: 'pods have network namespaces of their own; nothing reaches or leaves a program but through its sidecar',
  env: "programs are led to their sidecars by environment; any local process can still dial a program's own port",
}

/** `auto` is `ns` where this machine allows it. Rejects where `ns` was asked for by name and is not to be had. */
export async function chooseMode(choice: InterceptChoice): Promise<InterceptMode> {
  if (choice === 'env') return 'env'
  const { ok, findings } = await namespaceSupport()
  if (ok) return 'ns'
  if (choice === 'auto') return 'env'
  const bad = findings.find((finding) => finding.level === 'bad')
  const hint = bad?.hint === undefined ? '' : `: ${bad.hint}`
  throw new PlainError(`mode ns is not possible here: ${bad?.what ?? 'something is missing'}${hint}`)
}
