/**
 * Claim 7: the frontend is refused at user-db, by name, by address, and by every way of the attack table that the mode
 * promises to close; what stays open in mode `env` is named.
 */
import { isKept } from '../../attacks/attack.ts'
import { runAttacks } from '../../attacks/run.ts'
import type { Story, Verdict } from './story.ts'

/** Refused by the policy itself, in both modes. */
const BY_POLICY = ['by-name', 'by-virtual-address']

export async function frontendIsRefused({ mesh, traps }: Story): Promise<Verdict> {
  const { home, control, supervisor } = mesh
  const results = await runAttacks({ home, control, supervisor, traps })
  const policy = results.filter(({ name }) => BY_POLICY.includes(name))
  const answers = policy.map(({ name, how }) => `${name}: ${how}`).join(', ')
  const names = (list: typeof results): string => list.map(({ name }) => name).join(', ')
  const broken = results.filter((result) => !isKept(result))
  const open = results.filter((result) => result.result === 'succeeded' && isKept(result))
  const refused = results.filter(({ result }) => result === 'refused').length
  const byPolicy = policy.length === BY_POLICY.length && policy.every(({ how }) => how.startsWith('403 RBAC'))
  return {
    ok: byPolicy && broken.length === 0,
    text: [
      answers,
      `${refused} of ${results.length} attacks refused`,
      ...(broken.length === 0 ? [] : [`NOT refused: ${names(broken)}`]),
      ...(open.length === 0 ? [] : [`open in this mode: ${names(open)}`]),
    ].join('; '),
  }
}
